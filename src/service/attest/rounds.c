/* Rounds of attestation: challenge, evidence, verdict; and who asks for the verdict. */
#include <stdio.h>

#include "model/object.h"
#include "os/clock.h"
#include "service/attest/attest_internal.h"

static const enum event_type events[] = {
    [ATTEST_NONE] = EVENT_ATTEST_RESET,
    [ATTEST_TRUSTED] = EVENT_ATTEST_TRUSTED,
    [ATTEST_SUSPECT] = EVENT_ATTEST_SUSPECT,
    [ATTEST_FAILED] = EVENT_ATTEST_FAILED,
};
_Static_assert(KW_COUNT(events) == ATTEST_VERDICT_MAX, "every verdict has an event");

/* Who follows the log (brokers) must hear in time that trust goes on. */
static bool is_news(const struct store_attest *row, const struct attest_patience *patience,
                    int64_t now_ms)
{
    int64_t half_ms = (int64_t)patience->trusted_hours * 3600 * 1000 / 2;

    return row->standing.verdict == ATTEST_TRUSTED && row->told_until_ms < now_ms + half_ms;
}

kw_status attest_tell(struct kw_op *op, struct service *service, struct store_txn *txn,
                      struct store_attest *row)
{
    char level[ATTEST_LEVEL_TEXT];
    struct event event = {.type = events[row->standing.verdict]};

    row->told_until_ms = row->standing.valid_until_ms;
    TRY(op, store_attest_put(op, txn, row));
    attest_level_text(row->level, row->simulated, level);
    object_write(OBJECT_DEVICE, row->device, event.object);
    (void)snprintf(event.detail, sizeof(event.detail), "%s: %s; %s",
                   attest_reason_text(row->standing.reason), row->detail, level);
    return service_record(op, service, txn, &event);
}

kw_status attest_settle(struct kw_op *op, struct service *service, struct store_txn *txn,
                        struct store_attest *row, enum attest_reason reason, const char *detail,
                        int64_t now_ms)
{
    enum attest_verdict before = row->standing.verdict;
    struct attest_patience patience;

    TRY(op, store_rule_of_txn(op, txn, row->device, &patience));
    attest_round(&row->standing, &patience, reason, now_ms);
    row->rounds++;
    if (row->standing.taken == ATTEST_NOT_TAKEN) { /* else it says what operators said */
        KW_TEXT_SET(row->detail, *detail ? detail : attest_reason_meaning(reason));
    }
    bool told = row->standing.verdict == before && !is_news(row, &patience, now_ms);
    return told ? store_attest_put(op, txn, row) : attest_tell(op, service, txn, row);
}

kw_status attest_challenge(struct kw_op *op, struct service *service,
                           const struct attest_peer *peer, struct attest_challenge *ret)
{
    struct store_attest row;
    int64_t now_ms = os_clock_unix_ms();

    TRY(op, store_attest_get(op, service->store, peer->device, &row));
    memcpy(ret->pcr_mask, attest_pcr_mask, sizeof(ret->pcr_mask));
    bool certified = memcmp(row.key, pubkey_id(peer->key), sizeof(row.key)) == 0;
    ret->needs = row.ak_len == 0 ? "enrol" : certified ? "" : "certify";
    /* Where the clock was put back, nonces go on from where they were. */
    int64_t at_ms = now_ms > row.nonce_ms ? now_ms : row.nonce_ms + 1;
    return attest_nonce_make(op, peer->device, at_ms, ret->nonce);
}

/* --- evidence --------------------------------------------------------------------------------- */

struct round {
    struct service *service;
    struct store_attest row; /* with what the evidence says, where it is good */
    enum attest_reason reason;
    int64_t now_ms;
    struct attest_shown shown;
    struct kw_span nonce;
    const struct attest_policy *policy;
};

/* The nonce is used up, whatever the evidence is worth. */
static kw_status use_nonce(struct kw_op *op, struct store_txn *txn, const struct round *it,
                           enum attest_reason *reason, int64_t *floor_ms)
{
    int64_t floor = 0;
    bool first = false;

    if (it->shown.nonce_ms == 0) {
        return KW_OK;
    }
    TRY(op, store_attest_nonce_use(op, txn, it->row.device, it->nonce, it->shown.nonce_ms,
                                   it->now_ms - ATTEST_NONCE_S * 1000, &first, &floor));
    *reason = first ? *reason : ATTEST_R_REPLAY;
    *floor_ms = floor > *floor_ms ? floor : *floor_ms;
    return KW_OK;
}

/* In the transaction, so that a nonce counts once however often it comes at the same moment. */
static kw_status settle_round(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    struct round *it = ctx;
    struct store_attest now;
    enum attest_reason reason = it->reason;

    TRY(op, store_attest_get_txn(op, txn, it->row.device, &now));
    int64_t floor_ms = now.nonce_ms;
    TRY(op, use_nonce(op, txn, it, &reason, &floor_ms));
    ENSURE(op, now.ak_len == it->row.ak_len && memcmp(now.ak, it->row.ak, now.ak_len) == 0,
           KW_E_STATE, "the device's keys were bound anew meanwhile");
    if (reason == ATTEST_R_OK) {
        it->row.standing = now.standing;
        it->row.rounds = now.rounds;
        it->row.told_until_ms = now.told_until_ms;
        KW_TEXT_SET(it->row.detail, now.detail);
        now = it->row;
    }
    if (reason == ATTEST_R_OK && it->shown.has_next) {
        TRY(op, store_attest_key_put(op, txn, now.device, it->shown.next, it->now_ms));
    }
    now.nonce_ms = floor_ms;
    TRY(op, attest_settle(op, it->service, txn, &now, reason,
                          reason == it->reason ? it->policy->detail : "", it->now_ms));
    it->row = now;
    return KW_OK;
}

kw_status attest_evidence(struct kw_op *op, struct service *service, const struct attest_peer *peer,
                          const struct attest_evidence *said, struct store_attest *ret)
{
    struct round it = {.service = service, .now_ms = os_clock_unix_ms(), .nonce = said->nonce};

    AUTO(attest_policy) *policy = NULL;

    TRY(op, store_attest_get(op, service->store, peer->device, &it.row));
    TRY(op, attest_policy_load(op, service, &it.row, &policy));
    it.policy = policy;
    struct store_attest learned = it.row;
    it.reason = attest_judge(peer, said, it.now_ms, policy, &learned, &it.shown);
    if (it.reason == ATTEST_R_OK) {
        it.row = learned;
    }
    TRY(op, store_change(op, service->store, settle_round, &it), "device '%s'", peer->device);
    *ret = it.row;
    return KW_OK;
}

/* --- who asks --------------------------------------------------------------------------------- */

/* Of a device with a TPM: the key of the last round's connection, or one that was certified. */
static kw_status permit_key(struct kw_op *op, struct service *service,
                            const struct store_attest *row, const struct pubkey *key,
                            int64_t since_ms)
{
    int64_t at_ms = 0;

    ENSURE(op, key, KW_E_DENIED, "attestation needed: a key that the server makes is in no TPM");
    if (memcmp(row->key, pubkey_id(key), sizeof(row->key)) == 0) {
        return KW_OK;
    }
    TRY(op, store_attest_key_at(op, service->store, row->device, pubkey_id(key), &at_ms));
    ENSURE(op, at_ms > 0, KW_E_DENIED,
           "attestation needed: the attestation key did not certify the key of this request");
    ENSURE(op, at_ms >= since_ms, KW_E_DENIED,
           "attestation needed: the key of this request was certified too long ago");
    return KW_OK;
}

kw_status attest_permit(struct kw_op *op, struct service *service, const char *device,
                        const struct profile *profile, const struct pubkey *key, int64_t now_ms)
{
    struct store_attest row;
    struct attest_patience patience;

    if (strcmp(profile->attest, "none") == 0) {
        return KW_OK;
    }
    TRY(op, store_attest_get(op, service->store, device, &row));
    enum attest_verdict verdict = attest_verdict_now(&row.standing, now_ms);
    ENSURE(op, verdict == ATTEST_TRUSTED, KW_E_DENIED, "attestation needed: device '%s' is %s (%s)",
           device, attest_verdict_text(verdict), attest_reason_text(row.standing.reason));
    ENSURE(op, row.level >= profile->attest_level, KW_E_DENIED,
           "attestation needed: device '%s' is at AL%u, and profile '%s' is for AL%u", device,
           (unsigned)row.level, profile->name, profile->attest_level);
    if (strcmp(profile->attest, "fresh") != 0) {
        return KW_OK;
    }
    TRY(op, store_rule_of(op, service->store, device, &patience));
    int64_t since_ms = now_ms - (int64_t)patience.fresh_minutes * 60 * 1000;
    ENSURE(op, row.standing.trusted_ms >= since_ms, KW_E_DENIED,
           "attestation needed: the last good round is over %u minutes ago",
           patience.fresh_minutes);
    return row.ak_len == 0 ? KW_OK : permit_key(op, service, &row, key, since_ms);
}

struct resetting {
    struct service *service;
    const char *device;
};

static kw_status reset(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    const struct resetting *it = ctx;
    struct event event = {.type = EVENT_ATTEST_RESET, .detail = "its keys are bound anew"};
    struct store_attest row, none = {.standing.reason = ATTEST_R_NO_ROUND};

    TRY(op, store_attest_get_txn(op, txn, it->device, &row));
    KW_TEXT_SET(none.device, it->device);
    none.nonce_ms = row.nonce_ms; /* what was used stays used */
    if (row.standing.taken == ATTEST_TAKEN_DEVICE) {
        attest_take(&none.standing, ATTEST_TAKEN_DEVICE);
        KW_TEXT_SET(none.detail, row.detail);
    }
    TRY(op, store_attest_put(op, txn, &none));
    TRY(op, store_attest_key_drop(op, txn, it->device));
    object_write(OBJECT_DEVICE, it->device, event.object);
    return service_record(op, it->service, txn, &event);
}

kw_status attest_reset(struct kw_op *op, struct service *service, const char *device)
{
    struct resetting it = {.service = service, .device = device};

    return store_change(op, service->store, reset, &it);
}
