#include "cmd/keywright-keeper/cert_checks.h"

#include "base/time.h"
#include "crypto/dn.h"

enum { X509_V3 = 3, SKI_BYTES = 20, EMPTY_DN_BYTES = 2 };

static struct kw_span own_dn(const struct cert_case *c)
{
    return KW_SPAN(c->ca->policy.issuer_dn, c->ca->policy.issuer_dn_len);
}

static bool subject_empty(const struct cert_case *c)
{
    return cert_subject(c->cert).len <= EMPTY_DN_BYTES;
}

static bool is_v3(const struct cert_case *c)
{
    return cert_version(c->cert) == X509_V3;
}

/* FACTS 27: byte for byte. */
static bool issuer_is_own(const struct cert_case *c)
{
    return kw_span_equal(cert_issuer(c->cert), own_dn(c));
}

static bool serial_handed_out(const struct cert_case *c)
{
    return serials_outstanding(c->ca->serials, cert_serial(c->cert));
}

static bool sig_alg_is_own(const struct cert_case *c)
{
    return cert_sig_alg(c->cert) == pubkey_alg(keeper_key_pubkey(c->ca));
}

static bool key_alg_allowed(const struct cert_case *c)
{
    const struct pubkey *key = cert_public(c->cert);

    return key && (c->rule->key_algs & KEY_ALG_BIT(pubkey_alg(key)));
}

static bool key_is_another(const struct cert_case *c)
{
    return !pubkey_equal(cert_public(c->cert), keeper_key_pubkey(c->ca));
}

static bool ca_flag_as_ruled(const struct cert_case *c)
{
    return cert_is_ca(c->cert) == (c->rule->is_ca != 0);
}

/* A leaf has no path length; a CA has one, at most the rule's. */
static bool path_len_within(const struct cert_case *c)
{
    int path_len = cert_path_len(c->cert);

    if (!c->rule->is_ca) {
        return path_len < 0;
    }
    return path_len >= 0 && path_len <= c->rule->path_len;
}

static bool key_usage_exact(const struct cert_case *c)
{
    return cert_key_usage(c->cert) == c->rule->key_usage;
}

static bool has_eku(const struct cert_case *c, const char *oid)
{
    for (unsigned i = 0; i < cert_eku_count(c->cert); i++) {
        if (strcmp(cert_eku(c->cert, i), oid) == 0) {
            return true;
        }
    }
    return false;
}

/* Same number, and each of the rule's (none twice, says policy_decode()) is there. */
static bool eku_exact(const struct cert_case *c)
{
    if (cert_eku_count(c->cert) != c->rule->n_eku) {
        return false;
    }
    for (unsigned i = 0; i < c->rule->n_eku; i++) {
        if (!has_eku(c, c->rule->eku[i])) {
            return false;
        }
    }
    return true;
}

static bool no_unknown_ext(const struct cert_case *c)
{
    return !(cert_ext_present(c->cert) & (unsigned)CERT_EXT_OTHER);
}

static bool ext_within_allowed(const struct cert_case *c)
{
    return !(cert_ext_present(c->cert) & ~c->rule->ext_allowed);
}

static bool ext_as_required(const struct cert_case *c)
{
    return !(c->rule->ext_required & ~cert_ext_present(c->cert));
}

/* RFC 5280: keyUsage and name constraints; basicConstraints of a CA; SAN where the subject is
 * empty. */
static bool critical_right(const struct cert_case *c)
{
    unsigned present = cert_ext_present(c->cert);
    unsigned critical = cert_ext_critical(c->cert);
    unsigned must = CERT_EXT_KEY_USAGE | CERT_EXT_NAME_CONSTRAINTS;

    if (cert_is_ca(c->cert)) {
        must |= CERT_EXT_BASIC_CONSTRAINTS;
    }
    if (subject_empty(c)) {
        must |= CERT_EXT_SAN;
    }
    unsigned may = must | CERT_EXT_BASIC_CONSTRAINTS;
    return !(must & present & ~critical) && !(critical & ~may);
}

static bool aki_is_own(const struct cert_case *c)
{
    return kw_span_equal(cert_aki(c->cert),
                         KW_SPAN(pubkey_sha1(keeper_key_pubkey(c->ca)), SKI_BYTES));
}

/* Where it is absent, "ext-required" decides. */
static bool ski_of_subject_key(const struct cert_case *c)
{
    struct kw_span ski = cert_ski(c->cert);

    return !(cert_ext_present(c->cert) & CERT_EXT_SKI) ||
           kw_span_equal(ski, KW_SPAN(pubkey_sha1(cert_public(c->cert)), SKI_BYTES));
}

static bool san_kind_allowed(const struct cert_case *c, const char *name)
{
    static const struct {
        const char *prefix;
        unsigned bit;
    } kinds[] = {
        {"dns:", POLICY_SAN_DNS},
        {"ip:",  POLICY_SAN_IP },
        {"uri:", POLICY_SAN_URI},
        {"hw:",  POLICY_SAN_HW },
    };

    for (size_t i = 0; i < KW_COUNT(kinds); i++) {
        if (strncmp(name, kinds[i].prefix, strlen(kinds[i].prefix)) == 0) {
            return (c->rule->san_kinds & kinds[i].bit) != 0;
        }
    }
    return false;
}

static bool san_kinds_allowed(const struct cert_case *c)
{
    for (unsigned i = 0; i < cert_san_count(c->cert); i++) {
        if (!san_kind_allowed(c, cert_san(c->cert, i))) {
            return false;
        }
    }
    return true;
}

static bool subject_within_prefix(const struct cert_case *c)
{
    return c->rule->subject_within_len == 0 ||
           dn_within(cert_subject(c->cert),
                     KW_SPAN(c->rule->subject_within, c->rule->subject_within_len));
}

/* Somebody with the CA's name could pass for it where names decide (CRLs). */
static bool subject_not_own(const struct cert_case *c)
{
    return !kw_span_equal(cert_subject(c->cert), own_dn(c));
}

static bool subject_or_san(const struct cert_case *c)
{
    return !subject_empty(c) || (cert_san_count(c->cert) > 0 && !cert_is_ca(c->cert));
}

static bool not_backdated(const struct cert_case *c)
{
    return cert_not_before(c->cert) >= c->now_unix - (int64_t)c->rule->max_backdate_s;
}

static bool not_postdated(const struct cert_case *c)
{
    return cert_not_before(c->cert) <= c->now_unix + CLOCK_SKEW_S;
}

static bool validity_within(const struct cert_case *c)
{
    int64_t from = cert_not_before(c->cert);
    int64_t to = cert_not_after(c->cert);

    if (c->rule->max_validity_s == 0) {
        return to == KW_TIME_NEVER;
    }
    return to > from && to - from <= c->rule->max_validity_s;
}

#define ROW(name, holds, says) {(name), (holds), (says)} /* keeps the table readable */
const struct cert_check cert_checks[] = {
    ROW("version", is_v3, "not X.509 version 3"),
    ROW("issuer", issuer_is_own, "the issuer is not the name of this CA"),
    ROW("serial", serial_handed_out,
        "the serial was not handed out by the keeper, or was used already"),
    ROW("signature-algorithm", sig_alg_is_own, "the signature algorithm is not this CA's"),
    ROW("key-algorithm", key_alg_allowed, "the rule does not take this kind of public key"),
    ROW("own-key", key_is_another, "the public key is the CA's own"),
    ROW("ext-unknown", no_unknown_ext, "there is an extension that the keeper does not know"),
    ROW("ca", ca_flag_as_ruled, "the CA flag is not as the rule says"),
    ROW("path-length", path_len_within, "the path length is not within the rule"),
    ROW("key-usage", key_usage_exact, "the key usage is not exactly the rule's"),
    ROW("eku", eku_exact, "the extended key usages are not exactly the rule's"),
    ROW("ext-allowed", ext_within_allowed, "there is an extension that the rule does not allow"),
    ROW("ext-required", ext_as_required, "an extension is missing that the rule requires"),
    ROW("critical", critical_right, "an extension is critical that may not be, or is not"),
    ROW("aki", aki_is_own, "the authority key identifier is not this CA's"),
    ROW("ski", ski_of_subject_key, "the subject key identifier is not that of the public key"),
    ROW("san", san_kinds_allowed,
        "there is a kind of alternative name that the rule does not allow"),
    ROW("subject", subject_within_prefix, "the subject is outside the rule's names"),
    ROW("subject-own", subject_not_own, "the subject is the name of this CA"),
    ROW("subject-empty", subject_or_san, "there is neither a subject nor an alternative name"),
    ROW("backdated", not_backdated, "notBefore lies too far in the past"),
    ROW("postdated", not_postdated, "notBefore lies in the future"),
    ROW("validity", validity_within, "notAfter is not within the rule"),
};
const size_t cert_checks_count = KW_COUNT(cert_checks);

kw_status cert_check_all(struct kw_op *op, const struct cert_case *c)
{
    for (size_t i = 0; i < cert_checks_count; i++) {
        ENSURE(op, cert_checks[i].holds(c), KW_E_DENIED, "%s: %s", cert_checks[i].name,
               cert_checks[i].says);
    }
    return KW_OK;
}
