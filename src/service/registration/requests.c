#include "service/registration/requests.h"

#include <stdio.h>

#include "base/hex.h"
#include "base/time.h"
#include "crypto/digest.h"
#include "crypto/dn.h"
#include "model/object.h"
#include "os/clock.h"
#include "service/quality/quality.h"

enum { HOUR_MS = 3600000, SWEEP_MAX = 32 };

struct decision {
    struct service *service;
    struct store_ra_request *request;
    const char *reason;
    enum ra_event event;
    int64_t now_ms;
};

static const enum event_type recorded_as[RA_EVENT_MAX] = {
    [RA_OPEN] = EVENT_REQUEST_OPEN,     [RA_APPROVE] = EVENT_REQUEST_APPROVE,
    [RA_REFUSE] = EVENT_REQUEST_REFUSE, [RA_ISSUE] = EVENT_REQUEST_ISSUE,
    [RA_LAPSE] = EVENT_REQUEST_LAPSE,
};

static bool needs_officer(const struct profile *profile)
{
    return strcmp(profile->approval, "officer") == 0;
}

static bool is_over(const struct store_ra_request *request, int64_t now_ms)
{
    return ra_state_open(request->state) && request->lapses_ms < now_ms;
}

static kw_status record(struct kw_op *op, struct store_txn *txn, const struct decision *it)
{
    const struct store_ra_request *request = it->request;
    struct event event = {.type = recorded_as[it->event]};
    char key[2 * KW_HASH_BYTES + 1];

    kw_hex(KW_SPAN_ARRAY(request->key), key, sizeof(key));
    (void)snprintf(event.object, sizeof(event.object), "request:%lld", (long long)request->id);
    (void)snprintf(event.detail, sizeof(event.detail), "%.80s for %.95s, key %s%s%.95s%s%.160s",
                   request->profile, request->owner, key, *request->via ? ", asked by " : "",
                   request->via, *request->reason ? ": " : "", request->reason);
    return service_record(op, it->service, txn, &event);
}

/* The one place where a request's state changes. */
static kw_status step(struct kw_op *op, struct store_txn *txn, const struct decision *it)
{
    struct store_ra_request *request = it->request;
    enum ra_state before = request->state;

    kw_status status = ra_step(before, it->event, &request->state);
    ENSURE(op, kw_ok(status), KW_E_STATE, "request %lld is %s", (long long)request->id,
           ra_state_text(before));
    if (it->event == RA_APPROVE) {
        request->lapses_ms = it->now_ms + (int64_t)REQUESTS_LAPSE_HOURS * HOUR_MS;
    }
    TRY(op, store_ra_request_update(op, txn, request));
    return record(op, txn, it);
}

/* --- asking ----------------------------------------------------------------------------------- */

struct asking {
    struct service *service;
    struct store_ra_request *request; /* as it would be made */
    int64_t now_ms;
};

static kw_status describe(struct kw_op *op, const struct profile *profile, const char *owner,
                          const struct enrol_request *asked, const struct enrol_asker *asker,
                          struct asking *it)
{
    struct store_ra_request *request = it->request;

    memset(request, 0, offsetof(struct store_ra_request, csr));
    KW_TEXT_SET(request->owner, owner);
    KW_TEXT_SET(request->profile, profile->name);
    KW_TEXT_SET(request->via, asker->via ? asker->via : "");
    memcpy(request->sha256, asked->sha256, KW_HASH_BYTES);
    memcpy(request->key, pubkey_id(asked->key), KW_HASH_BYTES);
    if (asked->subject.len > 0) {
        dn_text(asked->subject, request->subject, sizeof(request->subject));
    }
    ENSURE(op, asked->csr.len <= sizeof(request->csr), KW_E_TOO_LARGE, "a request of %zu octets",
           asked->csr.len);
    if (asked->csr.len > 0) {
        memcpy(request->csr, asked->csr.p, asked->csr.len);
    }
    request->csr_len = (uint32_t)asked->csr.len;
    request->opened_ms = it->now_ms;
    request->lapses_ms = it->now_ms + (int64_t)REQUESTS_LAPSE_HOURS * HOUR_MS;
    return KW_OK;
}

static kw_status check_room(struct kw_op *op, struct store_txn *txn, const char *owner)
{
    unsigned own = 0, all = 0;

    TRY(op, store_ra_request_waiting_txn(op, txn, owner, REQUESTS_OF_ONE_MAX, &own));
    ENSURE(op, own < REQUESTS_OF_ONE_MAX, KW_E_LIMIT,
           "%u requests of %.64s wait for approval already", own, owner);
    TRY(op, store_ra_request_waiting_txn(op, txn, NULL, REQUESTS_MAX, &all));
    ENSURE(op, all < REQUESTS_MAX, KW_E_LIMIT, "too many requests wait for approval");
    return KW_OK;
}

/* Others may have asked the same at the same moment: the first one is kept. */
static kw_status open_in(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    const struct asking *it = ctx;
    struct store_ra_request before;
    struct decision opening = {.service = it->service, .request = it->request, .event = RA_OPEN};
    kw_status status =
        store_ra_request_find_txn(op, txn, it->request->owner, it->request->sha256, &before);

    if (kw_ok(status) && ra_state_open(before.state)) {
        struct decision lapse = {.service = it->service, .request = &before, .event = RA_LAPSE};
        if (!is_over(&before, it->now_ms)) {
            return KW_OK;
        }
        TRY(op, step(op, txn, &lapse));
    } else if (!kw_ok(status)) {
        ENSURE(op, status.code == KW_E_NOT_FOUND, status.code, "looking for a request");
        kw_op_clear(op);
    }
    TRY(op, check_room(op, txn, it->request->owner));
    it->request->state = RA_WAITING;
    TRY(op, store_ra_request_insert(op, txn, it->request));
    return record(op, txn, &opening);
}

static kw_status tell_waiting(struct kw_op *op)
{
    return FAIL(op, KW_E_APPROVAL,
                "the request waits for approval; ask again with the very same request");
}

/* What was decided about it. *ret_new: nothing, it is to be recorded. */
static kw_status judge(struct kw_op *op, struct service *service, const struct asking *it,
                       const char *profile, bool *ret_new)
{
    struct store_ra_request found;
    kw_status status =
        store_ra_request_find(op, service->store, it->request->owner, it->request->sha256, &found);

    *ret_new = status.code == KW_E_NOT_FOUND;
    if (*ret_new) {
        kw_op_clear(op);
        return KW_OK;
    }
    TRY(op, status);
    ENSURE(op, strcmp(found.profile, profile) == 0, KW_E_CONFLICT,
           "this request was made for profile '%s'; make a new key", found.profile);
    ENSURE(op, found.state != RA_REFUSED, KW_E_DENIED, "refused by %.64s: %.100s", found.decided_by,
           found.reason);
    *ret_new = found.state == RA_LAPSED || is_over(&found, it->now_ms);
    if (*ret_new || found.state == RA_APPROVED || found.state == RA_ISSUED) {
        return KW_OK;
    }
    return tell_waiting(op);
}

kw_status registration_permit(struct kw_op *op, struct service *service,
                              const struct profile *profile, const char *owner,
                              const struct enrol_request *request, const struct enrol_asker *asker)
{
    struct store_ra_request made;
    struct asking it = {.service = service, .request = &made, .now_ms = os_clock_unix_ms()};
    bool is_new = false;

    if (!needs_officer(profile)) {
        return KW_OK;
    }
    TRY(op, describe(op, profile, owner, request, asker, &it));
    TRY(op, judge(op, service, &it, profile->name, &is_new));
    if (!is_new) {
        return KW_OK;
    }
    TRY(op, quality_check(op, service, request->key)); /* nobody is asked about a bad key */
    TRY(op, store_change(op, service->store, open_in, &it), "request for profile '%s'",
        profile->name);
    return tell_waiting(op);
}

kw_status registration_settle(struct kw_op *op, struct service *service, struct store_txn *txn,
                              const struct profile *profile, const char *owner,
                              const uint8_t sha256[KW_HASH_BYTES])
{
    struct store_ra_request found;
    struct decision issue = {.service = service, .request = &found, .event = RA_ISSUE};

    if (!needs_officer(profile)) {
        return KW_OK;
    }
    TRY(op, store_ra_request_find_txn(op, txn, owner, sha256, &found));
    ENSURE(op, found.state == RA_APPROVED && strcmp(found.profile, profile->name) == 0,
           KW_E_APPROVAL, "the request is %s", ra_state_text(found.state));
    return step(op, txn, &issue);
}

/* --- deciding --------------------------------------------------------------------------------- */

static kw_status refuse_own(struct kw_op *op, const struct store_ra_request *request)
{
    bool own =
        strcmp(op->principal, request->owner) == 0 || strcmp(op->principal, request->via) == 0;

    ENSURE(op, object_kind(op->principal) == OBJECT_OPERATOR, KW_E_DENIED,
           "only an operator decides on requests");
    ENSURE(op, !own, KW_E_DENIED, "%.64s asked for it; another operator must decide",
           op->principal);
    return KW_OK;
}

static kw_status decide_in(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    struct decision *it = ctx;
    struct store_ra_request *request = it->request;
    char when[KW_TIME_TEXT];

    TRY(op, store_ra_request_get_txn(op, txn, request->id, request));
    TRY(op, refuse_own(op, request));
    ENSURE(op, !is_over(request, it->now_ms), KW_E_STATE, "request %lld has lapsed at %s",
           (long long)request->id, kw_time_text_ms(request->lapses_ms, when));
    request->decided_ms = it->now_ms;
    KW_TEXT_SET(request->decided_by, op->principal);
    KW_TEXT_SET(request->reason, it->reason);
    return step(op, txn, it);
}

kw_status requests_decide(struct kw_op *op, struct service *service, int64_t id,
                          enum ra_event event, const char *reason, struct store_ra_request *ret)
{
    struct decision it = {.service = service,
                          .request = ret,
                          .event = event,
                          .reason = reason,
                          .now_ms = os_clock_unix_ms()};

    ENSURE(op, event == RA_APPROVE || event == RA_REFUSE, KW_E_INTERNAL, "'%s' is no decision",
           ra_event_text(event));
    ENSURE(op, event == RA_APPROVE || *reason, KW_E_INPUT,
           "a refusal needs a reason: who asked is told it");
    ENSURE(op, strlen(reason) < STORE_REASON_MAX, KW_E_INPUT, "the reason has at most %d octets",
           STORE_REASON_MAX - 1);
    memset(ret, 0, sizeof(*ret));
    ret->id = id;
    return store_change(op, service->store, decide_in, &it);
}

/* --- in time ---------------------------------------------------------------------------------- */

static kw_status lapse_in(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    struct decision *it = ctx;

    TRY(op, store_ra_request_get_txn(op, txn, it->request->id, it->request));
    return is_over(it->request, it->now_ms) ? step(op, txn, it) : KW_OK;
}

kw_status requests_sweep(struct kw_op *op, struct service *service)
{
    struct store_ra_request due;
    struct decision it = {
        .service = service, .request = &due, .event = RA_LAPSE, .now_ms = os_clock_unix_ms()};
    struct store_ra_filter filter = {.due_ms = it.now_ms};

    for (unsigned i = 0; i < SWEEP_MAX; i++) {
        unsigned n = 0;
        TRY(op, store_ra_request_list(op, service->store, &filter, 1, &due, &n));
        if (n == 0) {
            return KW_OK;
        }
        TRY(op, store_change(op, service->store, lapse_in, &it), "request %lld", (long long)due.id);
    }
    return KW_OK;
}

void requests_sha256(const struct store_ra_request *request, uint8_t ret[KW_HASH_BYTES])
{
    memcpy(ret, request->sha256, KW_HASH_BYTES);
    if (request->csr_len > 0) {
        digest_sha256(KW_SPAN(request->csr, request->csr_len), ret);
    }
}
