#include "os/queue.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

struct job {
    void (*run)(void *ctx);
    void *ctx;
};

struct os_pool {
    pthread_mutex_t lock; /* guards all below but threads, which only the owner touches */
    pthread_cond_t work;  /* a job was queued, or stopping was set */
    struct job *ring;     /* max_waiting places */
    unsigned max_waiting;
    unsigned first; /* of the waiting jobs */
    unsigned n_waiting;
    bool stopping;
    unsigned n_threads; /* started so far */
    pthread_t threads[];
};

enum { THREAD_NAME_CAP = 16 }; /* pthread_setname_np(3) */

/* Wait for a job; false where none will ever come. */
static bool take_job(struct os_pool *pool, struct job *job)
{
    (void)pthread_mutex_lock(&pool->lock); /* fails only on a broken mutex */
    while (pool->n_waiting == 0 && !pool->stopping) {
        (void)pthread_cond_wait(&pool->work, &pool->lock);
    }
    bool taken = pool->n_waiting > 0;
    if (taken) {
        *job = pool->ring[pool->first];
        pool->first = (pool->first + 1) % pool->max_waiting;
        pool->n_waiting--;
    }
    (void)pthread_mutex_unlock(&pool->lock);
    return taken;
}

static void *run_jobs(void *ctx)
{
    struct job job;

    while (take_job(ctx, &job)) {
        job.run(job.ctx);
    }
    return NULL;
}

static kw_status start_threads(struct kw_op *op, struct os_pool *pool, const char *name, unsigned n)
{
    sigset_t all;
    sigset_t before;
    int error = 0;

    /* Signals belong to the main thread; threads inherit the mask of their maker. */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    while (pool->n_threads < n && error == 0) {
        pthread_t *thread = &pool->threads[pool->n_threads];
        error = pthread_create(thread, NULL, run_jobs, pool);
        if (error == 0) {
            char text[THREAD_NAME_CAP];
            (void)snprintf(text, sizeof(text), "%.11s-%u", name, pool->n_threads % 1000);
            (void)pthread_setname_np(*thread, text); /* only a help for ps and gdb */
            pool->n_threads++;
        }
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    ENSURE(op, error == 0, KW_E_LIMIT, "cannot start thread %u of %u of pool '%s': %s",
           pool->n_threads + 1, n, name, strerror(error));
    return KW_OK;
}

kw_status os_pool_new(struct kw_op *op, const char *name, unsigned n_threads, unsigned max_waiting,
                      struct os_pool **ret)
{
    ENSURE(op, n_threads > 0 && n_threads <= KW_POOL_THREADS_MAX, KW_E_INPUT,
           "pool '%s': %u threads, 1 to %d are possible", name, n_threads, KW_POOL_THREADS_MAX);
    ENSURE(op, max_waiting > 0 && max_waiting <= KW_POOL_WAITING_MAX, KW_E_INPUT,
           "pool '%s': %u waiting jobs, 1 to %d are possible", name, max_waiting,
           KW_POOL_WAITING_MAX);

    struct os_pool *made = calloc(1, sizeof(*made) + n_threads * sizeof(made->threads[0]));
    ENSURE(op, made, KW_E_MEMORY, "pool '%s'", name);
    (void)pthread_mutex_init(&made->lock, NULL); /* cannot fail with default attributes on Linux */
    (void)pthread_cond_init(&made->work, NULL);
    made->max_waiting = max_waiting;

    AUTO(os_pool) *pool = made;
    pool->ring = calloc(max_waiting, sizeof(pool->ring[0]));
    ENSURE(op, pool->ring, KW_E_MEMORY, "pool '%s': room for %u jobs", name, max_waiting);
    TRY(op, start_threads(op, pool, name, n_threads));
    *ret = TAKE(pool);
    return KW_OK;
}

/* Lock held. */
static kw_status put_job(struct os_pool *pool, struct job job)
{
    if (pool->stopping) {
        return KW_FAIL(KW_E_UNAVAILABLE);
    }
    if (pool->n_waiting == pool->max_waiting) {
        return KW_FAIL(KW_E_LIMIT);
    }
    pool->ring[(pool->first + pool->n_waiting) % pool->max_waiting] = job;
    pool->n_waiting++;
    return KW_OK;
}

kw_status os_pool_submit(struct os_pool *pool, void (*job)(void *ctx), void *ctx)
{
    (void)pthread_mutex_lock(&pool->lock);
    kw_status status = put_job(pool, (struct job){job, ctx});
    (void)pthread_mutex_unlock(&pool->lock);
    if (kw_ok(status)) {
        (void)pthread_cond_signal(&pool->work); /* who is woken finds the lock free */
    }
    return status;
}

void os_pool_free(struct os_pool *pool)
{
    if (!pool) {
        return;
    }
    (void)pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    (void)pthread_cond_broadcast(&pool->work);
    (void)pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->n_threads; i++) {
        (void)pthread_join(pool->threads[i], NULL); /* ours, joinable, joined once */
    }
    (void)pthread_cond_destroy(&pool->work);
    (void)pthread_mutex_destroy(&pool->lock);
    free(pool->ring);
    free(pool);
}
