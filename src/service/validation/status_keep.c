#include "service/validation/status_keep.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "os/clock.h"
#include "service/validation/crl_maker.h"

enum { RETRY_MS = 1000 };

struct status_keep {
    struct service *service;
    struct status_table *table;
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t wake;
    bool wanted; /* to be filled */
    bool stop, running;
    pthread_t thread;
};

struct status_table *status_keep_table(struct status_keep *keep)
{
    return keep->table;
}

/* --- filling ---------------------------------------------------------------------------------- */

static void want(struct status_keep *keep)
{
    (void)pthread_mutex_lock(&keep->lock);
    keep->wanted = true;
    (void)pthread_cond_signal(&keep->wake);
    (void)pthread_mutex_unlock(&keep->lock);
}

/* On the committer's thread. */
static void noticed(const struct store_notice at[], unsigned n, bool sure, void *ctx)
{
    struct status_keep *keep = ctx;

    if (sure) {
        status_table_notice(keep->table, at, n);
        crl_maker_notice(keep->service, at, n);
        return;
    }
    status_table_doubt(keep->table);
    crl_maker_doubt(keep->service);
    want(keep);
}

/* Wait until it is to be filled (or `ms` are over, after a failure). False at the end. */
static bool wait_for_work(struct status_keep *keep, unsigned ms)
{
    int64_t until_ns = os_clock_mono_ns() + (int64_t)ms * 1000000;
    struct timespec until = {.tv_sec = until_ns / 1000000000, .tv_nsec = until_ns % 1000000000};
    int timed_out = 0;

    (void)pthread_mutex_lock(&keep->lock);
    while (!keep->stop && (ms > 0 ? !timed_out : !keep->wanted)) {
        timed_out = ms > 0 ? pthread_cond_timedwait(&keep->wake, &keep->lock, &until)
                           : pthread_cond_wait(&keep->wake, &keep->lock);
    }
    keep->wanted = false;
    bool go_on = !keep->stop;
    (void)pthread_mutex_unlock(&keep->lock);
    return go_on;
}

static kw_status fill_once(struct status_keep *keep)
{
    struct kw_op op;

    kw_op_init(&op, "system", 0);
    kw_status status = status_table_fill(&op, keep->table, keep->service->store);
    if (!kw_ok(status)) {
        service_complain(keep->service, &op, "the status of certificates is not in memory");
    }
    return status;
}

static void *work(void *ctx)
{
    struct status_keep *keep = ctx;

    while (wait_for_work(keep, 0)) {
        while (!kw_ok(fill_once(keep)) && wait_for_work(keep, RETRY_MS)) {
        }
    }
    return NULL;
}

/* --- making ----------------------------------------------------------------------------------- */

kw_status status_keep_new(struct kw_op *op, struct service *service, struct status_keep **ret)
{
    struct status_keep *keep = calloc(1, sizeof(*keep));
    pthread_condattr_t monotonic;

    ENSURE(op, keep, KW_E_MEMORY, "no memory for the status of certificates");
    keep->service = service;
    (void)pthread_mutex_init(&keep->lock, NULL); /* these cannot fail on Linux */
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&keep->wake, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    *ret = keep;
    return status_table_new(op, &keep->table);
}

void status_keep_hooks(struct status_keep *keep, struct store_config *config)
{
    config->noticed = noticed;
    config->noticed_ctx = keep;
}

kw_status status_keep_start(struct kw_op *op, struct status_keep *keep)
{
    keep->wanted = true;
    ENSURE(op, pthread_create(&keep->thread, NULL, work, keep) == 0, KW_E_MEMORY,
           "no thread for the status of certificates");
    keep->running = true;
    return KW_OK;
}

void status_keep_stop(struct status_keep *keep)
{
    if (!keep || !keep->running) {
        return;
    }
    (void)pthread_mutex_lock(&keep->lock);
    keep->stop = true;
    (void)pthread_cond_signal(&keep->wake);
    (void)pthread_mutex_unlock(&keep->lock);
    (void)pthread_join(keep->thread, NULL); /* it has been started and is joined once */
    keep->running = false;
}

void status_keep_free(struct status_keep *keep)
{
    if (!keep) {
        return;
    }
    (void)pthread_cond_destroy(&keep->wake);
    (void)pthread_mutex_destroy(&keep->lock);
    status_table_free(keep->table);
    free(keep);
}

/* --- asking ----------------------------------------------------------------------------------- */

kw_status status_ask(struct kw_op *op, struct service *service, const char *ca,
                     struct kw_span serial, struct status_standing *ret)
{
    struct store_cert_status found;

    if (status_table_find(service->status->table, ca, serial, ret)) {
        return KW_OK;
    }
    TRY(op, store_cert_status(op, service->store, ca, serial, &found));
    *ret = (struct status_standing){found.state, found.revoked_s, found.reason};
    return KW_OK;
}

kw_status status_ask_all(struct kw_op *op, struct service *service, const char *ca,
                         const struct cert *cert, struct store_cert_status *ret)
{
    struct kw_span serial = cert_serial(cert);

    if (!status_table_find_all(service->status->table, ca, serial, ret)) {
        TRY(op, store_cert_status(op, service->store, ca, serial, ret));
    }
    ret->not_before = cert_not_before(cert);
    ret->not_after = cert_not_after(cert);
    return KW_OK;
}
