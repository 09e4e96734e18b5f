#include "crypto/cert_tbs.h"

#include "crypto/cert.h"
#include "crypto/digest.h"
#include "crypto/dn.h"
#include "crypto/signed.h"

DECLARE_ASN1_ITEM(cert_validity)

/* clang-format off */
ASN1_SEQUENCE(cert_validity) = {
    ASN1_SIMPLE(struct cert_validity, not_before, ASN1_TIME),
    ASN1_SIMPLE(struct cert_validity, not_after, ASN1_TIME),
} ASN1_SEQUENCE_END_name(struct cert_validity, cert_validity);

ASN1_SEQUENCE(cert_tbs) = {
    ASN1_EXP_OPT(struct cert_tbs, version, ASN1_INTEGER, 0),
    ASN1_SIMPLE(struct cert_tbs, serial, ASN1_INTEGER),
    ASN1_SIMPLE(struct cert_tbs, sig_alg, X509_ALGOR),
    ASN1_SIMPLE(struct cert_tbs, issuer, ASN1_SEQUENCE),
    ASN1_SIMPLE(struct cert_tbs, validity, cert_validity),
    ASN1_SIMPLE(struct cert_tbs, subject, ASN1_SEQUENCE),
    ASN1_SIMPLE(struct cert_tbs, key, ASN1_SEQUENCE),
    ASN1_EXP_SEQUENCE_OF_OPT(struct cert_tbs, exts, ext, 3),
} ASN1_SEQUENCE_END_name(struct cert_tbs, cert_tbs);
/* clang-format on */

kw_status cert_tbs_new(struct kw_op *op, struct cert_tbs **ret)
{
    *ret = (struct cert_tbs *)ASN1_item_new(ASN1_ITEM_rptr(cert_tbs));
    OSSL_ENSURE(op, *ret, KW_E_MEMORY, "making a certificate");
    return KW_OK;
}

kw_status cert_tbs_name(struct kw_op *op, struct kw_span dn, const char *what, ASN1_STRING *ret)
{
    TRY(op, dn_check(op, dn, what));
    OSSL_ENSURE(op, ASN1_STRING_set(ret, dn.p, (int)dn.len), KW_E_MEMORY, what);
    return KW_OK;
}

void cert_tbs_free(struct cert_tbs *tbs)
{
    ASN1_item_free((ASN1_VALUE *)tbs, ASN1_ITEM_rptr(cert_tbs));
}

kw_status cert_tbs_sha256(struct kw_op *op, struct kw_span der, uint8_t ret[KW_HASH_BYTES])
{
    struct signed_der parts;

    TRY(op, signed_parse(op, der, &parts));
    digest_sha256(parts.tbs, ret);
    return KW_OK;
}
