/* X.509 certificates (RFC 5280): build from a description, read, check. */
#ifndef CRYPTO_CERT_H
#define CRYPTO_CERT_H

#include "base/bytes.h"
#include "base/limits.h"
#include "base/op.h"
#include "crypto/privkey.h"
#include "crypto/pubkey.h"

/* KeyUsage as in RFC 5280 section 4.2.1.3, bit 0 = digitalSignature. Stored: never renumber. */
enum cert_key_usage {
    CERT_KU_DIGITAL_SIGNATURE = 1 << 0,
    CERT_KU_NON_REPUDIATION = 1 << 1,
    CERT_KU_KEY_ENCIPHERMENT = 1 << 2,
    CERT_KU_DATA_ENCIPHERMENT = 1 << 3,
    CERT_KU_KEY_AGREEMENT = 1 << 4,
    CERT_KU_KEY_CERT_SIGN = 1 << 5,
    CERT_KU_CRL_SIGN = 1 << 6,
};

/* Which extensions a certificate has (bits), for policy checks; all else is CERT_EXT_OTHER. */
enum cert_ext {
    CERT_EXT_BASIC_CONSTRAINTS = 1 << 0,
    CERT_EXT_KEY_USAGE = 1 << 1,
    CERT_EXT_EKU = 1 << 2,
    CERT_EXT_SKI = 1 << 3,
    CERT_EXT_AKI = 1 << 4,
    CERT_EXT_SAN = 1 << 5,
    CERT_EXT_CRL_DP = 1 << 6,
    CERT_EXT_AIA = 1 << 7,
    CERT_EXT_NAME_CONSTRAINTS = 1 << 8,
    CERT_EXT_POLICIES = 1 << 9,
    CERT_EXT_OCSP_NOCHECK = 1 << 10,
    CERT_EXT_OTHER = 1 << 30,
};

enum { CERT_EKU_MAX = 6, CERT_SAN_MAX = 8, CERT_NAME_TEXT = 256 };

/* What a certificate shall say. All borrowed for the call; absent = NULL, empty span or 0. */
struct cert_spec {
    struct kw_span issuer_dn;        /* DER, copied byte for byte (FACTS 27) */
    struct kw_span subject_dn;       /* DER; may be an empty SEQUENCE, then SAN is critical */
    struct kw_span serial;           /* 8..20 octets, positive, big-endian, no leading zero octet */
    int64_t not_before, not_after;   /* Unix seconds; KW_TIME_NEVER is 99991231235959Z */
    const struct pubkey *key;        /* the subject's */
    const struct pubkey *issuer_key; /* its SHA-1 is the AKI keyid; NULL: self-signed, no AKI */
    bool is_ca;
    int path_len;                  /* -1 = no limit; only for a CA */
    unsigned key_usage;            /* enum cert_key_usage, critical; a CA has KEY_CERT_SIGN */
    const char *eku[CERT_EKU_MAX]; /* dotted OIDs; a CA's: what its certificates may be for */
    const char *san_dns[CERT_SAN_MAX];
    const char *san_ip[CERT_SAN_MAX]; /* text form */
    const char *san_uri[CERT_SAN_MAX];
    const char *hw_type; /* hardwareModuleName (RFC 4108 section 5): dotted OID, NULL = none */
    struct kw_span hw_serial;
    /* Name constraints, only for a CA. Lists end at the first NULL, as those above. No other kinds
     * of names, and none shut out: Go and Rust know no directoryName here, Java and wolfSSL no "".
     */
    const char *permit_dns[CERT_SAN_MAX];
    const char *permit_ip[CERT_SAN_MAX]; /* "127.0.0.1/255.255.255.255" */
    const char *crl_url, *ocsp_url, *ca_issuers_url;
    const char *policy_oid[2];
    bool ocsp_nocheck;
    /* Asked of the DER TBSCertificate before it is signed; its error ends the building. NULL:
     * nobody is asked. */
    kw_status (*check)(struct kw_op *op, struct kw_span tbs, void *ctx);
    void *check_ctx;
};

/**
 * Build and sign. With a remote key the sign function receives the DER TBSCertificate.
 * ret: DER of the certificate.
 * Errors: KW_E_INPUT the description cannot be encoded, contradicts itself, or names another issuer
 *         key than the one that signs; those of the sign function, with its words.
 * Blocks as the key does.  Threads: any.
 */
kw_status cert_build(struct kw_op *op, const struct cert_spec *spec, const struct privkey *issuer,
                     struct kw_bytes **ret);

/* SHA-256 of what the issuer signed of it: also for CRLs, requests and OCSP answers (DER).
 * KW_E_INPUT.
 */
kw_status cert_tbs_sha256(struct kw_op *op, struct kw_span der, uint8_t ret[KW_HASH_BYTES]);

struct cert; /* a parsed certificate; immutable, reference counted */

/**
 * Read exactly one DER certificate. The signature is not looked at.
 * Errors: KW_E_INPUT not strict DER, explicit defaults, serial number zero, negative or over 20
 *         octets, extensions twice or malformed, trailing octets, over KW_CERT_MAX;
 *         KW_E_UNSUPPORTED a public key that pubkey_parse() does not take.
 */
kw_status cert_parse(struct kw_op *op, struct kw_span der, struct cert **ret);
/* All certificates of a PEM text (at most max). KW_E_INPUT, KW_E_NOT_FOUND none. */
kw_status cert_parse_pem(struct kw_op *op, struct kw_span pem, struct cert *ret[], unsigned max,
                         unsigned *ret_n);
/**
 * Read a DER TBSCertificate (what a keeper is asked to sign) as a certificate whose signature is
 * empty. Refuses (KW_E_INPUT) what cert_parse() refuses, anything that does not re-encode to
 * exactly the same octets, and times of the wrong type (RFC 5280 section 4.1.2.5).
 */
kw_status cert_parse_tbs(struct kw_op *op, struct kw_span tbs, struct cert **ret);
/* The same object from an X509 (const X509 *), for net/tls. */
kw_status cert_from_x509(struct kw_op *op, const void *x509, struct cert **ret);
struct cert *cert_ref(const struct cert *cert);
void cert_unref(struct cert *cert);
KW_OWNED(cert, struct cert, cert_unref)

/* All borrowed from the certificate. */
struct kw_span cert_der(const struct cert *cert);
struct kw_span cert_serial(const struct cert *cert); /* big-endian magnitude, no leading zero */
struct kw_span cert_issuer(const struct cert *cert); /* DER Name */
struct kw_span cert_subject(const struct cert *cert);
const struct pubkey *cert_public(const struct cert *cert);
const uint8_t *cert_sha256(const struct cert *cert); /* fingerprint */
int64_t cert_not_before(const struct cert *cert);
int64_t cert_not_after(const struct cert *cert);
unsigned cert_version(const struct cert *cert); /* 3 for v3 */
/* The kind of key that signed (inner and outer field are equal); NONE for others than ours. */
enum key_alg cert_sig_alg(const struct cert *cert);
bool cert_is_ca(const struct cert *cert);
int cert_path_len(const struct cert *cert);          /* -1 = absent */
unsigned cert_key_usage(const struct cert *cert);    /* 0 = absent */
unsigned cert_ext_present(const struct cert *cert);  /* enum cert_ext bits */
unsigned cert_ext_critical(const struct cert *cert); /* enum cert_ext bits of the critical ones */
unsigned cert_eku_count(const struct cert *cert);
const char *cert_eku(const struct cert *cert, unsigned i); /* dotted OID */
struct kw_span cert_ski(const struct cert *cert);          /* empty = absent */
struct kw_span cert_aki(const struct cert *cert);          /* keyid, empty = absent */
/*
 * Subject alternative names, each as one text: "dns:localhost", "ip:127.0.0.1", "uri:…", "email:…",
 * "hw:<oid>:<hex>", "dn:<hex of the Name>", "rid:<oid>", "other:<oid>:<hex of the value>". NULL
 * beyond the last, as cert_eku().
 */
unsigned cert_san_count(const struct cert *cert);
const char *cert_san(const struct cert *cert, unsigned i);
/* The first OCSP responder of authorityInfoAccess. KW_E_NOT_FOUND, KW_E_TOO_LARGE. */
kw_status cert_ocsp_url(struct kw_op *op, const struct cert *cert, char *url, size_t cap);
/* Was it signed by this key? KW_E_DENIED. */
kw_status cert_verify_signature(struct kw_op *op, const struct cert *cert,
                                const struct pubkey *issuer);
/**
 * Path validation (RFC 5280 section 6, OpenSSL with X509_V_FLAG_X509_STRICT): name constraints,
 * path lengths, validity, 112 bits of security in every link. Only self-signed roots end a path.
 * eku      a dotted OID that the leaf itself must carry, or NULL
 * at_unix  the time to judge by
 * Errors: KW_E_EXPIRED not yet or no longer valid; KW_E_DENIED everything else, with OpenSSL's
 *         reason and depth. Revocation is not looked at here.
 */
kw_status cert_verify_path(struct kw_op *op, const struct cert *leaf,
                           struct cert *const intermediates[], unsigned n_intermediates,
                           struct cert *const roots[], unsigned n_roots, const char *eku,
                           int64_t at_unix);
/* What is different in a certificate that follows another. */
struct cert_again {
    const struct pubkey *key;
    struct kw_span serial; /* as in struct cert_spec */
    int64_t not_before, not_after;
    /* NULL: the same issuer as before. Another one is the issuer's own next certificate: its name
     * and key, and where its CRL and certificate lie, replace the former one's. */
    const struct cert *issuer;
    const char *crl_url, *ca_issuers_url;
};
/**
 * The same certificate again for another key, or by another issuer: names, constraints and every
 * other extension are the model's, octet for octet; only what is in `again`, and what follows from
 * it (key identifiers), differ.
 * Errors: KW_E_DENIED the model was not signed by this issuer (where it stays); KW_E_INPUT it lacks
 * an extension that would have to change.
 */
kw_status cert_reissue(struct kw_op *op, const struct cert *model, const struct cert_again *again,
                       const struct privkey *issuer, struct kw_bytes **ret);
/* The X509, borrowed, for net/tls; made at the first call. NULL where OpenSSL does not take it. */
void *cert_x509(const struct cert *cert);

#endif
