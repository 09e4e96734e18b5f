#include "crypto/cms.h"

#include "base/limits.h"
#include "crypto/der.h"

KW_OWNED(PKCS7, PKCS7, PKCS7_free)

/* RFC 5652 section 5.1 without what a degenerate message leaves out. Its SETs are sorted on
 * encoding. */
struct cms_content {
    ASN1_OBJECT *type;
};
/* clang-format off */
ASN1_SEQUENCE(cms_content) = {
    ASN1_SIMPLE(struct cms_content, type, ASN1_OBJECT),
} static_ASN1_SEQUENCE_END_name(struct cms_content, cms_content);
/* clang-format on */

struct cms_signed {
    ASN1_INTEGER *version;
    STACK_OF(X509_ALGOR) *digests; /* empty */
    struct cms_content *content;   /* id-data, eContent absent */
    STACK_OF(der_raw) *certs;
    STACK_OF(ASN1_TYPE) *signers; /* empty */
};
/* clang-format off */
ASN1_SEQUENCE(cms_signed) = {
    ASN1_SIMPLE(struct cms_signed, version, ASN1_INTEGER),
    ASN1_SET_OF(struct cms_signed, digests, X509_ALGOR),
    ASN1_SIMPLE(struct cms_signed, content, cms_content),
    ASN1_IMP_SET_OF_OPT(struct cms_signed, certs, ASN1_SEQUENCE, 0),
    ASN1_SET_OF(struct cms_signed, signers, ASN1_ANY),
} static_ASN1_SEQUENCE_END_name(struct cms_signed, cms_signed);
/* clang-format on */

struct cms_info {
    ASN1_OBJECT *type;
    struct cms_signed *content;
};
/* clang-format off */
ASN1_SEQUENCE(cms_info) = {
    ASN1_SIMPLE(struct cms_info, type, ASN1_OBJECT),
    ASN1_EXP(struct cms_info, content, cms_signed, 0),
} static_ASN1_SEQUENCE_END_name(struct cms_info, cms_info);
/* clang-format on */

static void cms_info_free(struct cms_info *info)
{
    ASN1_item_free((ASN1_VALUE *)info, ASN1_ITEM_rptr(cms_info));
}
KW_OWNED(cms_info, struct cms_info, cms_info_free)

/* Section 5.1: version 1 where all certificates are X.509 and the content is id-data. */
static kw_status fill(struct kw_op *op, const struct kw_span certs[], unsigned n,
                      struct cms_info *info, size_t *ret_len)
{
    OSSL_ENSURE(op, ASN1_INTEGER_set(info->content->version, 1), KW_E_MEMORY, "CMS version");
    info->type = OBJ_nid2obj(NID_pkcs7_signed); /* static, never freed */
    info->content->content->type = OBJ_nid2obj(NID_pkcs7_data);
    for (unsigned i = 0; i < n; i++) {
        TRY(op, der_raw_add(op, &info->content->certs, certs[i]));
        *ret_len += certs[i].len;
    }
    return KW_OK;
}

kw_status cms_certs_wrap(struct kw_op *op, const struct kw_span certs[], unsigned n,
                         struct kw_bytes **ret)
{
    AUTO(cms_info) *info = (struct cms_info *)ASN1_item_new(ASN1_ITEM_rptr(cms_info));
    AUTO(kw_bytes) *der = NULL;
    size_t len = 128;

    OSSL_ENSURE(op, info, KW_E_MEMORY, "building certs-only CMS");
    ENSURE(op, n >= 1 && n <= KW_CA_CERTS_MAX, KW_E_INPUT, "%u certificates, 1 to %d are sent", n,
           (int)KW_CA_CERTS_MAX);
    TRY(op, fill(op, certs, n, info, &len), "building certs-only CMS");
    TRY(op, kw_bytes_new(len, &der));
    TRY(op, der_encode(op, ASN1_ITEM_rptr(cms_info), info, der));
    *ret = TAKE(der);
    return KW_OK;
}

kw_status cms_certs_build(struct kw_op *op, struct cert *const certs[], unsigned n,
                          struct kw_bytes **ret)
{
    struct kw_span ders[KW_CA_CERTS_MAX];

    for (unsigned i = 0; i < n && i < KW_CA_CERTS_MAX; i++) {
        ders[i] = cert_der(certs[i]);
    }
    return cms_certs_wrap(op, ders, n, ret);
}

/* Other servers send BER, CRLs and unsorted sets as well: OpenSSL's own decoder takes them. */
static kw_status decode(struct kw_op *op, struct kw_span der, PKCS7 **ret)
{
    const unsigned char *p = der.p;

    ENSURE(op, der.len > 0 && der.len <= KW_CA_CERTS_BYTES, KW_E_INPUT, "%zu octets of CMS",
           der.len);
    AUTO(PKCS7) *pkcs7 = d2i_PKCS7(NULL, &p, (long)der.len);
    OSSL_ENSURE(op, pkcs7, KW_E_INPUT, "CMS");
    ENSURE(op, p == der.p + der.len, KW_E_INPUT, "octets behind the CMS object");
    *ret = TAKE(pkcs7);
    return KW_OK;
}

static kw_status read_certs(struct kw_op *op, struct kw_span der, struct cert *ret[], unsigned max,
                            unsigned *n)
{
    AUTO(PKCS7) *pkcs7 = NULL;

    TRY(op, decode(op, der, &pkcs7));
    ENSURE(op, pkcs7 && PKCS7_type_is_signed(pkcs7) && pkcs7->d.sign, KW_E_INPUT, "not SignedData");
    const STACK_OF(X509) *certs = pkcs7->d.sign->cert;
    int count = certs ? sk_X509_num(certs) : 0;
    ENSURE(op, count > 0 && (unsigned)count <= max, KW_E_INPUT, "%d certificates, at most %u fit",
           count, max);
    for (; *n < (unsigned)count; (*n)++) {
        TRY(op, cert_from_x509(op, sk_X509_value(certs, (int)*n), &ret[*n]));
    }
    return KW_OK;
}

kw_status cms_certs_parse(struct kw_op *op, struct kw_span der, struct cert *ret[], unsigned max,
                          unsigned *ret_n)
{
    unsigned n = 0;

    kw_status status = read_certs(op, der, ret, max, &n);
    if (!kw_ok(status)) {
        while (n > 0) {
            n--;
            cert_unref(ret[n]);
            ret[n] = NULL;
        }
        return kw_op_context(op, status, KW_HERE_FILE, KW_HERE_LINE, "reading certs-only CMS");
    }
    *ret_n = n;
    return KW_OK;
}
