/*
 * SIGN_CROSS: a key vouches for the one that follows it in its line, or went before it. For CAs a
 * cross certificate (RFC 4210 section 4.4), for log signers the announcement of the next key. Which
 * keys are of one line only the keeper decides, when it makes them.
 */
#include "audit/succession.h"
#include "base/time.h"
#include "cmd/keywright-keeper/cert_checks.h"
#include "cmd/keywright-keeper/server.h"

enum {
    CROSS_KEY_USAGE = CERT_KU_KEY_CERT_SIGN | CERT_KU_CRL_SIGN,
    CROSS_EXT_REQUIRED =
        CERT_EXT_BASIC_CONSTRAINTS | CERT_EXT_KEY_USAGE | CERT_EXT_SKI | CERT_EXT_AKI,
    SKI_BYTES = 20,
};

/* --- which keys are neighbours ---------------------------------------------------------------- */

/* The records say it, which the keeper wrote when it made the successor. */
static bool is_successor(const struct keeper_key *key, const struct keeper_key *of)
{
    return key->policy.class_ == of->policy.class_ && of->record->successor[0] != '\0' &&
           strcmp(of->record->successor, key->policy.key_id) == 0;
}

/* The neighbour that has this public key; NULL where none has. */
static const struct keeper_key *find_neighbour(const struct keyring *keyring,
                                               const struct keeper_key *signer,
                                               const struct pubkey *key)
{
    for (unsigned i = 0; i < keyring->n; i++) {
        const struct keeper_key *other = keyring->at[i];
        if (!other->secret && (is_successor(other, signer) || is_successor(signer, other)) &&
            pubkey_equal(keeper_key_pubkey(other), key)) {
            return other;
        }
    }
    return NULL;
}

/* --- cross certificates ----------------------------------------------------------------------- */

struct cross_case {
    const struct keeper_key *signer, *subject; /* subject: NULL where the key is no neighbour's */
    const struct cert *cert;
    int64_t now_unix;
};

static struct kw_span own_dn(const struct cross_case *c)
{
    return KW_SPAN(c->signer->policy.issuer_dn, c->signer->policy.issuer_dn_len);
}

static bool is_v3(const struct cross_case *c)
{
    return cert_version(c->cert) == 3;
}

static bool subject_is_neighbour(const struct cross_case *c)
{
    return c->subject != NULL;
}

static bool subject_unhurt(const struct cross_case *c)
{
    enum key_state state = c->subject->record->state;

    return state == KEY_ACTIVE || state == KEY_DEACTIVATED || state == KEY_PRE_ACTIVE;
}

static bool names_own(const struct cross_case *c)
{
    struct kw_span dn = KW_SPAN(c->subject->policy.issuer_dn, c->subject->policy.issuer_dn_len);

    return kw_span_equal(cert_issuer(c->cert), own_dn(c)) &&
           kw_span_equal(cert_subject(c->cert), own_dn(c)) && kw_span_equal(dn, own_dn(c));
}

static bool serial_handed_out(const struct cross_case *c)
{
    return serials_outstanding(c->signer->serials, cert_serial(c->cert));
}

static bool sig_alg_is_own(const struct cross_case *c)
{
    return cert_sig_alg(c->cert) == pubkey_alg(keeper_key_pubkey(c->signer));
}

/* Self-issued, so it does not count in path lengths (RFC 5280 section 6.1): what bounds the CA's
 * own certificate bounds the path through this one too. */
static bool is_leaf_issuer(const struct cross_case *c)
{
    return cert_is_ca(c->cert) && cert_path_len(c->cert) == 0;
}

static bool key_usage_exact(const struct cross_case *c)
{
    return cert_key_usage(c->cert) == CROSS_KEY_USAGE && cert_eku_count(c->cert) == 0;
}

static bool extensions_exact(const struct cross_case *c)
{
    unsigned may = CROSS_EXT_REQUIRED | CERT_EXT_CRL_DP | CERT_EXT_AIA;
    unsigned present = cert_ext_present(c->cert);
    unsigned critical = CERT_EXT_BASIC_CONSTRAINTS | CERT_EXT_KEY_USAGE;

    return (present & CROSS_EXT_REQUIRED) == CROSS_EXT_REQUIRED && !(present & ~may) &&
           cert_ext_critical(c->cert) == critical;
}

static bool key_ids_right(const struct cross_case *c)
{
    return kw_span_equal(cert_aki(c->cert),
                         KW_SPAN(pubkey_sha1(keeper_key_pubkey(c->signer)), SKI_BYTES)) &&
           kw_span_equal(cert_ski(c->cert),
                         KW_SPAN(pubkey_sha1(keeper_key_pubkey(c->subject)), SKI_BYTES));
}

static bool begins_now(const struct cross_case *c)
{
    int64_t from = cert_not_before(c->cert);

    return from >= c->now_unix - CLOCK_SKEW_S && from <= c->now_unix + CLOCK_SKEW_S;
}

/* How long this key's word counts at all. */
static int64_t end_of(const struct key_policy *policy)
{
    return policy->processing_until > policy->not_after ? policy->processing_until
                                                        : policy->not_after;
}

static bool within_both(const struct cross_case *c)
{
    int64_t to = cert_not_after(c->cert);

    return to > cert_not_before(c->cert) && to <= end_of(&c->signer->policy) &&
           to <= end_of(&c->subject->policy);
}

#define ROW(name, holds, says) {(name), (holds), (says)} /* keeps the table readable */
static const struct cross_check {
    const char *name;
    bool (*holds)(const struct cross_case *c);
    const char *says;
} checks[] = {
    ROW("cross-version", is_v3, "not X.509 version 3"),
    ROW("cross-key", subject_is_neighbour,
        "the public key is neither the successor's nor the predecessor's in this key's line"),
    ROW("cross-state", subject_unhurt, "the key that is vouched for is suspended or worse"),
    ROW("cross-name", names_own, "issuer and subject are not both the name of this CA"),
    ROW("cross-serial", serial_handed_out,
        "the serial was not handed out by the keeper, or was used already"),
    ROW("cross-algorithm", sig_alg_is_own, "the signature algorithm is not this CA's"),
    ROW("cross-ca", is_leaf_issuer, "not a CA of path length 0"),
    ROW("cross-key-usage", key_usage_exact, "the key usage is not keyCertSign and cRLSign alone"),
    ROW("cross-extensions", extensions_exact,
        "an extension is missing, unknown or wrongly critical"),
    ROW("cross-key-ids", key_ids_right, "the key identifiers are not those of the two keys"),
    ROW("cross-begin", begins_now, "notBefore is not now"),
    ROW("cross-end", within_both, "notAfter lies behind the end of one of the two keys"),
};

static kw_status check_cert(struct kw_op *op, const struct cross_case *c)
{
    for (size_t i = 0; i < KW_COUNT(checks); i++) {
        ENSURE(op, checks[i].holds(c), KW_E_DENIED, "%s: %s", checks[i].name, checks[i].says);
    }
    return KW_OK;
}

static kw_status sign_cert(struct kw_op *op, struct server *server, struct keeper_key *signer,
                           struct request *request)
{
    struct kw_span tbs = request->msg->sign.message;
    AUTO(cert) *cert = NULL;

    TRY(op, cert_parse_tbs(op, tbs, &cert), "TBSCertificate");
    struct cross_case c = {.signer = signer,
                           .subject = find_neighbour(server->keyring, signer, cert_public(cert)),
                           .cert = cert,
                           .now_unix = request->now_unix};
    TRY(op, check_cert(op, &c));
    TRY(op, request_sign(op, server, signer, tbs, request));
    serials_use(signer->serials, cert_serial(cert));
    return KW_OK;
}

/* --- the log's next key ----------------------------------------------------------------------- */

static kw_status sign_successor(struct kw_op *op, struct server *server, struct keeper_key *signer,
                                struct request *request)
{
    struct kw_span body = request->msg->sign.message;
    char origin[KW_NAME_MAX], vkey[CHECKPOINT_VKEY_MAX], name[KW_NAME_MAX];
    AUTO(pubkey) *next = NULL;

    TRY(op, succession_parse(op, body, origin, vkey), "successor");
    ENSURE(op, strcmp(origin, signer->policy.log_origin) == 0, KW_E_DENIED,
           "cross-origin: it is of another log");
    TRY(op, checkpoint_vkey_parse(op, vkey, name, sizeof(name), &next));
    const struct keeper_key *successor = find_neighbour(server->keyring, signer, next);
    ENSURE(op, successor && is_successor(successor, signer), KW_E_DENIED,
           "cross-key: the key that is announced is not this key's successor");
    return request_sign(op, server, signer, body, request);
}

kw_status handle_sign_cross(struct kw_op *op, struct server *server, struct request *request)
{
    struct keeper_key *signer = NULL;

    TRY(op, keyring_use(op, server->keyring, request->msg->key_id, KEEPER_SIGN_CROSS,
                        request->now_unix, &signer));
    return signer->policy.class_ == KEY_CLASS_LOG_SIGNER
               ? sign_successor(op, server, signer, request)
               : sign_cert(op, server, signer, request);
}
