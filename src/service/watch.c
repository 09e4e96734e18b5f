#include "service/watch.h"

#include <stdio.h>
#include <stdlib.h>

#include "os/clock.h"
#include "os/worker.h"
#include "service/approvals/approvals.h"
#include "service/cmp/cmp.h"
#include "service/doctor/doctor.h"
#include "service/keys/data.h"
#include "service/keys/rotate.h"
#include "service/registration/requests.h"

enum {
    LOOK_EVERY_MS = 250,
    RECORD_DEADLINE_MS = 5000,
};

/* What is done at the start, and then again and again. */
enum watch_chore {
    WATCH_OWN_KEYS,
    WATCH_APPROVALS,
    WATCH_REQUESTS,
    WATCH_STEPS,
    WATCH_DATA_KEYS,
    WATCH_CMP,
    WATCH_CHORES
};

struct watch {
    struct service *service;
    /* The thread's: */
    unsigned restarts;            /* of the keeper, recorded so far */
    bool resumed;                 /* what was approved before the start */
    int64_t due_ms[WATCH_CHORES]; /* when each is done next */
    struct os_worker worker;
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
static kw_status own_keys(struct kw_op *op, struct watch *watch, bool *ret_more)
{
    (void)ret_more;
    return keys_settle(op, watch->service, os_clock_unix_s());
}

/* What was approved while nobody could do it, and what nobody approved in time. */
static kw_status approvals(struct kw_op *op, struct watch *watch, bool *ret_more)
{
    (void)ret_more;
    TRY(op, approval_sweep(op, watch->service, /* run= */ !watch->resumed));
    watch->resumed = true;
    return KW_OK;
}

/* Enrolments that nobody decided on in time. */
static kw_status requests(struct kw_op *op, struct watch *watch, bool *ret_more)
{
    (void)ret_more;
    return requests_sweep(op, watch->service);
}

/* What time, and people at the machine, did to the keys. */
static kw_status steps(struct kw_op *op, struct watch *watch, bool *ret_more)
{
    (void)ret_more;
    return record_own_steps(op, watch->service);
}

/* After a rotation of their key-encrypting key, data keys go under the new one. */
static kw_status data_keys(struct kw_op *op, struct watch *watch, bool *ret_more)
{
    return data_settle(op, watch->service, ret_more);
}

/* Certificates that nobody confirmed in time. */
static kw_status cmp(struct kw_op *op, struct watch *watch, bool *ret_more)
{
    (void)ret_more;
    return cmp_settle(op, watch->service, os_clock_unix_ms());
}

/* In milliseconds; a chore that has more to do is done again at the next look. */
static const struct {
    int64_t every, after_fault, deadline;
    kw_status (*run)(struct kw_op *op, struct watch *watch, bool *ret_more);
    const char *complaint; /* NULL: none */
} chores[WATCH_CHORES] = {
    /* clang-format off */
    [WATCH_OWN_KEYS]  = {10000, 10000, 30000, own_keys, "the server's own keys could not be renewed"},
    [WATCH_APPROVALS] = {5000, 5000, 30000, approvals, NULL},
    [WATCH_REQUESTS]  = {20000, 20000, 30000, requests, "requests that lapsed could not be ended"},
    [WATCH_STEPS]     = {5000, 30000, 30000, steps, "steps of keys could not be recorded"},
    [WATCH_DATA_KEYS] = {5000, 60000, 6000, data_keys, "data keys could not be rewrapped"},
    [WATCH_CMP]       = {2000, 2000, 30000, cmp, "transactions of CMP could not be ended"},
    /* clang-format on */
};

static void do_chore(struct watch *watch, enum watch_chore chore)
{
    int64_t now_ms = os_clock_mono_ms(), next_ms = chores[chore].every;
    bool more = false;
    struct kw_op op;

    if (now_ms < watch->due_ms[chore]) {
        return;
    }
    kw_op_init(&op, "system", now_ms + chores[chore].deadline);
    if (!kw_ok(chores[chore].run(&op, watch, &more))) {
        next_ms = chores[chore].after_fault;
        if (chores[chore].complaint) {
            service_complain(watch->service, &op, chores[chore].complaint);
        }
    } else if (more) {
        next_ms = 0;
    }
    watch->due_ms[chore] = now_ms + next_ms;
}

static void *run(void *ctx)
{
    struct watch *watch = ctx;

    while (os_worker_sleep(&watch->worker, LOOK_EVERY_MS, NULL)) {
        look(watch);
        for (unsigned i = 0; i < WATCH_CHORES; i++) {
            do_chore(watch, i);
        }
    }
    return NULL;
}

kw_status watch_start(struct kw_op *op, struct service *service, struct watch **ret)
{
    struct watch *watch = calloc(1, sizeof(*watch));

    ENSURE(op, watch, KW_E_MEMORY, "no memory for the watch");
    watch->service = service;
    kw_status status = os_worker_start(op, &watch->worker, run, watch, "the watch");
    if (!kw_ok(status)) {
        free(watch);
        return status;
    }
    *ret = watch;
    return KW_OK;
}

void watch_stop(struct watch *watch)
{
    if (watch) {
        os_worker_stop(&watch->worker);
        free(watch);
    }
}
