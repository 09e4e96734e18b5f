#include "cmd/keywright-keeper/ocsp_checks.h"

#include "cmd/keywright-keeper/cert_checks.h"
#include "cmd/keywright-keeper/ocsp_issuers.h"
#include "crypto/digest.h"

enum { SHA1_BYTES = 20 };

static bool responder_is_own(const struct ocsp_case *c)
{
    return kw_span_equal(KW_SPAN_ARRAY(c->tbs->responder_key_sha1),
                         KW_SPAN(pubkey_sha1(keeper_key_pubkey(c->signer)), SHA1_BYTES));
}

static bool produced_now(const struct ocsp_case *c)
{
    return c->tbs->produced_at >= c->now_unix - CLOCK_SKEW_S &&
           c->tbs->produced_at <= c->now_unix + CLOCK_SKEW_S;
}

static bool issuer_name_known(const struct ocsp_case *c)
{
    struct kw_span dn = KW_SPAN(c->signer->policy.issuer_dn, c->signer->policy.issuer_dn_len);
    uint8_t hash[KW_HASH_BYTES];

    if (c->single->id.sha256) {
        digest_sha256(dn, hash);
        return kw_span_equal(KW_SPAN(c->single->id.name_hash, KW_HASH_BYTES), KW_SPAN_ARRAY(hash));
    }
    digest_sha1(dn, hash);
    return kw_span_equal(KW_SPAN(c->single->id.name_hash, SHA1_BYTES), KW_SPAN(hash, SHA1_BYTES));
}

/* ca_key_sha1 and ca_key_sha256: of the CA that a signer answers for, or of the CA itself. */
static bool asks_for_key(const struct ocsp_single *single, const struct key_policy *policy)
{
    if (single->id.sha256) {
        return kw_span_equal(KW_SPAN(single->id.key_hash, KW_HASH_BYTES),
                             KW_SPAN_ARRAY(policy->ca_key_sha256));
    }
    return kw_span_equal(KW_SPAN(single->id.key_hash, SHA1_BYTES),
                         KW_SPAN_ARRAY(policy->ca_key_sha1));
}

static bool is_ca(const struct keeper_key *key)
{
    return key->policy.class_ == KEY_CLASS_ISSUING_CA;
}

/* The CA whose key a signer's policy names; NULL where it lives in another vault. */
static const struct keeper_key *ca_of(const struct ocsp_case *c)
{
    struct kw_span wanted = KW_SPAN_ARRAY(c->signer->policy.ca_key_sha256);

    for (unsigned i = 0; i < c->keyring->n; i++) {
        const struct keeper_key *ca = c->keyring->at[i];
        if (is_ca(ca) && kw_span_equal(KW_SPAN_ARRAY(ca->policy.ca_key_sha256), wanted)) {
            return ca;
        }
    }
    return NULL;
}

/* A CA that was rotated has several keys; the keeper knows which ones, since it made them. */
static bool issuer_key_known(const struct ocsp_case *c)
{
    const struct keeper_key *own = ca_of(c);

    if (asks_for_key(c->single, &c->signer->policy) ||
        ocsp_issuers_has(c->keyring->state, c->signer->record, c->single->id.sha256,
                         c->single->id.key_hash)) {
        return true;
    }
    for (unsigned i = 0; own && i < c->keyring->n; i++) {
        const struct keeper_key *ca = c->keyring->at[i];
        if (is_ca(ca) && ca->policy.lineage[0] != '\0' &&
            strcmp(ca->policy.lineage, own->policy.lineage) == 0 &&
            asks_for_key(c->single, &ca->policy)) {
            return true;
        }
    }
    return false;
}

static bool update_not_future(const struct ocsp_case *c)
{
    return c->single->this_update <= c->now_unix + CLOCK_SKEW_S;
}

static bool update_not_stale(const struct ocsp_case *c)
{
    return c->single->this_update >= c->now_unix - c->signer->policy.ocsp_max_s;
}

static bool next_within(const struct ocsp_case *c)
{
    int64_t lasts = c->single->next_update - c->single->this_update;

    return c->single->next_update > c->single->this_update && lasts <= c->signer->policy.ocsp_max_s;
}

#define ROW(name, holds, says) {(name), (holds), (says)} /* keeps the table readable */
const struct ocsp_check ocsp_checks[] = {
    ROW("ocsp-responder", responder_is_own, "the responder is not this key"),
    ROW("ocsp-produced", produced_now, "producedAt is not now"),
    ROW("ocsp-issuer-name", issuer_name_known, "it is about a certificate of another CA's name"),
    ROW("ocsp-issuer-key", issuer_key_known, "it is about a certificate of another CA's key"),
    ROW("ocsp-future", update_not_future, "thisUpdate lies in the future"),
    ROW("ocsp-stale", update_not_stale, "thisUpdate is too old"),
    ROW("ocsp-next-update", next_within, "nextUpdate is missing or too late"),
};
const size_t ocsp_checks_count = KW_COUNT(ocsp_checks);

static kw_status check_single(struct kw_op *op, const struct ocsp_case *c)
{
    for (size_t i = 0; i < ocsp_checks_count; i++) {
        ENSURE(op, ocsp_checks[i].holds(c), KW_E_DENIED, "%s: %s", ocsp_checks[i].name,
               ocsp_checks[i].says);
    }
    return KW_OK;
}

kw_status ocsp_check_all(struct kw_op *op, const struct keyring *keyring,
                         const struct keeper_key *signer, const struct ocsp_tbs *tbs,
                         int64_t now_unix)
{
    struct ocsp_case c = {.keyring = keyring, .signer = signer, .tbs = tbs, .now_unix = now_unix};

    ENSURE(op, tbs->n > 0 && tbs->n <= OCSP_CERTIDS_MAX, KW_E_DENIED,
           "ocsp-empty: there is no single response");
    for (unsigned i = 0; i < tbs->n; i++) {
        c.single = &tbs->at[i];
        TRY(op, check_single(op, &c));
    }
    return KW_OK;
}
