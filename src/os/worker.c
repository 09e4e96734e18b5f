#include "os/worker.h"

#include <time.h>

#include "os/clock.h"

static void release(struct os_worker *worker)
{
    (void)pthread_cond_destroy(&worker->wake);
    (void)pthread_mutex_destroy(&worker->lock);
}

kw_status os_worker_start(struct kw_op *op, struct os_worker *worker, void *(*run)(void *ctx),
                          void *ctx, const char *what)
{
    pthread_condattr_t monotonic;

    worker->asked = worker->stop = false;
    (void)pthread_mutex_init(&worker->lock, NULL); /* these cannot fail on Linux */
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&worker->wake, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    if (pthread_create(&worker->thread, NULL, run, ctx) != 0) {
        release(worker);
        return FAIL(op, KW_E_MEMORY, "no thread for %s", what);
    }
    return KW_OK;
}

void os_worker_stop(struct os_worker *worker)
{
    (void)pthread_mutex_lock(&worker->lock);
    worker->stop = true;
    (void)pthread_cond_signal(&worker->wake);
    (void)pthread_mutex_unlock(&worker->lock);
    (void)pthread_join(worker->thread, NULL); /* it has been started and is joined once */
    release(worker);
}

void os_worker_ask(struct os_worker *worker)
{
    (void)pthread_mutex_lock(&worker->lock);
    worker->asked = true;
    (void)pthread_cond_signal(&worker->wake);
    (void)pthread_mutex_unlock(&worker->lock);
}

bool os_worker_sleep(struct os_worker *worker, int64_t ms, bool *ret_asked)
{
    int64_t until_ns = os_clock_mono_ns() + ms * 1000000;
    struct timespec until = {.tv_sec = until_ns / 1000000000, .tv_nsec = until_ns % 1000000000};
    int timed_out = 0;

    (void)pthread_mutex_lock(&worker->lock);
    while (!worker->stop && !worker->asked && !timed_out) {
        timed_out = pthread_cond_timedwait(&worker->wake, &worker->lock, &until);
    }
    if (ret_asked) {
        *ret_asked = worker->asked;
    }
    worker->asked = false;
    bool go_on = !worker->stop;
    (void)pthread_mutex_unlock(&worker->lock);
    return go_on;
}

bool os_worker_goes_on(struct os_worker *worker)
{
    (void)pthread_mutex_lock(&worker->lock);
    bool go_on = !worker->stop;
    (void)pthread_mutex_unlock(&worker->lock);
    return go_on;
}
