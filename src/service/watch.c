#include "service/watch.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "os/clock.h"
#include "service/approvals/approvals.h"
#include "service/cmp/cmp.h"
#include "service/doctor/doctor.h"
#include "service/keys/data.h"
#include "service/keys/rotate.h"
#include "service/registration/requests.h"

enum {
    LOOK_EVERY_MS = 250,
    RECORD_DEADLINE_MS = 5000,
    RENEW_EVERY_MS = 10000,
    STEPS_EVERY_MS = 30000,
    APPROVALS_EVERY_MS = 5000,
    REQUESTS_EVERY_MS = 20000,
    RENEW_DEADLINE_MS = 30000,
    DATA_EVERY_MS = 5000,
    CMP_EVERY_MS = 2000,
    DATA_DEADLINE_MS = 6000,     /* the rest goes on at the next look */
    DATA_AFTER_FAULT_MS = 60000, /* what is refused now will not be taken at once */
};

struct watch {
    struct service *service;
    unsigned restarts;    /* of the keeper, recorded so far; the thread's */
    int64_t approvals_ms; /* when it last looked at requests for approval; the thread's */
    int64_t requests_ms;  /* when it last looked at enrolments that wait; the thread's */
    bool resumed;         /* what was approved before the start; the thread's */
    int64_t renewed_ms;   /* when it last looked at the server's own certificates; the thread's */
    int64_t cmp_ms;       /* when it last looked at transactions of CMP; the thread's */
    int64_t data_ms;      /* when it looks at data keys again; the thread's */
    int64_t steps_ms; /* when it last looked at what the keepers did by themselves; the thread's */
    pthread_mutex_t lock;
    pthread_cond_t ending;
    bool stop; /* under lock */
    pthread_t thread;
};

static void look(struct watch *watch)
{
    unsigned restarts = service_keeper_restarts(watch->service);
    struct event event = {.type = EVENT_KEEPER_LOST, .object = "keeper", .result = "unavailable"};
    struct kw_op op;

    if (restarts == watch->restarts) {
        return;
    }
    (void)snprintf(event.detail, sizeof(event.detail),
                   "the keeper ended and was started anew, %u times since the start", restarts);
    kw_op_init(&op, "system", os_clock_mono_ms() + RECORD_DEADLINE_MS);
    if (kw_ok(service_record_alone(&op, watch->service, &event))) {
        watch->restarts = restarts;
    } else {
        service_complain(watch->service, &op, "the loss of the keeper could not be recorded");
    }
}

/* A renewal that fails is tried again: a third of the period is left for it. */
static void renew(struct watch *watch)
{
    int64_t now_ms = os_clock_mono_ms();
    struct kw_op op;

    if (now_ms - watch->renewed_ms < RENEW_EVERY_MS) {
        return;
    }
    watch->renewed_ms = now_ms;
    kw_op_init(&op, "system", now_ms + RENEW_DEADLINE_MS);
    if (!kw_ok(keys_settle(&op, watch->service, os_clock_unix_s()))) {
        service_complain(watch->service, &op, "the server's own keys could not be renewed");
    }
}

/* After a rotation of their key-encrypting key, data keys go under the new one. */
static void rewrap(struct watch *watch)
{
    int64_t now_ms = os_clock_mono_ms();
    bool more = false;
    struct kw_op op;

    if (now_ms < watch->data_ms) {
        return;
    }
    kw_op_init(&op, "system", now_ms + DATA_DEADLINE_MS);
    kw_status status = data_settle(&op, watch->service, &more);
    if (!kw_ok(status)) {
        service_complain(watch->service, &op, "data keys could not be rewrapped");
    }
    watch->data_ms = now_ms + (!kw_ok(status) ? DATA_AFTER_FAULT_MS : more ? 0 : DATA_EVERY_MS);
}

/* Sleep for a while. False at the end. */
static bool sleep_on(struct watch *watch)
{
    int64_t until_ns = os_clock_mono_ns() + (int64_t)LOOK_EVERY_MS * 1000000;
    struct timespec until = {.tv_sec = until_ns / 1000000000, .tv_nsec = until_ns % 1000000000};

    pthread_mutex_lock(&watch->lock);
    while (!watch->stop && pthread_cond_timedwait(&watch->ending, &watch->lock, &until) == 0) {
    }
    bool go_on = !watch->stop;
    pthread_mutex_unlock(&watch->lock);
    return go_on;
}

/* What was approved while nobody could do it, and what nobody approved in time. */
static void look_at_approvals(struct watch *watch)
{
    int64_t now_ms = os_clock_mono_ms();
    struct kw_op op;

    if (now_ms - watch->approvals_ms < APPROVALS_EVERY_MS) {
        return;
    }
    watch->approvals_ms = now_ms;
    kw_op_init(&op, "system", now_ms + RENEW_DEADLINE_MS);
    if (kw_ok(approval_sweep(&op, watch->service, /* run= */ !watch->resumed))) {
        watch->resumed = true;
    }
}

/* Enrolments that nobody decided on in time. */
static void look_at_requests(struct watch *watch)
{
    int64_t now_ms = os_clock_mono_ms();
    struct kw_op op;

    if (now_ms - watch->requests_ms < REQUESTS_EVERY_MS) {
        return;
    }
    watch->requests_ms = now_ms;
    kw_op_init(&op, "system", now_ms + RENEW_DEADLINE_MS);
    if (!kw_ok(requests_sweep(&op, watch->service))) {
        service_complain(watch->service, &op, "requests that lapsed could not be ended");
    }
}

/* What time did to the keys. */
static void look_at_steps(struct watch *watch)
{
    int64_t now_ms = os_clock_mono_ms();
    struct kw_op op;

    if (now_ms - watch->steps_ms < STEPS_EVERY_MS) {
        return;
    }
    watch->steps_ms = now_ms;
    kw_op_init(&op, "system", now_ms + RENEW_DEADLINE_MS);
    if (!kw_ok(record_own_steps(&op, watch->service))) {
        service_complain(watch->service, &op, "steps of keys could not be recorded");
    }
}

/* Certificates that nobody confirmed in time. */
static void look_at_cmp(struct watch *watch)
{
    int64_t now_ms = os_clock_mono_ms();
    struct kw_op op;

    if (now_ms - watch->cmp_ms < CMP_EVERY_MS) {
        return;
    }
    watch->cmp_ms = now_ms;
    kw_op_init(&op, "system", now_ms + RENEW_DEADLINE_MS);
    if (!kw_ok(cmp_settle(&op, watch->service, os_clock_unix_ms()))) {
        service_complain(watch->service, &op, "transactions of CMP could not be ended");
    }
}

static void *run(void *ctx)
{
    while (sleep_on(ctx)) {
        look(ctx);
        renew(ctx);
        look_at_approvals(ctx);
        look_at_requests(ctx);
        look_at_steps(ctx);
        rewrap(ctx);
        look_at_cmp(ctx);
    }
    return NULL;
}

static void release(struct watch *watch)
{
    pthread_cond_destroy(&watch->ending);
    pthread_mutex_destroy(&watch->lock);
    free(watch);
}

kw_status watch_start(struct kw_op *op, struct service *service, struct watch **ret)
{
    struct watch *watch = calloc(1, sizeof(*watch));
    pthread_condattr_t monotonic;

    ENSURE(op, watch, KW_E_MEMORY, "no memory for the watch");
    watch->service = service;
    watch->renewed_ms = os_clock_mono_ms() - RENEW_EVERY_MS;
    watch->approvals_ms = os_clock_mono_ms() - APPROVALS_EVERY_MS; /* at once, after a restart */
    pthread_mutex_init(&watch->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&watch->ending, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (pthread_create(&watch->thread, NULL, run, watch) != 0) {
        release(watch);
        return FAIL(op, KW_E_MEMORY, "no thread for the watch");
    }
    *ret = watch;
    return KW_OK;
}

void watch_stop(struct watch *watch)
{
    if (!watch) {
        return;
    }
    pthread_mutex_lock(&watch->lock);
    watch->stop = true;
    pthread_cond_signal(&watch->ending);
    pthread_mutex_unlock(&watch->lock);
    pthread_join(watch->thread, NULL);
    release(watch);
}
