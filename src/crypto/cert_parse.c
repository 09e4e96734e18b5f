#include <openssl/err.h>
#include <stdlib.h>

#include "base/pem.h"
#include "crypto/cert_internal.h"
#include "crypto/digest.h"

KW_OWNED(BASIC_CONSTRAINTS, BASIC_CONSTRAINTS, BASIC_CONSTRAINTS_free)
KW_OWNED(EXTENDED_KEY_USAGE, EXTENDED_KEY_USAGE, EXTENDED_KEY_USAGE_free)

static kw_status read_basic_constraints(struct kw_op *op, struct cert *cert, const struct ext *one)
{
    AUTO(BASIC_CONSTRAINTS) *constraints = NULL;
    uint64_t path_len = 0;

    TRY(op, ext_decode(op, one, ASN1_ITEM_rptr(BASIC_CONSTRAINTS), &constraints));
    cert->is_ca = constraints->ca != 0;
    if (!constraints->pathlen) {
        return KW_OK;
    }
    ENSURE(op, cert->is_ca, KW_E_INPUT, "a path length in the certificate of an end entity");
    OSSL_ENSURE(op, ASN1_INTEGER_get_uint64(&path_len, constraints->pathlen), KW_E_INPUT,
                "path length");
    ENSURE(op, path_len <= 255, KW_E_INPUT, "a path length above 255");
    cert->path_len = (int)path_len;
    return KW_OK;
}

/* X.690 section 11.2.2: trailing zero bits of a named bit list are left out, which OpenSSL ignores.
 */
static bool is_trimmed(struct kw_span value)
{
    struct kw_span bits;

    if (!der_contents(value, V_ASN1_BIT_STRING, &bits) || bits.len < 2) {
        return false; /* without any bit it says nothing: RFC 5280 section 4.2.1.3 */
    }
    return bits.p[bits.len - 1] & 1u << bits.p[0];
}

static kw_status read_key_usage(struct kw_op *op, struct cert *cert, const struct ext *one)
{
    AUTO(ASN1_BIT_STRING) *bits = NULL;

    TRY(op, ext_decode(op, one, ASN1_ITEM_rptr(ASN1_BIT_STRING), &bits));
    ENSURE(op, is_trimmed(der_string(one->value)), KW_E_INPUT,
           "key usage is empty or has trailing zero bits");
    for (int i = 0; i < 9; i++) {
        cert->key_usage |= ASN1_BIT_STRING_get_bit(bits, i) ? 1u << i : 0;
    }
    return KW_OK;
}

static kw_status read_eku(struct kw_op *op, struct cert *cert, const struct ext *one)
{
    AUTO(EXTENDED_KEY_USAGE) *eku = NULL;
    char dotted[DER_OID_TEXT];

    TRY(op, ext_decode(op, one, ASN1_ITEM_rptr(EXTENDED_KEY_USAGE), &eku));
    ENSURE(op, sk_ASN1_OBJECT_num(eku) > 0, KW_E_INPUT, "no extended key usage inside");
    for (int i = 0; i < sk_ASN1_OBJECT_num(eku); i++) {
        TRY(op, der_oid_text(op, sk_ASN1_OBJECT_value(eku, i), dotted));
        TRY(op, text_list_add(op, &cert->eku, "", kw_span_text(dotted)));
    }
    return KW_OK;
}

static kw_status read_ski(struct kw_op *op, struct cert *cert, const struct ext *one)
{
    AUTO(ASN1_OCTET_STRING) *ski = NULL;

    TRY(op, ext_decode(op, one, ASN1_ITEM_rptr(ASN1_OCTET_STRING), &ski));
    TRY(op, kw_out_set(&cert->ski, der_string(ski)), "subject key identifier");
    return KW_OK;
}

static kw_status read_aki(struct kw_op *op, struct cert *cert, const struct ext *one)
{
    return ext_read_aki(op, one, &cert->aki);
}

static kw_status read_san(struct kw_op *op, struct cert *cert, const struct ext *one)
{
    AUTO(GENERAL_NAMES) *names = NULL;

    TRY(op, ext_decode(op, one, ASN1_ITEM_rptr(GENERAL_NAMES), &names));
    return san_texts(op, names, &cert->san);
}

/* Extensions that we know; those without a reader are only held to be well-formed. */
static const struct ext_row {
    int nid;
    unsigned bit;
    kw_status (*read)(struct kw_op *op, struct cert *cert, const struct ext *one);
} ext_rows[] = {
    {NID_basic_constraints,        CERT_EXT_BASIC_CONSTRAINTS, read_basic_constraints},
    {NID_key_usage,                CERT_EXT_KEY_USAGE,         read_key_usage        },
    {NID_ext_key_usage,            CERT_EXT_EKU,               read_eku              },
    {NID_subject_key_identifier,   CERT_EXT_SKI,               read_ski              },
    {NID_authority_key_identifier, CERT_EXT_AKI,               read_aki              },
    {NID_subject_alt_name,         CERT_EXT_SAN,               read_san              },
    {NID_crl_distribution_points,  CERT_EXT_CRL_DP,            NULL                  },
    {NID_info_access,              CERT_EXT_AIA,               NULL                  },
    {NID_name_constraints,         CERT_EXT_NAME_CONSTRAINTS,  NULL                  },
    {NID_certificate_policies,     CERT_EXT_POLICIES,          NULL                  },
    {NID_id_pkix_OCSP_noCheck,     CERT_EXT_OCSP_NOCHECK,      NULL                  },
};

static const ASN1_ITEM *form_of(unsigned bit)
{
    switch (bit) {
    case CERT_EXT_CRL_DP:
        return ASN1_ITEM_rptr(CRL_DIST_POINTS);
    case CERT_EXT_AIA:
        return ASN1_ITEM_rptr(AUTHORITY_INFO_ACCESS);
    case CERT_EXT_NAME_CONSTRAINTS:
        return ASN1_ITEM_rptr(NAME_CONSTRAINTS);
    case CERT_EXT_POLICIES:
        return ASN1_ITEM_rptr(CERTIFICATEPOLICIES);
    default:
        return ASN1_ITEM_rptr(ASN1_NULL); /* ocsp-nocheck */
    }
}

static const struct ext_row *row_of(const struct ext *one)
{
    int nid = ext_nid(one);

    for (size_t i = 0; i < KW_COUNT(ext_rows); i++) {
        if (ext_rows[i].nid == nid) {
            return &ext_rows[i];
        }
    }
    return NULL;
}

static kw_status check_form(struct kw_op *op, const struct ext *one, const ASN1_ITEM *item)
{
    void *object = NULL;

    TRY(op, ext_decode(op, one, item, &object));
    ASN1_item_free(object, item);
    return KW_OK;
}

static kw_status read_ext(struct kw_op *op, struct cert *cert, const struct ext *one)
{
    const struct ext_row *row = row_of(one);
    unsigned bit = row ? row->bit : (unsigned)CERT_EXT_OTHER;

    cert->ext_present |= bit;
    cert->ext_critical |= one->critical ? bit : 0;
    if (!row) {
        return KW_OK;
    }
    return row->read ? row->read(op, cert, one) : check_form(op, one, form_of(bit));
}

/* v1 is the absent default; extensions need v3 (RFC 5280 section 4.1.2.1). */
static kw_status read_version(struct kw_op *op, struct cert *cert)
{
    uint64_t version = 0;

    if (cert->tbs->version) {
        OSSL_ENSURE(op, ASN1_INTEGER_get_uint64(&version, cert->tbs->version), KW_E_INPUT,
                    "version");
        ENSURE(op, version == 1 || version == 2, KW_E_INPUT, "no X.509 version");
    }
    ENSURE(op, version == 2 || !cert->tbs->exts, KW_E_INPUT, "extensions before version 3");
    cert->version = (unsigned)version + 1;
    return KW_OK;
}

/* By OpenSSL alone, whose opinion is asked for here. */
static kw_status check_name(struct kw_op *op, struct kw_span dn, const char *what)
{
    AUTO(X509_NAME) *name = NULL;

    return der_decode(op, ASN1_ITEM_rptr(X509_NAME), dn, what, &name);
}

static kw_status read_fields(struct kw_op *op, struct cert *cert)
{
    const struct cert_tbs *tbs = cert->tbs;

    cert->serial = der_string(tbs->serial);
    cert->issuer = der_string(tbs->issuer);
    cert->subject = der_string(tbs->subject);
    TRY(op, check_name(op, cert->issuer, "issuer name"));
    TRY(op, check_name(op, cert->subject, "subject name"));
    TRY(op, read_version(op, cert));
    TRY(op, der_serial_check(op, tbs->serial, KW_SERIAL_MAX));
    TRY(op, der_time_get(op, tbs->validity->not_before, &cert->not_before), "notBefore");
    TRY(op, der_time_get(op, tbs->validity->not_after, &cert->not_after), "notAfter");
    ENSURE(op, cert_issuer(cert).len <= KW_DN_MAX && cert_subject(cert).len <= KW_DN_MAX,
           KW_E_INPUT, "a name is longer than %d octets", (int)KW_DN_MAX);
    ENSURE(op, cert_issuer(cert).len > 2, KW_E_INPUT, "the issuer has no name");
    TRY(op, pubkey_parse(op, der_string(tbs->key), &cert->key));
    TRY(op, ext_check_list(op, tbs->exts));
    for (int i = 0; i < ext_count(tbs->exts); i++) {
        TRY(op, read_ext(op, cert, sk_ext_value(tbs->exts, i)));
    }
    return KW_OK;
}

/* "This field MUST contain the same algorithm identifier" (RFC 5280 section 4.1.1.2). */
static kw_status check_inner_alg(struct kw_op *op, const struct cert *cert)
{
    AUTO(kw_bytes) *inner = NULL;

    TRY(op, kw_bytes_new(32, &inner));
    TRY(op, der_encode(op, ASN1_ITEM_rptr(X509_ALGOR), cert->tbs->sig_alg, inner));
    ENSURE(op, kw_span_equal(kw_bytes_span(inner), cert->parts.alg), KW_E_INPUT,
           "inner and outer signature algorithm differ");
    return KW_OK;
}

kw_status cert_alloc(struct kw_op *op, struct cert **ret)
{
    struct cert *cert = calloc(1, sizeof(*cert));

    ENSURE(op, cert, KW_E_MEMORY, "reading a certificate");
    atomic_init(&cert->n_refs, 1);
    cert->path_len = -1;
    cert->ski = KW_OUT_ARRAY(cert->ski_room);
    cert->aki = KW_OUT_ARRAY(cert->aki_room);
    *ret = cert;
    return KW_OK;
}

static kw_status cert_new(struct kw_op *op, struct kw_span der, struct cert **ret)
{
    AUTO(cert) *cert = NULL;

    TRY(op, cert_alloc(op, &cert));
    TRY(op, kw_bytes_copy(der, &cert->der));
    TRY(op, signed_parse(op, kw_bytes_span(cert->der), &cert->parts));
    TRY(op,
        der_decode(op, ASN1_ITEM_rptr(cert_tbs), cert->parts.tbs, "TBSCertificate", &cert->tbs));
    TRY(op, check_inner_alg(op, cert));
    TRY(op, read_fields(op, cert));
    digest_sha256(kw_bytes_span(cert->der), cert->sha256);
    *ret = TAKE(cert);
    return KW_OK;
}

kw_status cert_parse(struct kw_op *op, struct kw_span der, struct cert **ret)
{
    ENSURE(op, der.len <= KW_CERT_MAX, KW_E_INPUT, "a certificate of %zu octets", der.len);
    TRY(op, cert_new(op, der, ret), "reading a certificate");
    return KW_OK;
}

static kw_status next_pem(struct kw_op *op, struct kw_span *pem, struct cert **ret)
{
    AUTO(kw_bytes) *der = NULL;

    /* The end of the text is no failure of the operation yet: no words for it. */
    kw_status status = kw_pem_next(pem, "CERTIFICATE", KW_CERT_MAX, &der);
    if (!kw_ok(status)) {
        return status;
    }
    return cert_parse(op, kw_bytes_span(der), ret);
}

static kw_status read_pem(struct kw_op *op, struct kw_span pem, struct cert *ret[], unsigned max,
                          unsigned *n)
{
    for (;;) {
        AUTO(cert) *cert = NULL;
        kw_status status = next_pem(op, &pem, &cert);
        if (status.code == KW_E_NOT_FOUND && *n > 0) {
            return KW_OK;
        }
        TRY(op, status, "certificate %u of a PEM text", *n + 1);
        ENSURE(op, *n < max, KW_E_INPUT, "more than %u certificates in a PEM text", max);
        ret[(*n)++] = TAKE(cert);
    }
}

kw_status cert_parse_pem(struct kw_op *op, struct kw_span pem, struct cert *ret[], unsigned max,
                         unsigned *ret_n)
{
    unsigned n = 0;

    kw_status status = read_pem(op, pem, ret, max, &n);
    if (!kw_ok(status)) {
        while (n > 0) {
            n--;
            cert_unref(ret[n]);
            ret[n] = NULL;
        }
        return status;
    }
    *ret_n = n;
    return KW_OK;
}

/* The TBS's own algorithm stands behind version and serial number. */
static bool find_alg(struct kw_span tbs, struct kw_span *ret)
{
    struct kw_span rest;

    if (!der_is_strict(tbs) || !der_contents(tbs, V_ASN1_SEQUENCE, &rest) ||
        !der_take(&rest, ret)) {
        return false;
    }
    bool has_version = ret->p[0] == (V_ASN1_CONTEXT_SPECIFIC | V_ASN1_CONSTRUCTED);
    return (!has_version || der_take(&rest, ret)) && der_take(&rest, ret);
}

kw_status cert_parse_tbs_templates(struct kw_op *op, struct kw_span tbs, struct cert **ret)
{
    struct kw_span alg;
    int64_t unix_s = 0;
    AUTO(kw_bytes) *der = NULL;
    AUTO(cert) *cert = NULL;

    ENSURE(op, tbs.len <= KW_CERT_MAX && find_alg(tbs, &alg), KW_E_INPUT, "not a TBSCertificate");
    TRY(op, signed_wrap(op, tbs, alg, &der));
    TRY(op, cert_new(op, kw_bytes_span(der), &cert), "reading a certificate to be signed");
    TRY(op, der_time_get_strict(op, cert->tbs->validity->not_before, &unix_s), "notBefore");
    TRY(op, der_time_get_strict(op, cert->tbs->validity->not_after, &unix_s), "notAfter");
    *ret = TAKE(cert);
    return KW_OK;
}

kw_status cert_parse_tbs(struct kw_op *op, struct kw_span tbs, struct cert **ret)
{
    AUTO(cert) *cert = NULL;

    TRY(op, cert_read_tbs(op, tbs, &cert));
    if (cert) {
        *ret = TAKE(cert);
        return KW_OK;
    }
    return cert_parse_tbs_templates(op, tbs, ret);
}

kw_status cert_from_x509(struct kw_op *op, const void *x509, struct cert **ret)
{
    unsigned char *der = NULL;

    int len = i2d_X509(x509, &der);
    OSSL_ENSURE(op, len > 0, KW_E_INPUT, "reading a certificate");
    kw_status status = cert_parse(op, KW_SPAN(der, (size_t)len), ret);
    OPENSSL_free(der);
    return status;
}

/* Certificates do not change, but their counts and their cached X509 do. */
static struct cert *unconst(const struct cert *cert)
{
    return (struct cert *)(uintptr_t)cert;
}

struct cert *cert_ref(const struct cert *cert)
{
    struct cert *shared = unconst(cert);

    if (shared) {
        atomic_fetch_add_explicit(&shared->n_refs, 1, memory_order_relaxed);
    }
    return shared;
}

void cert_unref(struct cert *cert)
{
    if (!cert || atomic_fetch_sub_explicit(&cert->n_refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    X509_free(atomic_load(&cert->x509));
    text_list_done(&cert->eku);
    text_list_done(&cert->san);
    pubkey_unref(cert->key);
    cert_tbs_free(cert->tbs);
    kw_bytes_free(cert->der);
    free(cert);
}

/* Two threads may both make one; the second to finish throws its own away. */
void *cert_x509(const struct cert *cert)
{
    X509 *known = atomic_load(&unconst(cert)->x509);

    if (known) {
        return known;
    }
    const unsigned char *p = cert->der->p;
    X509 *made = d2i_X509(NULL, &p, (long)cert->der->len);
    if (!made) {
        ERR_clear_error();
        return NULL;
    }
    if (atomic_compare_exchange_strong(&unconst(cert)->x509, &known, made)) {
        return made;
    }
    X509_free(made);
    return known;
}

struct kw_span cert_der(const struct cert *cert)
{
    return kw_bytes_span(cert->der);
}

struct kw_span cert_serial(const struct cert *cert)
{
    return cert->serial;
}

struct kw_span cert_issuer(const struct cert *cert)
{
    return cert->issuer;
}

struct kw_span cert_subject(const struct cert *cert)
{
    return cert->subject;
}

const struct pubkey *cert_public(const struct cert *cert)
{
    return cert->key;
}

const uint8_t *cert_sha256(const struct cert *cert)
{
    return cert->sha256;
}

int64_t cert_not_before(const struct cert *cert)
{
    return cert->not_before;
}

int64_t cert_not_after(const struct cert *cert)
{
    return cert->not_after;
}

unsigned cert_version(const struct cert *cert)
{
    return cert->version;
}

enum key_alg cert_sig_alg(const struct cert *cert)
{
    return cert->parts.key_alg;
}

bool cert_is_ca(const struct cert *cert)
{
    return cert->is_ca;
}

int cert_path_len(const struct cert *cert)
{
    return cert->path_len;
}

unsigned cert_key_usage(const struct cert *cert)
{
    return cert->key_usage;
}

unsigned cert_ext_present(const struct cert *cert)
{
    return cert->ext_present;
}

unsigned cert_ext_critical(const struct cert *cert)
{
    return cert->ext_critical;
}

unsigned cert_eku_count(const struct cert *cert)
{
    return cert->eku.n;
}

const char *cert_eku(const struct cert *cert, unsigned i)
{
    return text_list_get(&cert->eku, i);
}

struct kw_span cert_ski(const struct cert *cert)
{
    return kw_out_span(&cert->ski);
}

struct kw_span cert_aki(const struct cert *cert)
{
    return kw_out_span(&cert->aki);
}

unsigned cert_san_count(const struct cert *cert)
{
    return cert->san.n;
}

const char *cert_san(const struct cert *cert, unsigned i)
{
    return text_list_get(&cert->san, i);
}

kw_status cert_verify_signature(struct kw_op *op, const struct cert *cert,
                                const struct pubkey *issuer)
{
    return signed_verify(op, &cert->parts, issuer);
}
