/* Starting a plan: by an operator, after people's approval, and by a device's renewal. */
#include <inttypes.h>
#include <stdio.h>

#include "base/hex.h"
#include "base/reader.h"
#include "base/writer.h"
#include "model/object.h"
#include "os/clock.h"
#include "service/authority/revoke.h"
#include "service/revocation/revocation.h"

bool revocation_needs_approval(const struct service *service, const struct store_plan *plan)
{
    const struct config *config = &service->config;
    bool compromise = plan->reason == REVOKE_KEY_COMPROMISE ||
                      plan->reason == REVOKE_CA_COMPROMISE || plan->reason == REVOKE_AA_COMPROMISE;

    return plan->n > config->revoke_approval_above ||
           (compromise && config->revoke_approval_compromise);
}

/* What people sign: exactly which certificates, by the digest. */
static struct approval_subject subject_of(const struct store_plan *plan)
{
    struct approval_subject subject =
        approval_subject_of(APPROVE_REVOKE_PLAN, KEY_CLASS_NONE, NULL);

    approval_detail(&subject, "plan", "%lld", (long long)plan->id);
    approval_detail(&subject, "certificates", "%" PRIu64, plan->n);
    approval_detail(&subject, "selection", "%.120s", plan->selection);
    approval_detail(&subject, "reason", "%s", revoke_reason_text(plan->reason));
    approval_detail(&subject, "renew-first", "%s", plan->replace_first ? "yes" : "no");
    approval_detail_hex(&subject, "digest", KW_SPAN_ARRAY(plan->digest));
    return subject;
}

struct starting {
    struct service *service;
    struct store_plan plan;
    const char *by;
};

static kw_status start(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    struct starting *it = ctx;
    struct store_plan *plan = &it->plan;
    struct event event = {.type = EVENT_REVOKE_RUN};
    char digest[2 * KW_HASH_BYTES + 1];

    TRY(op, store_plan_get_txn(op, txn, plan->id, plan));
    if (plan->state != PLAN_READY) {
        return KW_OK; /* it runs, or ran, already */
    }
    plan->state = PLAN_RUNNING;
    plan->started_ms = os_clock_unix_ms();
    KW_TEXT_SET(plan->started_by, it->by);
    TRY(op, store_plan_update(op, txn, plan));
    (void)snprintf(event.object, sizeof(event.object), "plan:%lld", (long long)plan->id);
    (void)snprintf(event.detail, sizeof(event.detail), "%" PRIu64 " certificates, digest %s",
                   plan->n, kw_hex(KW_SPAN_ARRAY(plan->digest), digest, sizeof(digest)));
    return service_record(op, it->service, txn, &event);
}

static kw_status start_now(struct kw_op *op, struct service *service, int64_t plan, const char *by,
                           struct store_plan *ret)
{
    struct starting it = {.service = service, .plan = {.id = plan}, .by = by};

    TRY(op, store_change(op, service->store, start, &it), "starting plan %lld", (long long)plan);
    revoker_wake(service);
    *ret = it.plan;
    return KW_OK;
}

static kw_status ask(struct kw_op *op, struct service *service, const struct store_plan *plan,
                     struct keeper_approval *pending)
{
    struct approval_subject subject = subject_of(plan);
    uint8_t octets[8];
    struct kw_out args = KW_OUT_ARRAY(octets);
    struct kw_writer w = kw_writer_of(&args);

    kw_writer_u64(&w, (uint64_t)plan->id);
    TRY(op, kw_writer_end(&w), "the plan's number");
    TRY(op, approval_ask_in(op, service, service->keeper, &subject, kw_out_span(&args), pending));
    return FAIL(op, KW_E_APPROVAL, "plan %lld needs approval", (long long)plan->id);
}

static kw_status check_not_over(struct kw_op *op, const struct store_plan *plan)
{
    ENSURE(op, plan->state != PLAN_GATHERING && plan->state != PLAN_ABANDONED, KW_E_STATE,
           "plan %lld was cancelled, or never whole; make another", (long long)plan->id);
    return KW_OK;
}

kw_status revocation_start(struct kw_op *op, struct service *service, int64_t plan,
                           uint64_t approval_id, struct keeper_approval *pending,
                           struct store_plan *ret)
{
    TRY(op, store_plan_get(op, service->store, plan, ret));
    TRY(op, check_not_over(op, ret));
    if (ret->state != PLAN_READY) {
        return KW_OK;
    }
    if (revocation_needs_approval(service, ret)) {
        struct approval_subject subject = subject_of(ret);
        if (approval_id == 0) {
            return ask(op, service, ret, pending);
        }
        TRY(op, keeper_approval_use(op, service->keeper, &subject, approval_local(approval_id)),
            "plan %lld", (long long)plan);
    }
    return start_now(op, service, plan, op->principal, ret);
}

/*
 * The keeper verifies the approvals and uses them up; where the server ended behind that, the
 * request is consumed and the plan not started: it is asked for again.
 */
kw_status revocation_execute(struct kw_op *op, struct service *service,
                             const struct keeper_approval *approval, struct kw_span args)
{
    struct kw_reader r = kw_reader_of(args);
    struct store_plan plan;
    char by[KW_NAME_MAX];

    int64_t id = (int64_t)kw_reader_u64(&r);
    ENSURE(op, kw_ok(kw_reader_end(&r)), KW_E_INTEGRITY, "what was asked for is damaged");
    TRY(op, store_plan_get(op, service->store, id, &plan));
    TRY(op, check_not_over(op, &plan));
    struct approval_subject subject = subject_of(&plan);
    TRY(op, keeper_approval_use(op, service->keeper, &subject, approval->what.id), "plan %lld",
        (long long)id);
    object_write(OBJECT_OPERATOR, approval->what.requester, by);
    return start_now(op, service, id, by, &plan);
}

kw_status revocation_get(struct kw_op *op, struct service *service, int64_t plan,
                         struct store_plan *ret, uint64_t *ret_waiting)
{
    TRY(op, store_plan_get(op, service->store, plan, ret));
    return store_renew_count(op, service->store, plan, ret_waiting);
}

/* --- renewal first ---------------------------------------------------------------------------- */

enum { OWN_MAX = 32 };

struct replaced {
    struct service *service;
    const char *device;
    struct store_plan plan;
    int64_t rows[OWN_MAX];
    unsigned n;
    int64_t new_row;
    bool is_new; /* the device uses a certificate that is not of the plan */
};

static kw_status revoke_replaced(struct kw_op *op, struct store_txn *txn, struct replaced *it,
                                 int64_t row)
{
    struct store_cert_brief cert;
    bool meant = false;

    TRY(op, store_plan_has_txn(op, txn, it->plan.id, row, &meant));
    if (!meant) {
        return KW_OK;
    }
    TRY(op, store_cert_brief_txn(op, txn, row, &cert));
    if (cert.state == CERT_STATE_REVOKED) {
        return KW_OK;
    }
    const struct authority_deed deed = {.next = CERT_STATE_REVOKED,
                                        .reason = it->plan.reason,
                                        .now_ms = os_clock_unix_ms(),
                                        .plan = it->plan.id};
    TRY(op, authority_do(op, it->service, txn, &cert, &deed));
    it->plan.done++;
    return KW_OK;
}

static kw_status finish_replacement(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    struct replaced *it = ctx;
    bool of_plan = false;

    TRY(op, store_plan_get_txn(op, txn, it->plan.id, &it->plan));
    if (it->plan.state == PLAN_ABANDONED) { /* cancelled: the device need not renew for it */
        it->is_new = true;
        return store_renew_ask(op, txn, it->device, 0);
    }
    if (it->plan.state == PLAN_PAUSED) { /* not now */
        it->is_new = true;
        return KW_OK;
    }
    TRY(op, store_plan_has_txn(op, txn, it->plan.id, it->new_row, &of_plan));
    it->is_new = !of_plan;
    if (of_plan) {
        return KW_OK;
    }
    for (unsigned i = 0; i < it->n; i++) {
        TRY(op, revoke_replaced(op, txn, it, it->rows[i]));
    }
    TRY(op, store_renew_ask(op, txn, it->device, 0));
    return store_plan_update(op, txn, &it->plan);
}

static kw_status own_rows(struct kw_op *op, struct service *service, const char *device,
                          struct replaced *it)
{
    char owner[KW_NAME_MAX];
    struct store_cert_filter filter = {.owner = owner};
    struct store_cert cert;
    unsigned n = 0;

    object_write(OBJECT_DEVICE, device, owner);
    while (it->n < OWN_MAX) {
        TRY(op, store_cert_list(op, service->store, &filter, 1, &cert, &n));
        if (n == 0) {
            return KW_OK;
        }
        filter.after_row = cert.row;
        if (cert.state != CERT_STATE_REVOKED) {
            it->rows[it->n++] = cert.row;
        }
    }
    return KW_OK;
}

kw_status revocation_hello(struct kw_op *op, struct service *service,
                           const struct store_device *device, const struct cert *cert,
                           bool *ret_renew)
{
    struct store_cert shown;
    struct replaced it = {
        .service = service, .device = device->id, .plan = {.id = device->renew_plan}};

    *ret_renew = false;
    if (device->renew_plan == 0) {
        return KW_OK;
    }
    TRY(op, store_cert_by_fingerprint(op, service->store, cert_sha256(cert), &shown));
    it.new_row = shown.row;
    TRY(op, own_rows(op, service, device->id, &it));
    TRY(op, store_change(op, service->store, finish_replacement, &it), "plan %lld",
        (long long)device->renew_plan);
    *ret_renew = !it.is_new;
    if (it.is_new) {
        revoker_wake(service);
    }
    return KW_OK;
}
