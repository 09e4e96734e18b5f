#include "store/request.h"

#include <stdio.h>
#include <time.h>

#include "os/clock.h"

enum { RECHECK_MS = 50 }; /* behind the deadline, a change under way is looked at so often */

kw_status request_new(struct kw_op *op, store_change_fn change, void *ctx, struct request **ret)
{
    struct request *request = calloc(1, sizeof(*request));

    ENSURE(op, request, KW_E_MEMORY, "no memory for a change");
    request->op = op;
    request->change = change;
    request->ctx = ctx;
    atomic_init(&request->state, REQUEST_QUEUED);
    atomic_init(&request->refs, 1);
    (void)sem_init(&request->done, 0, 0); /* cannot fail with these */
    *ret = request;
    return KW_OK;
}

void request_unref(struct request *request)
{
    if (atomic_fetch_sub(&request->refs, 1) == 1) {
        (void)sem_destroy(&request->done); /* nobody waits on it */
        free(request);
    }
}

static bool step(struct request *request, int from, int to)
{
    return atomic_compare_exchange_strong(&request->state, &from, to);
}

bool request_begin(struct request *request)
{
    if (step(request, REQUEST_RAN, REQUEST_RUNNING)) {
        kw_op_clear(request->op); /* what failed in the first run is done again */
        return true;
    }
    if (!step(request, REQUEST_QUEUED, REQUEST_RUNNING)) {
        return false;
    }
    int64_t deadline_ms = request->op->deadline_ms;
    if (deadline_ms == 0 || os_clock_mono_ms() < deadline_ms) {
        return true;
    }
    request_fail(request, KW_E_TIMEOUT, "the deadline passed before its turn came");
    atomic_store(&request->state, REQUEST_QUEUED);
    return false;
}

void request_ran(struct request *request, kw_status status)
{
    request->status = status;
    atomic_store(&request->state, REQUEST_RAN);
}

void request_fail(struct request *request, enum kw_code code, const char *why)
{
    if (request->batch == KW_CODE_OK) {
        request->batch = code;
        (void)snprintf(request->why, sizeof(request->why), "%s", why); /* cut if need be */
    }
}

void request_done(struct request *request)
{
    if (step(request, REQUEST_RAN, REQUEST_DONE) || step(request, REQUEST_QUEUED, REQUEST_DONE)) {
        (void)sem_post(&request->done); /* counts to one at most */
    }
    request_unref(request);
}

static void sleep_until(struct request *request, int64_t until_ms)
{
    if (until_ms == 0) {
        (void)sem_wait(&request->done); /* the caller looks at the state again */
        return;
    }
    struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
    (void)sem_clockwait(&request->done, CLOCK_MONOTONIC, &until); /* likewise */
}

static kw_status outcome(struct kw_op *op, const struct request *request)
{
    ENSURE(op, request->batch == KW_CODE_OK, request->batch, "%s", request->why);
    return request->status;
}

kw_status request_wait(struct kw_op *op, struct request *request)
{
    int64_t until_ms = op->deadline_ms;

    for (;;) {
        sleep_until(request, until_ms);
        if (atomic_load(&request->state) == REQUEST_DONE) {
            return outcome(op, request);
        }
        int64_t now_ms = os_clock_mono_ms();
        if (op->deadline_ms == 0 || now_ms < op->deadline_ms) {
            continue;
        }
        ENSURE(op, !step(request, REQUEST_QUEUED, REQUEST_LEFT), KW_E_TIMEOUT,
               "the deadline passed before its turn came");
        ENSURE(op,
               now_ms < op->deadline_ms + STORE_GRACE_MS ||
                   !step(request, REQUEST_RAN, REQUEST_LEFT),
               KW_E_UNSURE, "the commit did not end in time");
        until_ms = now_ms + RECHECK_MS;
    }
}

void request_queue_init(struct request_queue *queue)
{
    memset(queue, 0, sizeof(*queue));
    (void)pthread_mutex_init(&queue->lock, NULL); /* cannot fail on Linux */
    (void)pthread_cond_init(&queue->filled, NULL);
    queue->last = &queue->first;
}

void request_queue_done(struct request_queue *queue)
{
    (void)pthread_cond_destroy(&queue->filled); /* nobody waits */
    (void)pthread_mutex_destroy(&queue->lock);
}

static enum kw_code push(struct request_queue *queue, struct request *request)
{
    if (queue->closed) {
        return KW_E_UNAVAILABLE;
    }
    if (queue->n >= STORE_QUEUE_MAX) {
        return KW_E_LIMIT;
    }
    atomic_fetch_add(&request->refs, 1);
    *queue->last = request;
    queue->last = &request->next;
    queue->n++;
    if (queue->taker_sleeps) {
        queue->taker_sleeps = false;
        (void)pthread_cond_signal(&queue->filled);
    }
    return KW_CODE_OK;
}

kw_status request_queue_push(struct kw_op *op, struct request_queue *queue, struct request *request)
{
    (void)pthread_mutex_lock(&queue->lock); /* cannot fail */
    enum kw_code code = push(queue, request);
    (void)pthread_mutex_unlock(&queue->lock);
    ENSURE(op, code == KW_CODE_OK, code, "%s",
           code == KW_E_LIMIT ? "too many changes are waiting" : "the store is being closed");
    return KW_OK;
}

unsigned request_queue_take(struct request_queue *queue, unsigned max, struct request *ret[])
{
    unsigned n = 0;

    (void)pthread_mutex_lock(&queue->lock); /* cannot fail */
    while (!queue->first && !queue->closed) {
        queue->taker_sleeps = true;
        (void)pthread_cond_wait(&queue->filled, &queue->lock);
    }
    while (queue->first && n < max) {
        ret[n++] = queue->first;
        queue->first = queue->first->next;
    }
    if (!queue->first) {
        queue->last = &queue->first;
    }
    queue->n -= n;
    (void)pthread_mutex_unlock(&queue->lock);
    return n;
}

void request_queue_close(struct request_queue *queue)
{
    (void)pthread_mutex_lock(&queue->lock); /* cannot fail */
    queue->closed = true;
    (void)pthread_cond_signal(&queue->filled);
    (void)pthread_mutex_unlock(&queue->lock);
}
