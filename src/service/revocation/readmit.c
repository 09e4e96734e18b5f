/* The way back for the devices of a plan that should not have been run: piece by piece, each piece
 * one change of the store, so that it may be cut anywhere and asked for again. */
#include <stdio.h>

#include "model/object.h"
#include "service/revocation/revocation.h"

struct readmitting {
    struct service *service;
    const char *reason;
    bool dry_run;
    struct store_plan plan;
    int64_t rows[REVOCATION_PIECE];
    unsigned n;
    struct revocation_readmitted *ret;
};

static bool is_of_run(const struct store_plan *plan, const struct store_plan_bar *bar)
{
    return bar->by_it && bar->reason == plan->reason && bar->since_ms >= plan->started_ms &&
           (plan->ended_ms == 0 || bar->since_ms <= plan->ended_ms);
}

/* The first that is so; readmitted where none is. */
static enum revocation_readmission judge(const struct store_plan *plan,
                                         const struct store_plan_bar *bar)
{
    const struct {
        bool is;
        enum revocation_readmission what;
    } rules[] = {
        {bar->state == DEVICE_RETIRED, REVOCATION_RETIRED},
        {bar->since_ms == 0, REVOCATION_AS_IT_IS},
        {!is_of_run(plan, bar), REVOCATION_OTHER_BAR},
        {bar->others, REVOCATION_MORE},
    };

    for (unsigned i = 0; i < KW_COUNT(rules); i++) {
        if (rules[i].is) {
            return rules[i].what;
        }
    }
    return REVOCATION_READMITTED;
}

static kw_status unbar(struct kw_op *op, struct store_txn *txn, const struct readmitting *it,
                       const char *owner)
{
    struct event event = {.type = EVENT_DEVICE_READMIT};

    TRY(op, store_device_unbar(op, txn, owner));
    KW_TEXT_SET(event.object, owner);
    (void)snprintf(event.detail, sizeof(event.detail), "plan %lld: %.95s", (long long)it->plan.id,
                   it->reason);
    return service_record(op, it->service, txn, &event);
}

static kw_status readmit_one(struct kw_op *op, struct store_txn *txn, struct readmitting *it,
                             int64_t row)
{
    struct revocation_readmitted *ret = it->ret;
    struct store_plan_bar bar;

    TRY(op, store_plan_bar_txn(op, txn, it->plan.id, row, &bar));
    if (!*bar.owner || bar.seen) {
        return KW_OK;
    }
    enum revocation_readmission what = judge(&it->plan, &bar);
    ret->n[what]++;
    if (what == REVOCATION_READMITTED) {
        return it->dry_run ? KW_OK : unbar(op, txn, it, bar.owner);
    }
    if (what != REVOCATION_AS_IT_IS) {
        struct revocation_left *left = &ret->left[ret->n_left++];
        left->why = what;
        KW_TEXT_SET(left->device, object_name(OBJECT_DEVICE, bar.owner));
    }
    return KW_OK;
}

static kw_status readmit_piece(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    struct readmitting *it = ctx;

    memset(it->ret, 0, sizeof(*it->ret)); /* a change may be run again */
    TRY(op, store_plan_get_txn(op, txn, it->plan.id, &it->plan));
    ENSURE(op, !it->plan.hold, KW_E_STATE,
           "plan %lld holds; 'keywright cert release' ends a hold, and 'device resume'",
           (long long)it->plan.id);
    ENSURE(op, it->plan.state == PLAN_DONE || it->plan.state == PLAN_ABANDONED, KW_E_STATE,
           "plan %lld is not over; end it first: keywright revoke cancel %lld",
           (long long)it->plan.id, (long long)it->plan.id);
    for (unsigned i = 0; i < it->n; i++) {
        TRY(op, readmit_one(op, txn, it, it->rows[i]));
    }
    return KW_OK;
}

kw_status revocation_readmit(struct kw_op *op, struct service *service, int64_t plan, int64_t after,
                             const char *reason, bool dry_run, struct revocation_readmitted *ret)
{
    struct readmitting it = {
        .service = service, .reason = reason, .dry_run = dry_run, .plan = {.id = plan}, .ret = ret};

    ENSURE(op, *reason, KW_E_INPUT, "a reason is missing: why are they let in again?");
    TRY(op, store_plan_rows(op, service->store, plan, after, REVOCATION_PIECE, it.rows, &it.n));
    TRY(op, store_change(op, service->store, readmit_piece, &it),
        "readmitting devices of plan %lld", (long long)plan);
    ret->after = it.n == REVOCATION_PIECE ? it.rows[it.n - 1] : 0;
    return KW_OK;
}
