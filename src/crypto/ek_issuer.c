#include "crypto/ek_issuer.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "crypto/digest.h"
#include "crypto/openssl.h"

enum { DEPTH_MAX = 6, SECURITY_BITS = 112 };
KW_OWNED(AUTHORITY_INFO_ACCESS, AUTHORITY_INFO_ACCESS, AUTHORITY_INFO_ACCESS_free)

static void printable(const char *from, size_t n, char ret[EK_TEXT_MAX])
{
    size_t i = 0;

    for (; i < n && i + 1 < EK_TEXT_MAX; i++) {
        ret[i] = from[i] > 0x20 && from[i] < 0x7f ? from[i] : from[i] == ' ' ? ' ' : '?';
    }
    ret[i] = 0;
}

static void name_of(const X509_NAME *name, char ret[EK_TEXT_MAX])
{
    char text[EK_TEXT_MAX] = "";

    (void)X509_NAME_oneline(name, text, sizeof(text));
    printable(text, strlen(text), ret);
}

static X509 *read_cert(struct kw_span der)
{
    const unsigned char *p = der.p;

    return d2i_X509(NULL, &p, (long)der.len);
}

static bool key_id(X509 *cert, uint8_t ret[KW_HASH_BYTES])
{
    unsigned char *der = NULL;
    int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);

    if (n <= 0) {
        return false;
    }
    digest_sha256(KW_SPAN(der, (size_t)n), ret);
    OPENSSL_free(der);
    return true;
}

/* The first URI of caIssuers. */
static void aia_of(X509 *cert, char ret[EK_TEXT_MAX])
{
    AUTO(AUTHORITY_INFO_ACCESS) *all = X509_get_ext_d2i(cert, NID_info_access, NULL, NULL);

    *ret = 0;
    for (int i = 0; i < sk_ACCESS_DESCRIPTION_num(all) && !*ret; i++) {
        const ACCESS_DESCRIPTION *one = sk_ACCESS_DESCRIPTION_value(all, i);
        if (OBJ_obj2nid(one->method) == NID_ad_ca_issuers && one->location->type == GEN_URI) {
            const ASN1_STRING *url = one->location->d.uniformResourceIdentifier;
            printable((const char *)ASN1_STRING_get0_data(url), (size_t)ASN1_STRING_length(url),
                      ret);
        }
    }
}

/* The CA among those given that signed it; the caller frees. */
static X509 *find_issuer(X509 *cert, const struct kw_span cas[], unsigned n_cas)
{
    for (unsigned i = 0; i < n_cas; i++) {
        X509 *ca = read_cert(cas[i]);
        if (ca && X509_check_issued(ca, cert) == X509_V_OK &&
            X509_verify(cert, X509_get0_pubkey(ca)) == 1) {
            return ca;
        }
        X509_free(ca);
    }
    return NULL;
}

/* Upwards until a CA is missing, or signed itself. */
static void find_missing(X509 *from, const struct kw_span cas[], unsigned n_cas,
                         struct ek_issuer *ret)
{
    AUTO(X509) *cert = from;

    (void)X509_up_ref(from);
    for (unsigned depth = 0; depth < DEPTH_MAX; depth++) {
        AUTO(X509) *issuer = find_issuer(cert, cas, n_cas);
        if (!issuer) {
            name_of(X509_get_issuer_name(cert), ret->missing);
            aia_of(cert, ret->url);
            return;
        }
        if (X509_self_signed(issuer, /* verify_signature= */ 1) == 1) {
            return;
        }
        X509_free(cert);
        cert = TAKE(issuer);
    }
}

kw_status ek_issuer_of(struct kw_op *op, struct kw_span ek_cert, const struct kw_span cas[],
                       unsigned n_cas, struct ek_issuer *ret)
{
    AUTO(X509) *cert = read_cert(ek_cert);

    memset(ret, 0, sizeof(*ret));
    OSSL_ENSURE(op, cert, KW_E_INPUT, "not a certificate");
    const ASN1_INTEGER *serial = X509_get0_serialNumber(cert);
    int n = ASN1_STRING_length(serial);
    ENSURE(op, n > 0 && n <= EK_SERIAL_MAX, KW_E_INPUT, "an EK certificate's serial number of %d",
           n);
    memcpy(ret->serial, ASN1_STRING_get0_data(serial), (size_t)n);
    ret->serial_len = (unsigned)n;
    AUTO(X509) *issuer = find_issuer(cert, cas, n_cas);
    ret->known = issuer && key_id(issuer, ret->key);
    find_missing(cert, cas, n_cas, ret);
    ERR_clear_error();
    return KW_OK;
}

/* --- CRLs ------------------------------------------------------------------------------------- */

static int64_t unix_of(const ASN1_TIME *time)
{
    AUTO(ASN1_TIME) *epoch = ASN1_TIME_set(NULL, 0);
    int days = 0, seconds = 0;

    return time && epoch && ASN1_TIME_diff(&days, &seconds, epoch, time) == 1
               ? (int64_t)days * 86400 + seconds
               : 0;
}

static kw_status read_crl(struct kw_op *op, struct kw_span der, X509_CRL **ret)
{
    const unsigned char *p = der.p;

    *ret = d2i_X509_CRL(NULL, &p, (long)der.len);
    OSSL_ENSURE(op, *ret, KW_E_INPUT, "not a CRL");
    ENSURE(op, p == der.p + der.len, KW_E_INPUT, "octets behind the CRL");
    ENSURE(op,
           X509_CRL_get_ext_by_NID(*ret, NID_delta_crl, -1) < 0 &&
               X509_CRL_get_ext_by_NID(*ret, NID_issuing_distribution_point, -1) < 0,
           KW_E_INPUT, "a CRL of a part only");
    return KW_OK;
}

static bool signed_by(X509_CRL *crl, X509 *ca)
{
    int bits = 0, nid = NID_undef;
    uint32_t flags = 0;

    return X509_NAME_cmp(X509_get_subject_name(ca), X509_CRL_get_issuer(crl)) == 0 &&
           X509_get_signature_info(ca, &nid, NULL, &bits, &flags) == 1 &&
           OBJ_find_sigid_algs(X509_CRL_get_signature_nid(crl), &nid, NULL) == 1 &&
           nid != NID_sha1 && nid != NID_md5 &&
           EVP_PKEY_get_security_bits(X509_get0_pubkey(ca)) >= SECURITY_BITS &&
           X509_CRL_verify(crl, X509_get0_pubkey(ca)) == 1;
}

kw_status ek_crl_read(struct kw_op *op, struct kw_span der, const struct kw_span cas[],
                      unsigned n_cas, struct ek_crl *ret)
{
    AUTO(X509_CRL) *crl = NULL;
    bool found = false;

    memset(ret, 0, sizeof(*ret));
    TRY(op, read_crl(op, der, &crl));
    name_of(X509_CRL_get_issuer(crl), ret->name);
    for (unsigned i = 0; i < n_cas && !found; i++) {
        AUTO(X509) *ca = read_cert(cas[i]);
        found = ca && signed_by(crl, ca) && key_id(ca, ret->issuer);
    }
    ERR_clear_error();
    ENSURE(op, found, KW_E_DENIED,
           "the CRL of '%s' is signed by no CA that was added (keywright attest trust)", ret->name);
    ret->this_update = unix_of(X509_CRL_get0_lastUpdate(crl));
    ret->next_update = unix_of(X509_CRL_get0_nextUpdate(crl));
    int n = sk_X509_REVOKED_num(X509_CRL_get_REVOKED(crl));
    ret->n = n > 0 ? (unsigned)n : 0;
    ENSURE(op, ret->n <= EK_CRL_ENTRIES_MAX, KW_E_TOO_LARGE, "the CRL has %u entries", ret->n);
    return KW_OK;
}

kw_status ek_crl_each(struct kw_op *op, struct kw_span der, const struct ek_crl *known,
                      ek_crl_fn each, void *ctx)
{
    AUTO(X509_CRL) *crl = NULL;

    TRY(op, read_crl(op, der, &crl));
    STACK_OF(X509_REVOKED) *all = X509_CRL_get_REVOKED(crl);
    for (int i = 0; i < sk_X509_REVOKED_num(all); i++) {
        const ASN1_INTEGER *serial = X509_REVOKED_get0_serialNumber(sk_X509_REVOKED_value(all, i));
        int n = ASN1_STRING_length(serial);
        if (n > 0 && n <= EK_SERIAL_MAX) { /* a longer one is of no EK that was taken */
            TRY(op,
                each(op, ctx, known->issuer, KW_SPAN(ASN1_STRING_get0_data(serial), (size_t)n)));
        }
    }
    return KW_OK;
}
