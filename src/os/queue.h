/* A bounded pool of threads that runs jobs; the only thread pool of the tree. */
#ifndef OS_QUEUE_H
#define OS_QUEUE_H

#include "base/bytes.h"
#include "base/op.h"

struct os_pool;

/* n_threads threads, at most max_waiting jobs in the queue. The threads' names begin with name (max
 * 11 characters). */
kw_status os_pool_new(struct kw_op *op, const char *name, unsigned n_threads, unsigned max_waiting,
                      struct os_pool **ret);
/* Queue a job; never blocks. KW_E_LIMIT the queue is full: answer 503/429 with Retry-After;
 * KW_E_UNAVAILABLE the pool is being freed. */
kw_status os_pool_submit(struct os_pool *pool, void (*job)(void *ctx), void *ctx);
/* Let queued jobs finish, then end the threads. */
void os_pool_free(struct os_pool *pool);
KW_OWNED(os_pool, struct os_pool, os_pool_free)

#endif
