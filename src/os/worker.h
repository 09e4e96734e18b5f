/* A thread for work in the background: it sleeps between, is asked for more, and ends. */
#ifndef OS_WORKER_H
#define OS_WORKER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/op.h"

struct os_worker {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool asked, stop; /* under lock */
};

/* run(ctx) on a thread of its own; it returns when os_worker_sleep() or os_worker_goes_on() says
 * false. KW_E_MEMORY "no thread for WHAT"; then there is nothing to stop. */
kw_status os_worker_start(struct kw_op *op, struct os_worker *worker, void *(*run)(void *ctx),
                          void *ctx, const char *what);
/* Have it end, and wait for that. */
void os_worker_stop(struct os_worker *worker);
/* Do not sleep on, or not at all the next time. Any thread. */
void os_worker_ask(struct os_worker *worker);

/* On its own thread: up to `ms`, or until it is asked. ret_asked (may be NULL): it was. False: the
 * end. */
bool os_worker_sleep(struct os_worker *worker, int64_t ms, bool *ret_asked);
/* May long work go on? */
bool os_worker_goes_on(struct os_worker *worker);

#endif
