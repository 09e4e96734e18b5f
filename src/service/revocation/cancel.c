/* Plans that go no further, or not now: cancelled or paused by an operator, or cut while they were
 * made. */
#include <inttypes.h>
#include <stdio.h>

#include "os/clock.h"
#include "service/revocation/revocation.h"

/* clang-format off */
/* From which states, and where to; `over` tells why not. */
static const struct step {
    const char *verb;
    unsigned from; /* bits */
    enum plan_state to;
    enum event_type event;
    const char *over;
} steps[] = {
    [REVOCATION_CANCEL] = {"cancel", ~(1U << PLAN_DONE | 1U << PLAN_ABANDONED), PLAN_ABANDONED,
                           EVENT_REVOKE_CANCEL, "is over already"},
    [REVOCATION_PAUSE]  = {"pause", 1U << PLAN_RUNNING | 1U << PLAN_REPLACING, PLAN_PAUSED,
                           EVENT_REVOKE_PAUSE, "does not run"},
    [REVOCATION_RESUME] = {"resume", 1U << PLAN_PAUSED, PLAN_RUNNING,
                           EVENT_REVOKE_RESUME, "is not paused"},
};
/* clang-format on */
_Static_assert(KW_COUNT(steps) == REVOCATION_STEP_MAX, "every step has a row");

struct stepping {
    struct service *service;
    const struct step *step;
    const char *reason;
    struct store_plan plan;
};

static kw_status take_step(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    struct stepping *it = ctx;
    struct store_plan *plan = &it->plan;
    struct event event = {.type = it->step->event};

    TRY(op, store_plan_get_txn(op, txn, plan->id, plan));
    ENSURE(op, it->step->from >> plan->state & 1, KW_E_STATE, "plan %lld %s", (long long)plan->id,
           it->step->over);
    plan->state = it->step->to;
    if (plan->state == PLAN_ABANDONED) {
        plan->ended_ms = os_clock_unix_ms();
    }
    TRY(op, store_plan_update(op, txn, plan));
    (void)snprintf(event.object, sizeof(event.object), "plan:%lld", (long long)plan->id);
    (void)snprintf(event.detail, sizeof(event.detail),
                   "%" PRIu64 " of %" PRIu64 " were done and stay so; reason: %.95s", plan->done,
                   plan->n, it->reason);
    return service_record(op, it->service, txn, &event);
}

kw_status revocation_step(struct kw_op *op, struct service *service, int64_t plan,
                          enum revocation_step step, const char *reason, struct store_plan *ret)
{
    struct stepping it = {
        .service = service, .step = &steps[step], .reason = reason, .plan = {.id = plan}};

    ENSURE(op, *reason, KW_E_INPUT, "a reason is missing: why '%s'?", it.step->verb);
    TRY(op, store_change(op, service->store, take_step, &it), "%s plan %lld", it.step->verb,
        (long long)plan);
    revoker_wake(service);
    *ret = it.plan;
    return KW_OK;
}

static kw_status abandon(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    struct store_plan *plan = ctx;

    plan->state = PLAN_ABANDONED;
    plan->ended_ms = os_clock_unix_ms();
    return store_plan_update(op, txn, plan);
}

kw_status revocation_sweep(struct kw_op *op, struct service *service)
{
    struct store_plan plan;
    int64_t after = 0;

    for (;;) {
        kw_status status = store_plan_next(op, service->store, after, 1U << PLAN_GATHERING, &plan);
        if (status.code == KW_E_NOT_FOUND) {
            kw_op_clear(op);
            return KW_OK;
        }
        TRY(op, status, "plans of revocation");
        after = plan.id;
        TRY(op, store_change(op, service->store, abandon, &plan), "plan %lld", (long long)after);
    }
}
