#include "crypto/cert_lint.h"

#include "base/time.h"
#include "crypto/alg.h"
#include "crypto/cert_internal.h"
#include "crypto/cert_lint_name.h"
#include "crypto/der_read.h"
#include "crypto/openssl.h"

KW_OWNED(NAME_CONSTRAINTS, NAME_CONSTRAINTS, NAME_CONSTRAINTS_free)

enum {
    X509_V3 = 3,
    SERIAL_OCTETS_MIN = 8, /* 64 bits of a random generator */
    SERIAL_OCTETS_MAX = 20,
    KEYID_OCTETS = 20,
    EMPTY_DN_OCTETS = 2,
    TAG_EXPLICIT_0 = 0xa0,
    TAG_EXPLICIT_3 = 0xa3,
    TAG_URI = 0x86,
    URIS_MAX = 8
};

#define SERVER_AUTH "1.3.6.1.5.5.7.3.1"
#define CLIENT_AUTH "1.3.6.1.5.5.7.3.2"
#define CODE_SIGNING "1.3.6.1.5.5.7.3.3"
#define EMAIL_PROTECTION "1.3.6.1.5.5.7.3.4"
#define TIME_STAMPING "1.3.6.1.5.5.7.3.8"
#define OCSP_SIGNING "1.3.6.1.5.5.7.3.9"
#define ANY_PURPOSE "2.5.29.37.0"

/* --- what the certificate has --------------------------------------------------------------------
 */

static bool has(const struct cert_lint_case *c, unsigned exts)
{
    return (cert_ext_present(c->cert) & exts) == exts;
}

static bool is_critical(const struct cert_lint_case *c, unsigned exts)
{
    return (cert_ext_critical(c->cert) & exts) != 0;
}

static bool has_eku(const struct cert_lint_case *c, const char *oid)
{
    for (unsigned i = 0; i < cert_eku_count(c->cert); i++) {
        if (strcmp(cert_eku(c->cert, i), oid) == 0) {
            return true;
        }
    }
    return false;
}

static bool self_issued(const struct cert_lint_case *c)
{
    return kw_span_equal(cert_issuer(c->cert), cert_subject(c->cert));
}

static unsigned count_san(const struct cert_lint_case *c, const char *prefix)
{
    unsigned n = 0;

    for (unsigned i = 0; i < cert_san_count(c->cert); i++) {
        n += strncmp(cert_san(c->cert, i), prefix, strlen(prefix)) == 0;
    }
    return n;
}

/* The octets inside extnValue; empty where there is no such extension. */
static struct kw_span extension(const struct cert *cert, struct kw_span oid)
{
    static const uint8_t before[] = {TAG_EXPLICIT_0, DER_INTEGER,  DER_SEQUENCE, DER_SEQUENCE,
                                     DER_SEQUENCE,   DER_SEQUENCE, DER_SEQUENCE};
    struct kw_reader whole = kw_reader_of(cert->parts.tbs);
    struct kw_reader tbs = kw_reader_of(der_read(&whole, DER_SEQUENCE));

    for (size_t i = 0; i < KW_COUNT(before); i++) {
        (void)der_read(&tbs, before[i]);
    }
    struct kw_reader holder = kw_reader_of(der_read(&tbs, TAG_EXPLICIT_3));
    struct kw_reader list = kw_reader_of(der_read(&holder, DER_SEQUENCE));
    while (list.rest.len > 0 && !list.failed) {
        struct kw_reader one = kw_reader_of(der_read(&list, DER_SEQUENCE));
        struct kw_span id = der_read(&one, DER_OID);
        if (der_read_is(&one, DER_BOOLEAN)) {
            (void)der_read(&one, DER_BOOLEAN);
        }
        struct kw_span value = der_read(&one, DER_OCTET_STRING);
        if (kw_span_equal(id, oid)) {
            return value;
        }
    }
    return KW_SPAN(NULL, 0);
}

/* Every URI inside, however deep, begins with this. */
static bool uris_begin(struct kw_span der, const char *prefix)
{
    struct kw_reader r = kw_reader_of(der);
    size_t n = strlen(prefix);

    while (r.rest.len > 0 && !r.failed) {
        uint8_t tag = r.rest.p[0];
        struct kw_span value = der_read(&r, tag);
        bool constructed = tag & 0x20;
        if (constructed && !uris_begin(value, prefix)) {
            return false;
        }
        if (tag == TAG_URI && (value.len <= n || memcmp(value.p, prefix, n) != 0)) {
            return false;
        }
    }
    return !r.failed;
}

/* --- rules: fields
 * --------------------------------------------------------------------------------- */

static bool is_v3(const struct cert_lint_case *c)
{
    return cert_version(c->cert) == X509_V3;
}

static bool serial_right(const struct cert_lint_case *c)
{
    size_t n = cert_serial(c->cert).len;

    return n >= SERIAL_OCTETS_MIN && n <= SERIAL_OCTETS_MAX;
}

static bool signature_of_issuer(const struct cert_lint_case *c)
{
    return !c->issuer || cert_sig_alg(c->cert) == pubkey_alg(cert_public(c->issuer));
}

static bool issuer_exact(const struct cert_lint_case *c)
{
    return !c->issuer || kw_span_equal(cert_issuer(c->cert), cert_subject(c->issuer));
}

static bool times_in_order(const struct cert_lint_case *c)
{
    return cert_not_before(c->cert) < cert_not_after(c->cert);
}

/* Its own, should it be its own issuer, is the same. */
static bool within_issuer(const struct cert_lint_case *c)
{
    return !c->issuer || cert_not_after(c->cert) <= cert_not_after(c->issuer);
}

static bool not_before_issuer(const struct cert_lint_case *c)
{
    return !c->issuer || cert_not_before(c->cert) >= cert_not_before(c->issuer);
}

static bool key_is_its_own(const struct cert_lint_case *c)
{
    return !c->issuer || self_issued(c) ||
           !pubkey_equal(cert_public(c->cert), cert_public(c->issuer));
}

/* --- rules: names
 * ------------------------------------------------------------------------------------ */

#define NAME_RULE(function, fault)                                                                 \
    static bool function(const struct cert_lint_case *c)                                           \
    {                                                                                              \
        return !(name_faults(cert_subject(c->cert)) & (unsigned)(fault));                          \
    }
NAME_RULE(subject_form, NAME_FAULT_FORM)
NAME_RULE(subject_types, NAME_FAULT_TYPE)
NAME_RULE(subject_lengths, NAME_FAULT_LENGTH)
NAME_RULE(subject_country, NAME_FAULT_COUNTRY)
NAME_RULE(subject_characters, NAME_FAULT_CHARACTER)
NAME_RULE(subject_spaces, NAME_FAULT_SPACE)
NAME_RULE(subject_once, NAME_FAULT_TWICE)

static bool subject_empty(const struct cert_lint_case *c)
{
    return cert_subject(c->cert).len <= EMPTY_DN_OCTETS;
}

static bool subject_or_san(const struct cert_lint_case *c)
{
    return !subject_empty(c) || (!cert_is_ca(c->cert) && has(c, CERT_EXT_SAN));
}

static bool san_critical_right(const struct cert_lint_case *c)
{
    return !has(c, CERT_EXT_SAN) || is_critical(c, CERT_EXT_SAN) == subject_empty(c);
}

static bool san_each_once(const struct cert_lint_case *c)
{
    for (unsigned i = 0; i < cert_san_count(c->cert); i++) {
        for (unsigned j = 0; j < i; j++) {
            if (strcmp(cert_san(c->cert, i), cert_san(c->cert, j)) == 0) {
                return false;
            }
        }
    }
    return true;
}

/* "_" is no letter of the preferred name syntax; a wildcard is the whole first label of three; what
 * ends in a number is an address (RFC 1123 section 2.1). */
static bool dns_right(const char *name)
{
    const char *rest = strncmp(name, "*.", 2) == 0 ? name + 2 : name;
    const char *dot = strrchr(rest, '.'), *last = dot ? dot + 1 : rest;
    bool labels = rest == name || dot;

    return labels && last[strspn(last, "0123456789")] &&
           san_is_dns(rest, /* constraint= */ false) && !strchr(rest, '_');
}

static bool san_dns_right(const struct cert_lint_case *c)
{
    for (unsigned i = 0; i < cert_san_count(c->cert); i++) {
        const char *name = cert_san(c->cert, i);
        if (strncmp(name, "dns:", 4) == 0 && !dns_right(name + 4)) {
            return false;
        }
    }
    return true;
}

static bool san_uri_right(const struct cert_lint_case *c)
{
    for (unsigned i = 0; i < cert_san_count(c->cert); i++) {
        const char *name = cert_san(c->cert, i);
        if (strncmp(name, "uri:", 4) == 0 && !san_is_uri(name + 4)) {
            return false;
        }
    }
    return true;
}

/* "hw:<oid>:<hex>": at least one octet of serial number. */
static bool san_hw_right(const struct cert_lint_case *c)
{
    for (unsigned i = 0; i < cert_san_count(c->cert); i++) {
        const char *name = cert_san(c->cert, i);
        if (strncmp(name, "hw:", 3) == 0 && name[strlen(name) - 1] == ':') {
            return false;
        }
    }
    return count_san(c, "hw:") <= 1;
}

/* Only where there are names that OpenSSL holds against constraints; subjects are the keeper's. */
static bool names_permitted(const struct cert_lint_case *c)
{
    unsigned n =
        count_san(c, "dns:") + count_san(c, "ip:") + count_san(c, "uri:") + count_san(c, "email:");

    if (!c->issuer || n == 0 || !(cert_ext_present(c->issuer) & CERT_EXT_NAME_CONSTRAINTS)) {
        return true;
    }
    X509 *cert = cert_x509(c->cert), *issuer = cert_x509(c->issuer);
    AUTO(NAME_CONSTRAINTS) *constraints =
        issuer ? X509_get_ext_d2i(issuer, NID_name_constraints, NULL, NULL) : NULL;
    /* it looks only at names that an earlier check has put aside */
    return cert && constraints && X509_check_purpose(cert, -1, 0) == 1 &&
           NAME_CONSTRAINTS_check(cert, constraints) == X509_V_OK;
}

/* --- rules: extensions
 * --------------------------------------------------------------------------------- */

static bool no_strangers(const struct cert_lint_case *c)
{
    return !is_critical(c, CERT_EXT_OTHER);
}

static bool never_critical(const struct cert_lint_case *c)
{
    return !is_critical(c, CERT_EXT_SKI | CERT_EXT_AKI | CERT_EXT_AIA | CERT_EXT_OCSP_NOCHECK);
}

static bool ca_constraints(const struct cert_lint_case *c)
{
    return !cert_is_ca(c->cert) || is_critical(c, CERT_EXT_BASIC_CONSTRAINTS);
}

static bool ca_usage(const struct cert_lint_case *c)
{
    unsigned signs = CERT_KU_KEY_CERT_SIGN;

    return cert_is_ca(c->cert) == ((cert_key_usage(c->cert) & signs) != 0);
}

static bool constraints_of_ca(const struct cert_lint_case *c)
{
    return !has(c, CERT_EXT_NAME_CONSTRAINTS) ||
           (cert_is_ca(c->cert) && is_critical(c, CERT_EXT_NAME_CONSTRAINTS));
}

static bool usage_present(const struct cert_lint_case *c)
{
    return has(c, CERT_EXT_KEY_USAGE) && cert_key_usage(c->cert) != 0;
}

static bool usage_critical(const struct cert_lint_case *c)
{
    return !has(c, CERT_EXT_KEY_USAGE) || is_critical(c, CERT_EXT_KEY_USAGE);
}

/* RFC 8813 section 3 for EC, RFC 8410 section 5 for Ed25519 (which agrees no keys). */
static bool usage_fits_key(const struct cert_lint_case *c)
{
    enum key_alg alg = pubkey_alg(cert_public(c->cert));
    unsigned usage = cert_key_usage(c->cert);
    unsigned not_ec = CERT_KU_KEY_ENCIPHERMENT | CERT_KU_DATA_ENCIPHERMENT;

    if (alg == KEY_ALG_RSA_3072) {
        return !(usage & CERT_KU_KEY_AGREEMENT);
    }
    return !(usage & (alg == KEY_ALG_ED25519 ? not_ec | CERT_KU_KEY_AGREEMENT : not_ec));
}

static bool eku_each_once(const struct cert_lint_case *c)
{
    for (unsigned i = 0; i < cert_eku_count(c->cert); i++) {
        for (unsigned j = 0; j < i; j++) {
            if (strcmp(cert_eku(c->cert, i), cert_eku(c->cert, j)) == 0) {
                return false;
            }
        }
    }
    return true;
}

static bool eku_names_purposes(const struct cert_lint_case *c)
{
    return !has_eku(c, ANY_PURPOSE);
}

/* RFC 5280 section 4.2.1.12: usages that are consistent with each purpose. */
static bool usage_fits_eku(const struct cert_lint_case *c)
{
    enum {
        SIGNS = CERT_KU_DIGITAL_SIGNATURE,
        AGREES = CERT_KU_KEY_AGREEMENT,
        ATTESTS = CERT_KU_NON_REPUDIATION,
        CARRIES_KEYS = CERT_KU_KEY_ENCIPHERMENT
    };
    static const struct {
        const char *purpose;
        unsigned usages;
    } rows[] = {
        {SERVER_AUTH,      SIGNS | CARRIES_KEYS | AGREES          },
        {CLIENT_AUTH,      SIGNS | AGREES                         },
        {CODE_SIGNING,     SIGNS                                  },
        {EMAIL_PROTECTION, SIGNS | ATTESTS | CARRIES_KEYS | AGREES},
        {TIME_STAMPING,    SIGNS | ATTESTS                        },
        {OCSP_SIGNING,     SIGNS | ATTESTS                        },
    };

    for (size_t i = 0; i < KW_COUNT(rows); i++) {
        if (has_eku(c, rows[i].purpose) && !(cert_key_usage(c->cert) & rows[i].usages) &&
            !cert_is_ca(c->cert)) {
            return false;
        }
    }
    return true;
}

/* A CA's own purposes bind its certificates: OpenSSL, Go, NSS and Windows refuse the path. That
 * there is none for any purpose is another rule's. */
static bool purposes_permitted(const struct cert_lint_case *c)
{
    const struct cert_lint_case above = {.cert = c->issuer};
    bool permitted = true;

    for (unsigned i = 0; c->issuer && cert_eku_count(c->issuer) > 0 && i < cert_eku_count(c->cert);
         i++) {
        const char *purpose = cert_eku(c->cert, i);
        permitted = permitted && (has_eku(&above, purpose) || strcmp(purpose, ANY_PURPOSE) == 0);
    }
    return permitted;
}

static bool server_has_names(const struct cert_lint_case *c)
{
    return !has_eku(c, SERVER_AUTH) || cert_is_ca(c->cert) ||
           count_san(c, "dns:") + count_san(c, "ip:") > 0;
}

static bool nocheck_of_responder(const struct cert_lint_case *c)
{
    return has_eku(c, OCSP_SIGNING) == has(c, CERT_EXT_OCSP_NOCHECK) || cert_is_ca(c->cert);
}

static bool ski_of_ca(const struct cert_lint_case *c)
{
    return !cert_is_ca(c->cert) || has(c, CERT_EXT_SKI);
}

static bool ski_right(const struct cert_lint_case *c)
{
    return !has(c, CERT_EXT_SKI) ||
           kw_span_equal(cert_ski(c->cert),
                         KW_SPAN(pubkey_sha1(cert_public(c->cert)), KEYID_OCTETS));
}

static bool aki_present(const struct cert_lint_case *c)
{
    return self_issued(c) || cert_aki(c->cert).len > 0;
}

static bool aki_exact(const struct cert_lint_case *c)
{
    return !c->issuer || cert_aki(c->cert).len == 0 ||
           kw_span_equal(cert_aki(c->cert), cert_ski(c->issuer));
}

static bool crl_pointer_right(const struct cert_lint_case *c)
{
    return uris_begin(extension(c->cert, KW_SPAN("\x55\x1d\x1f", 3)), "http://") &&
           !is_critical(c, CERT_EXT_CRL_DP);
}

static bool access_right(const struct cert_lint_case *c)
{
    return uris_begin(extension(c->cert, KW_SPAN("\x2b\x06\x01\x05\x05\x07\x01\x01", 8)),
                      "http://");
}

static bool status_findable(const struct cert_lint_case *c)
{
    return self_issued(c) || has(c, CERT_EXT_OCSP_NOCHECK) || has(c, CERT_EXT_CRL_DP) ||
           has(c, CERT_EXT_AIA);
}

#define ROW(name, source, holds, says) {(name), (source), (holds), (says)}
/* clang-format off */
const struct cert_lint cert_lints[] = {
    ROW("version",            "RFC 5280 section 4.1.2.1",  is_v3,                "it is not of version 3"),
    ROW("serial",             "RFC 5280 section 4.1.2.2, CA/B BR 7.1", serial_right, "its serial number has under 8 or over 20 octets"),
    ROW("signature",          "RFC 5280 section 4.1.2.3",  signature_of_issuer,  "its signature algorithm is not of the issuer's key"),
    ROW("issuer-exact",       "RFC 5280 section 4.1.2.4",  issuer_exact,         "the issuer is not named exactly as in its own certificate"),
    ROW("times",              "RFC 5280 section 4.1.2.5",  times_in_order,       "it ends before it begins"),
    ROW("outlives-issuer",    "RFC 5280 section 6.1.3",    within_issuer,        "it would outlive its issuer's certificate"),
    ROW("before-issuer",      "RFC 5280 section 6.1.3",    not_before_issuer,    "it begins before its issuer's certificate"),
    ROW("issuer-key",         "RFC 5280 section 4.1.2.7",  key_is_its_own,       "its public key is its issuer's"),
    ROW("subject-form",       "RFC 5280 section 4.1.2.6",  subject_form,         "the subject is no Name of single attributes"),
    ROW("subject-types",      "RFC 5280 section 4.1.2.4",  subject_types,        "an attribute of the subject has a string type that it may not have"),
    ROW("subject-lengths",    "RFC 5280 appendix A.1",     subject_lengths,      "an attribute of the subject is empty or over its upper bound"),
    ROW("subject-country",    "ISO 3166-1",                subject_country,      "the country is not two capital letters"),
    ROW("subject-characters", "RFC 5280 appendix A.1",     subject_characters,   "the subject has characters that its string types do not"),
    ROW("subject-spaces",     "RFC 4518 section 2.6.1",    subject_spaces,       "an attribute of the subject begins or ends with a space"),
    ROW("subject-once",       "X.520",                     subject_once,         "an attribute of the subject is there twice"),
    ROW("subject-or-san",     "RFC 5280 section 4.1.2.6",  subject_or_san,       "it has neither a subject nor an alternative name"),
    ROW("san-critical",       "RFC 5280 section 4.2.1.6",  san_critical_right,   "alternative names are critical exactly where the subject is empty"),
    ROW("san-once",           "RFC 5280 section 4.2.1.6",  san_each_once,        "an alternative name is there twice"),
    ROW("san-dns",            "RFC 5280 section 4.2.1.6, RFC 1034 section 3.5", san_dns_right, "a DNS name is not of the preferred name syntax"),
    ROW("san-uri",            "RFC 5280 section 4.2.1.6",  san_uri_right,        "a URI has no scheme"),
    ROW("san-hw",             "RFC 4108 section 5",        san_hw_right,         "hardwareModuleName without a serial number, or twice"),
    ROW("constraints",        "RFC 5280 section 4.2.1.10", names_permitted,      "the issuer's name constraints do not permit a name"),
    ROW("unknown-critical",   "RFC 5280 section 4.2",      no_strangers,         "an extension that nobody knows is critical"),
    ROW("never-critical",     "RFC 5280 section 4.2",      never_critical,       "an extension is critical that must not be"),
    ROW("ca-constraints",     "RFC 5280 section 4.2.1.9",  ca_constraints,       "a CA's basic constraints are not critical"),
    ROW("ca-usage",           "RFC 5280 section 4.2.1.3",  ca_usage,             "keyCertSign and the CA flag contradict each other"),
    ROW("name-constraints",   "RFC 5280 section 4.2.1.10", constraints_of_ca,    "name constraints that are not critical, or not of a CA"),
    ROW("usage-present",      "RFC 5280 section 4.2.1.3",  usage_present,        "it says nothing of its key's usage"),
    ROW("usage-critical",     "RFC 5280 section 4.2.1.3",  usage_critical,       "key usage is not critical"),
    ROW("usage-key",          "RFC 8813 section 3, RFC 8410 section 5, RFC 4055", usage_fits_key, "its key can have no such usage"),
    ROW("eku-once",           "RFC 5280 section 4.2.1.12", eku_each_once,        "a purpose is there twice"),
    ROW("eku-any",            "RFC 5280 section 4.2.1.12", eku_names_purposes,   "it is for any purpose"),
    ROW("eku-usage",          "RFC 5280 section 4.2.1.12", usage_fits_eku,       "usage and purpose contradict each other"),
    ROW("eku-issuer",         "RFC 5280 section 4.2.1.12", purposes_permitted,   "its issuer is not for one of its purposes"),
    ROW("server-names",       "RFC 9525 section 2",        server_has_names,     "a server without a DNS name or an address"),
    ROW("ocsp-nocheck",       "RFC 6960 section 4.2.2.2.1", nocheck_of_responder, "an OCSP signer without id-pkix-ocsp-nocheck, or that without an OCSP signer"),
    ROW("ski-of-ca",          "RFC 5280 section 4.2.1.2",  ski_of_ca,            "a CA without a subject key identifier"),
    ROW("ski",                "RFC 5280 section 4.2.1.2",  ski_right,            "the subject key identifier is not of its key"),
    ROW("aki-present",        "RFC 5280 section 4.2.1.1",  aki_present,          "it has no authority key identifier"),
    ROW("aki",                "RFC 5280 section 4.2.1.1",  aki_exact,            "the authority key identifier is not the issuer's"),
    ROW("crl-pointer",        "RFC 5280 sections 4.2.1.13 and 8", crl_pointer_right, "a distribution point is critical, or not plain HTTP"),
    ROW("access",             "RFC 5280 sections 4.2.2.1 and 8", access_right,   "an access location is not plain HTTP"),
    ROW("status",             "RFC 5280 section 4.2.1.13", status_findable,      "nothing says where its status can be asked"),
};
/* clang-format on */
const unsigned cert_lints_n = KW_COUNT(cert_lints);

unsigned cert_lint_next(const struct cert_lint_case *c, unsigned from)
{
    while (from < cert_lints_n && cert_lints[from].holds(c)) {
        from++;
    }
    return from;
}
