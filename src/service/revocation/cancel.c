/* Plans that go no further: cancelled by an operator, or cut while they were made. */
#include <inttypes.h>
#include <stdio.h>

#include "os/clock.h"
#include "service/revocation/revocation.h"

struct cancelling {
    struct service *service;
    const char *reason;
    struct store_plan plan;
};

static kw_status cancel(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    struct cancelling *it = ctx;
    struct store_plan *plan = &it->plan;
    struct event event = {.type = EVENT_REVOKE_CANCEL};

    TRY(op, store_plan_get_txn(op, txn, plan->id, plan));
    ENSURE(op, plan->state != PLAN_DONE && plan->state != PLAN_ABANDONED, KW_E_STATE,
           "plan %lld is over already", (long long)plan->id);
    plan->state = PLAN_ABANDONED;
    plan->ended_ms = os_clock_unix_ms();
    TRY(op, store_plan_update(op, txn, plan));
    (void)snprintf(event.object, sizeof(event.object), "plan:%lld", (long long)plan->id);
    (void)snprintf(event.detail, sizeof(event.detail),
                   "%" PRIu64 " of %" PRIu64 " were done and stay so; reason: %.95s", plan->done,
                   plan->n, it->reason);
    return service_record(op, it->service, txn, &event);
}

kw_status revocation_cancel(struct kw_op *op, struct service *service, int64_t plan,
                            const char *reason, struct store_plan *ret)
{
    struct cancelling it = {.service = service, .reason = reason, .plan = {.id = plan}};

    ENSURE(op, *reason, KW_E_INPUT, "a reason is missing: why 'cancel'?");
    TRY(op, store_change(op, service->store, cancel, &it), "cancelling plan %lld", (long long)plan);
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
