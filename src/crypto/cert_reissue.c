/* The same certificate for another key: what a root does for a CA whose key is rotated. */
#include "crypto/cert.h"
#include "crypto/cert_tbs.h"
#include "crypto/ext.h"
#include "crypto/signed.h"

enum { SKI_BYTES = 20 };

static kw_status replace_ski(struct kw_op *op, STACK_OF(ext) *exts, const struct pubkey *key)
{
    for (int i = 0; i < ext_count(exts); i++) {
        struct ext *one = sk_ext_value(exts, i);
        uint8_t value[2 + SKI_BYTES] = {V_ASN1_OCTET_STRING, SKI_BYTES};
        if (ext_nid(one) != NID_subject_key_identifier) {
            continue;
        }
        memcpy(value + 2, pubkey_sha1(key), SKI_BYTES);
        OSSL_ENSURE(op, ASN1_OCTET_STRING_set(one->value, value, sizeof(value)), KW_E_MEMORY,
                    "subject key identifier");
        return KW_OK;
    }
    return FAIL(op, KW_E_INPUT, "the certificate has no subject key identifier");
}

static kw_status change(struct kw_op *op, const struct cert_again *again, struct cert_tbs *tbs)
{
    struct kw_span key = pubkey_spki(again->key);

    TRY(op, der_serial_set(op, tbs->serial, again->serial));
    TRY(op, der_time_set(op, tbs->validity->not_before, again->not_before), "notBefore");
    TRY(op, der_time_set(op, tbs->validity->not_after, again->not_after), "notAfter");
    OSSL_ENSURE(op, ASN1_STRING_set(tbs->key, key.p, (int)key.len), KW_E_MEMORY, "public key");
    return replace_ski(op, tbs->exts, again->key);
}

kw_status cert_reissue(struct kw_op *op, const struct cert *model, const struct cert_again *again,
                       const struct privkey *issuer, struct kw_bytes **ret)
{
    struct signed_der parts;
    AUTO(cert_tbs) *tbs = NULL;
    AUTO(kw_bytes) *der = NULL;

    TRY(op, cert_verify_signature(op, model, privkey_public(issuer)),
        "the certificate to be followed is not by this issuer");
    TRY(op, signed_parse(op, cert_der(model), &parts));
    TRY(op, der_decode(op, ASN1_ITEM_rptr(cert_tbs), parts.tbs, "TBSCertificate", &tbs));
    TRY(op, change(op, again, tbs), "building a certificate");
    TRY(op, kw_bytes_new(1024, &der));
    TRY(op, der_encode(op, ASN1_ITEM_rptr(cert_tbs), tbs, der));
    return signed_build(op, kw_bytes_span(der), issuer, ret);
}
