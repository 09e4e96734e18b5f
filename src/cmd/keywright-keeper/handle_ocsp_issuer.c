/*
 * OCSP_ISSUER: an OCSP signer learns the next key of its CA, which lives in another vault. What it
 * believes is the CA's own word: a cross certificate by a key that it knows already. The keeper of
 * the CA signs one for keys of the same line alone (SIGN_CROSS), and no other certificate of its
 * own name (SIGN_CERT).
 */
#include "cmd/keywright-keeper/cert_checks.h"
#include "cmd/keywright-keeper/ocsp_issuers.h"
#include "cmd/keywright-keeper/server.h"
#include "crypto/cert.h"

enum { SKI_BYTES = 20, KEY_USAGE = CERT_KU_KEY_CERT_SIGN | CERT_KU_CRL_SIGN };

struct issuer_case {
    const struct state *state;
    const struct keeper_key *signer;
    const struct pubkey *old;
    const struct cert *cert;
    int64_t now_unix;
};

static bool old_is_known(const struct issuer_case *c)
{
    struct kw_span hash = KW_SPAN(pubkey_bits_sha256(c->old), KW_HASH_BYTES);

    return kw_span_equal(hash, KW_SPAN_ARRAY(c->signer->policy.ca_key_sha256)) ||
           ocsp_issuers_has(c->state, c->signer->record, /* sha256= */ true, hash.p);
}

static bool signed_by_old(const struct issuer_case *c)
{
    return kw_ok(cert_verify_signature(NULL, c->cert, c->old)) &&
           kw_span_equal(cert_aki(c->cert), KW_SPAN(pubkey_sha1(c->old), SKI_BYTES));
}

static bool names_the_ca(const struct issuer_case *c)
{
    struct kw_span dn = KW_SPAN(c->signer->policy.issuer_dn, c->signer->policy.issuer_dn_len);

    return kw_span_equal(cert_issuer(c->cert), dn) && kw_span_equal(cert_subject(c->cert), dn);
}

static bool is_cross(const struct issuer_case *c)
{
    return cert_version(c->cert) == 3 && cert_is_ca(c->cert) && cert_path_len(c->cert) == 0 &&
           cert_key_usage(c->cert) == KEY_USAGE && cert_eku_count(c->cert) == 0;
}

static bool is_valid_now(const struct issuer_case *c)
{
    return cert_not_before(c->cert) <= c->now_unix + CLOCK_SKEW_S &&
           cert_not_after(c->cert) >= c->now_unix;
}

#define ROW(name, holds, says) {(name), (holds), (says)} /* keeps the table readable */
static const struct {
    const char *name;
    bool (*holds)(const struct issuer_case *c);
    const char *says;
} checks[] = {
    ROW("issuer-known", old_is_known, "the key that vouches is none of this signer's CA"),
    ROW("issuer-signature", signed_by_old, "the certificate is not by the key that vouches"),
    ROW("issuer-name", names_the_ca, "issuer and subject are not both the name of the CA"),
    ROW("issuer-cross", is_cross, "it is no cross certificate of a CA"),
    ROW("issuer-valid", is_valid_now, "the certificate is not valid now"),
};

/* Told again, it learns nothing. */
static kw_status learn(struct kw_op *op, struct server *server, const struct request *request,
                       const struct keeper_key *signer, const struct pubkey *key)
{
    struct keyring *keyring = server->keyring;
    struct keeper_journal_row row = {.time_ms = request->now_unix * 1000,
                                     .kind = KEEPER_JOURNAL_LEARNED};

    if (ocsp_issuers_has(keyring->state, signer->record, /* sha256= */ true,
                         pubkey_bits_sha256(key))) {
        return KW_OK;
    }
    memcpy(row.key_id, signer->policy.key_id, sizeof(row.key_id));
    memcpy(row.digest, pubkey_bits_sha256(key), sizeof(row.digest));
    (void)snprintf(row.who, sizeof(row.who), "%s", request_cause(request, "").who);
    TRY(op, ocsp_issuers_add(op, keyring->state, signer->record, key));
    TRY(op, journal_append(op, keyring->journal, &row));
    return keyring_save(op, keyring);
}

kw_status handle_ocsp_issuer(struct kw_op *op, struct server *server, struct request *request)
{
    const struct keeper_msg *msg = request->msg;
    struct keeper_key *signer = NULL;
    AUTO(pubkey) *old = NULL;
    AUTO(cert) *cert = NULL;

    TRY(op, keyring_use(op, server->keyring, msg->key_id, KEEPER_SIGN_OCSP, request->now_unix,
                        &signer));
    TRY(op, pubkey_parse(op, msg->ocsp_issuer.old_key, &old), "the key that vouches");
    TRY(op, cert_parse(op, msg->ocsp_issuer.cert, &cert), "cross certificate");
    struct issuer_case c = {server->keyring->state, signer, old, cert, request->now_unix};
    for (size_t i = 0; i < KW_COUNT(checks); i++) {
        ENSURE(op, checks[i].holds(&c), KW_E_DENIED, "%s: %s", checks[i].name, checks[i].says);
    }
    return learn(op, server, request, signer, cert_public(cert));
}
