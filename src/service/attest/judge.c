/* One round of evidence against what is known of the device; nothing is written here. */
#include <stdio.h>

#include "crypto/digest.h"
#include "crypto/tpm_log.h"
#include "service/attest/attest_internal.h"

const uint8_t attest_pcr_mask[3] = {0xff, 0, 0};

bool attest_qualifying(const struct attest_peer *peer, struct kw_span nonce,
                       uint8_t ret[KW_HASH_BYTES])
{
    uint8_t all[3 * KW_HASH_BYTES];

    if (nonce.len != KW_HASH_BYTES || peer->exporter.len != KW_HASH_BYTES) {
        return false;
    }
    memcpy(all, nonce.p, KW_HASH_BYTES);
    memcpy(all + KW_HASH_BYTES, pubkey_id(peer->key), KW_HASH_BYTES);
    memcpy(all + 2 * KW_HASH_BYTES, peer->exporter.p, KW_HASH_BYTES);
    digest_sha256(KW_SPAN_ARRAY(all), ret);
    return true;
}

kw_status attest_ak_key(struct kw_op *op, struct kw_span ak, struct pubkey **ret)
{
    struct tpm_public area;
    AUTO(kw_bytes) *spki = NULL;

    TRY(op, tpm_public_read(op, ak, /* with_size= */ false, &area));
    TRY(op, tpm_public_spki(op, &area, &spki));
    return pubkey_parse(op, kw_bytes_span(spki), ret);
}

/* A statement of this kind by this AK over this nonce, key and connection. */
static enum attest_reason judge_statement(const struct attest_peer *peer, struct kw_span ak,
                                          struct kw_span nonce, struct kw_span octets,
                                          struct kw_span signature, enum tpm_statement_kind kind,
                                          struct kw_span signer, struct tpm_statement *ret)
{
    uint8_t wanted[KW_HASH_BYTES];
    AUTO(pubkey) *key = NULL;
    struct kw_op own;

    kw_op_init(&own, "system", 0);
    if (!kw_ok(tpm_statement_read(&own, octets, ret))) {
        return ATTEST_R_MALFORMED;
    }
    if (ret->magic != TPM_MAGIC) {
        return ATTEST_R_BAD_MAGIC;
    }
    if (ret->kind != kind) {
        return ATTEST_R_BAD_TYPE;
    }
    if (signer.len > 0 && !kw_span_equal(ret->signer, signer)) {
        return ATTEST_R_WRONG_AK;
    }
    if (!kw_ok(attest_ak_key(&own, ak, &key)) ||
        !kw_ok(tpm_signature_verify(&own, key, octets, signature))) {
        return ATTEST_R_BAD_SIGNATURE;
    }
    bool bound =
        attest_qualifying(peer, nonce, wanted) && kw_span_equal(ret->extra, KW_SPAN_ARRAY(wanted));
    return bound ? ATTEST_R_OK : ATTEST_R_WRONG_BINDING;
}

enum attest_reason attest_judge_held(const struct attest_peer *peer, struct kw_span ak,
                                     struct kw_span signer, struct kw_span nonce,
                                     const struct attest_certified *said, struct attest_held *ret)
{
    static const uint32_t held = TPM_FIXED_TPM | TPM_FIXED_PARENT | TPM_SENSITIVE_DATA_ORIGIN;
    struct tpm_statement statement;
    struct tpm_public area;
    AUTO(kw_bytes) *spki = NULL;
    struct kw_op own;

    kw_op_init(&own, "system", 0);
    enum attest_reason reason = judge_statement(peer, ak, nonce, said->certify, said->signature,
                                                TPM_STATEMENT_CERTIFY, signer, &statement);
    if (reason != ATTEST_R_OK) {
        return reason;
    }
    if (!kw_ok(tpm_public_read(&own, said->key_public, /* with_size= */ true, &area)) ||
        !kw_ok(tpm_public_spki(&own, &area, &spki))) {
        return ATTEST_R_MALFORMED;
    }
    if (!kw_span_equal(statement.name, KW_SPAN_ARRAY(area.name))) {
        return ATTEST_R_WRONG_KEY;
    }
    if ((area.attributes & held) != held || (area.attributes & TPM_RESTRICTED)) {
        return ATTEST_R_KEY_ATTRIBUTES;
    }
    digest_sha256(kw_bytes_span(spki), ret->key);
    ret->signer = statement.signer;
    return ATTEST_R_OK;
}

enum attest_reason attest_judge_certified(const struct attest_peer *peer, struct kw_span ak,
                                          struct kw_span nonce, const struct attest_certified *said,
                                          struct kw_span *ret_signer)
{
    struct attest_held held;
    enum attest_reason reason = attest_judge_held(peer, ak, KW_SPAN(NULL, 0), nonce, said, &held);

    if (reason != ATTEST_R_OK) {
        return reason;
    }
    if (memcmp(held.key, pubkey_id(peer->key), sizeof(held.key)) != 0) {
        return ATTEST_R_WRONG_KEY;
    }
    *ret_signer = held.signer;
    return ATTEST_R_OK;
}

/* The counters of a key outside the endorsement hierarchy have a constant added, and wrap. */
static bool went_back(const struct store_attest *row, const struct tpm_statement *now)
{
    int32_t resets = (int32_t)(now->reset_count - row->reset_count);
    int32_t restarts = (int32_t)(now->restart_count - row->restart_count);

    if (row->clock_ms == 0) { /* the first quote */
        return false;
    }
    if (resets != 0) {
        return resets < 0;
    }
    return restarts < 0 || (now->clock_safe && now->clock_ms < row->clock_ms);
}

static bool is_initial(struct kw_span values)
{
    size_t i = 0;

    while (i < values.len && values.p[i] == 0) {
        i++;
    }
    return i == values.len;
}

static enum attest_reason judge_pcrs(const struct attest_evidence *said,
                                     const struct tpm_statement *quote,
                                     struct attest_policy *policy, struct store_attest *row)
{
    uint8_t digest[KW_HASH_BYTES];

    if (!quote->one_sha256_bank ||
        memcmp(quote->pcr_mask, attest_pcr_mask, sizeof(attest_pcr_mask)) != 0) {
        return ATTEST_R_WRONG_PCRS;
    }
    digest_sha256(said->pcrs, digest);
    if (!kw_span_equal(quote->pcr_digest, KW_SPAN_ARRAY(digest))) {
        return ATTEST_R_PCR_DIGEST;
    }
    if (said->log.len == 0 && !is_initial(said->pcrs)) {
        return ATTEST_R_LOG_ABSENT;
    }
    struct tpm_log_result replayed = tpm_log_replay(said->log, attest_pcr_mask, said->pcrs);
    if (replayed.end != TPM_LOG_FITS) {
        return replayed.end == TPM_LOG_MALFORMED ? ATTEST_R_LOG_MALFORMED : ATTEST_R_LOG_MISMATCH;
    }
    row->events = replayed.events;
    memcpy(row->pcrs, digest, sizeof(digest));
    return attest_judge_events(policy, said->log, replayed.events, row->reference,
                               sizeof(row->reference));
}

static enum attest_reason judge_quote(const struct attest_peer *peer,
                                      const struct attest_evidence *said,
                                      struct attest_policy *policy, struct store_attest *row)
{
    struct tpm_statement quote;
    struct kw_span ak = KW_SPAN(row->ak, row->ak_len);
    enum attest_reason reason =
        judge_statement(peer, ak, said->nonce, said->quote, said->signature, TPM_STATEMENT_QUOTE,
                        KW_SPAN(row->signer, row->signer_len), &quote);

    if (reason == ATTEST_R_WRONG_BINDING &&
        kw_span_equal(quote.extra, KW_SPAN_ARRAY(row->statement))) {
        return ATTEST_R_REPLAY; /* an old quote behind a new nonce */
    }
    if (reason != ATTEST_R_OK) {
        return reason;
    }
    if (went_back(row, &quote)) {
        return ATTEST_R_CLOCK_BACK;
    }
    reason = judge_pcrs(said, &quote, policy, row);
    if (reason != ATTEST_R_OK) {
        return reason;
    }
    memcpy(row->statement, quote.extra.p, sizeof(row->statement)); /* its length was compared */
    row->reset_count = quote.reset_count;
    row->restart_count = quote.restart_count;
    row->clock_ms = quote.clock_ms;
    row->clock_safe = quote.clock_safe;
    row->tpm_firmware = quote.firmware;
    row->level =
        row->ek_how == STORE_EK_CHAIN || row->ek_how == STORE_EK_PINNED ? ATTEST_AL3 : ATTEST_AL0;
    return ATTEST_R_OK;
}

/* The key of the connection: certified now, or before. */
static enum attest_reason judge_key(const struct attest_peer *peer,
                                    const struct attest_evidence *said, struct store_attest *row)
{
    struct kw_span signer;

    if (said->certified.certify.len > 0) {
        enum attest_reason reason = attest_judge_certified(peer, KW_SPAN(row->ak, row->ak_len),
                                                           said->nonce, &said->certified, &signer);
        if (reason != ATTEST_R_OK) {
            return reason;
        }
        if (row->signer_len == 0 && signer.len <= sizeof(row->signer)) {
            memcpy(row->signer, signer.p, signer.len);
            row->signer_len = (uint32_t)signer.len;
        }
        memcpy(row->key, pubkey_id(peer->key), sizeof(row->key));
    }
    bool known = memcmp(row->key, pubkey_id(peer->key), sizeof(row->key)) == 0;
    return known ? ATTEST_R_OK : ATTEST_R_KEY_NOT_CERTIFIED;
}

/* A key that is about to be asked for, by the same AK over the same nonce and connection. */
static enum attest_reason judge_next(const struct attest_peer *peer,
                                     const struct attest_evidence *said,
                                     const struct store_attest *row, struct attest_policy *policy,
                                     struct attest_shown *ret)
{
    struct attest_held held;

    if (said->next.certify.len == 0) {
        return ATTEST_R_OK;
    }
    enum attest_reason reason =
        attest_judge_held(peer, KW_SPAN(row->ak, row->ak_len),
                          KW_SPAN(row->signer, row->signer_len), said->nonce, &said->next, &held);
    if (reason != ATTEST_R_OK) {
        (void)snprintf(policy->detail, sizeof(policy->detail), "the new key: %s",
                       attest_reason_meaning(reason));
        return reason;
    }
    memcpy(ret->next, held.key, sizeof(ret->next));
    ret->has_next = true;
    return ATTEST_R_OK;
}

static enum attest_reason judge_tpm(const struct attest_peer *peer,
                                    const struct attest_evidence *said,
                                    struct attest_policy *policy, struct store_attest *row,
                                    struct attest_shown *ret)
{
    enum attest_reason reason = policy->revoked ? ATTEST_R_EK_REVOKED : judge_key(peer, said, row);

    reason = reason == ATTEST_R_OK ? judge_quote(peer, said, policy, row) : reason;
    return reason == ATTEST_R_OK ? judge_next(peer, said, row, policy, ret) : reason;
}

/* Without a TPM: the key of the connection signs, and proves no more than itself. */
static enum attest_reason judge_plain(const struct attest_peer *peer,
                                      const struct attest_evidence *said,
                                      const struct attest_policy *policy, struct store_attest *row)
{
    uint8_t text[20 + KW_HASH_BYTES] = "keywright-attest-v1";
    struct kw_op own;

    kw_op_init(&own, "system", 0);
    if (!attest_qualifying(peer, said->nonce, text + 20)) {
        return ATTEST_R_WRONG_BINDING;
    }
    if (!kw_ok(pubkey_verify(&own, peer->key, KW_SPAN_ARRAY(text), said->signature))) {
        return ATTEST_R_BAD_SIGNATURE;
    }
    row->level = policy->element ? ATTEST_AL1 : ATTEST_AL0;
    row->simulated = policy->simulated;
    return ATTEST_R_OK;
}

enum attest_reason attest_judge(const struct attest_peer *peer, const struct attest_evidence *said,
                                int64_t now_ms, struct attest_policy *policy,
                                struct store_attest *row, struct attest_shown *ret)
{
    enum attest_reason reason =
        attest_nonce_judge(peer->device, said->nonce, now_ms, &ret->nonce_ms);

    if (reason != ATTEST_R_OK) {
        return reason;
    }
    if (ret->nonce_ms <= row->nonce_ms) { /* whether it was used is forgotten */
        ret->nonce_ms = 0;
        return ATTEST_R_NONCE_EXPIRED;
    }
    if (row->ak_len == 0) {
        return said->quote.len > 0 ? ATTEST_R_NOT_ENROLLED : judge_plain(peer, said, policy, row);
    }
    return said->quote.len == 0 ? ATTEST_R_TPM_EXPECTED : judge_tpm(peer, said, policy, row, ret);
}
