#include "service/validation/crl_saver.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "os/clock.h"
#include "service/validation/shard.h"

enum {
    REST_MIN_MS = 5,
    REST_MAX_MS = 100,
    SAVE_DEADLINE_MS = 300000, /* 400 pieces, each with its rest, on a slow disk */
};

struct pending {
    struct pending *next;
    struct crl_doc *doc;
    char name[SHARD_NAME_MAX];
};

struct crl_saver {
    struct service *service;
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t work;
    struct pending *first;
    bool stop, running;
    pthread_t thread;
};

static void pending_free(struct pending *pending)
{
    if (pending) {
        crl_doc_unref(pending->doc);
        free(pending);
    }
}
KW_OWNED(pending, struct pending, pending_free)

/* --- keeping ---------------------------------------------------------------------------------- */

static int wait_until(struct crl_saver *saver, int64_t until_ms)
{
    struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};

    return pthread_cond_timedwait(&saver->work, &saver->lock, &until);
}

/* Between two pieces. At the end nobody else is left to wait for. */
static void rest(void *ctx, int64_t piece_ms)
{
    struct crl_saver *saver = ctx;
    int64_t ms = piece_ms < REST_MIN_MS ? REST_MIN_MS : piece_ms;
    int64_t until_ms = os_clock_mono_ms() + (ms > REST_MAX_MS ? REST_MAX_MS : ms);
    int timed_out = 0;

    (void)pthread_mutex_lock(&saver->lock);
    while (!saver->stop && !timed_out) {
        timed_out = wait_until(saver, until_ms);
    }
    (void)pthread_mutex_unlock(&saver->lock);
}

static void keep(struct crl_saver *saver, const struct pending *one)
{
    struct kw_op op;

    kw_op_init(&op, "system", os_clock_mono_ms() + SAVE_DEADLINE_MS);
    if (!kw_ok(crl_doc_save(&op, saver->service, one->name, one->doc, rest, saver))) {
        service_complain(saver->service, &op, "a revocation list could not be kept");
    }
}

/* The next one, taken out. NULL: the end, and nothing is left. */
static struct pending *take(struct crl_saver *saver)
{
    (void)pthread_mutex_lock(&saver->lock);
    while (!saver->first && !saver->stop) {
        (void)pthread_cond_wait(&saver->work, &saver->lock);
    }
    struct pending *one = saver->first;
    if (one) {
        saver->first = one->next;
    }
    (void)pthread_mutex_unlock(&saver->lock);
    return one;
}

static void *work(void *ctx)
{
    struct crl_saver *saver = ctx;

    for (;;) {
        AUTO(pending) *one = take(saver);
        if (!one) {
            return NULL;
        }
        keep(saver, one);
    }
}

/* In the place of one of the same name, else behind the others; the lock is held. */
static void enqueue(struct crl_saver *saver, struct pending *fresh)
{
    struct pending **at = &saver->first;

    while (*at && strcmp((*at)->name, fresh->name) != 0) {
        at = &(*at)->next;
    }
    struct pending *old = *at;
    fresh->next = old ? old->next : NULL;
    *at = fresh;
    pending_free(old);
}

void crl_saver_put(struct crl_saver *saver, const char *name, struct crl_doc *doc)
{
    struct pending *fresh = calloc(1, sizeof(*fresh));

    if (!fresh) {
        return;
    }
    fresh->doc = crl_doc_ref(doc);
    KW_TEXT_SET(fresh->name, name);
    (void)pthread_mutex_lock(&saver->lock);
    enqueue(saver, fresh);
    (void)pthread_cond_broadcast(&saver->work);
    (void)pthread_mutex_unlock(&saver->lock);
}

/* --- making ----------------------------------------------------------------------------------- */

kw_status crl_saver_new(struct kw_op *op, struct service *service, struct crl_saver **ret)
{
    struct crl_saver *saver = calloc(1, sizeof(*saver));
    pthread_condattr_t monotonic;

    ENSURE(op, saver, KW_E_MEMORY, "no memory for CRLs");
    saver->service = service;
    (void)pthread_mutex_init(&saver->lock, NULL); /* these cannot fail on Linux */
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&saver->work, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    *ret = saver;
    return KW_OK;
}

kw_status crl_saver_start(struct kw_op *op, struct crl_saver *saver)
{
    ENSURE(op, pthread_create(&saver->thread, NULL, work, saver) == 0, KW_E_MEMORY,
           "no thread for keeping CRLs");
    saver->running = true;
    return KW_OK;
}

void crl_saver_stop(struct crl_saver *saver)
{
    if (!saver->running) {
        return;
    }
    (void)pthread_mutex_lock(&saver->lock);
    saver->stop = true;
    (void)pthread_cond_broadcast(&saver->work);
    (void)pthread_mutex_unlock(&saver->lock);
    (void)pthread_join(saver->thread, NULL); /* it has been started and is joined once */
    saver->running = false;
}

void crl_saver_free(struct crl_saver *saver)
{
    if (!saver) {
        return;
    }
    for (struct pending *one = saver->first; one;) {
        struct pending *next = one->next;
        pending_free(one);
        one = next;
    }
    (void)pthread_cond_destroy(&saver->work);
    (void)pthread_mutex_destroy(&saver->lock);
    free(saver);
}
