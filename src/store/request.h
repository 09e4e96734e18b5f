/* Changes on their way to the committer: who waits for what, and the bounded queue between. */
#ifndef STORE_REQUEST_H
#define STORE_REQUEST_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "store/store.h"

enum {
    STORE_QUEUE_MAX = 4096, /* more waiters than that are better told to come back */
    STORE_GRACE_MS = 10000, /* behind its deadline a begun change waits so long for its commit */
};

typedef kw_status (*store_change_fn)(struct kw_op *op, struct store_txn *txn, void *ctx);

/*
 * QUEUED → RUNNING → RAN → DONE      the usual way
 * RAN → RUNNING                      its batch is run again
 * QUEUED → LEFT                      the deadline passed before it began: it never will
 * RAN → LEFT                         nobody waits any more; op and ctx must not be touched
 * RUNNING is the committer's alone: the one who waits lends op and ctx and cannot leave.
 */
enum request_state { REQUEST_QUEUED = 0, REQUEST_RUNNING, REQUEST_RAN, REQUEST_DONE, REQUEST_LEFT };

struct request {
    struct request *next;
    struct kw_op *op; /* borrowed from the one who waits */
    store_change_fn change;
    void *ctx;
    atomic_int state;
    atomic_int refs; /* the one who waits, the committer */
    sem_t done;
    kw_status status;         /* what the change itself came to */
    enum kw_code batch;       /* not 0: its batch failed, for this reason … */
    char why[KW_OP_TEXT_MAX]; /* … in words */
};

kw_status request_new(struct kw_op *op, store_change_fn change, void *ctx, struct request **ret);
void request_unref(struct request *request);
KW_OWNED(request, struct request, request_unref)

/* For the committer. False: the one who waited has left, pass it over. */
bool request_begin(struct request *request);
void request_ran(struct request *request, kw_status status);
/* Its batch failed; the first reason stays. */
void request_fail(struct request *request, enum kw_code code, const char *why);
/* Tell the one who waits; the committer's reference is given up. */
void request_done(struct request *request);
/* For the one who waits: the outcome, into its op. */
kw_status request_wait(struct kw_op *op, struct request *request);

struct request_queue {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    struct request *first, **last;
    unsigned n;
    bool taker_sleeps, closed;
};

void request_queue_init(struct request_queue *queue);
void request_queue_done(struct request_queue *queue);
/* Takes a reference of its own. KW_E_LIMIT full; KW_E_UNAVAILABLE closed. */
kw_status request_queue_push(struct kw_op *op, struct request_queue *queue,
                             struct request *request);
/* At least one, at most max, oldest first; 0: closed and empty. */
unsigned request_queue_take(struct request_queue *queue, unsigned max, struct request *ret[]);
void request_queue_close(struct request_queue *queue);

#endif
