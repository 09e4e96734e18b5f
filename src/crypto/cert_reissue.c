/* The same certificate for another key, or by another root: what a root does for a CA whose key is
 * rotated, and the next root for the CAs of the one before. */
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

/* Both have one instance of each kind: the new value takes the old one's place. */
static kw_status replace_ext(struct kw_op *op, STACK_OF(ext) *exts, struct ext *fresh)
{
    for (int i = 0; i < ext_count(exts); i++) {
        struct ext *one = sk_ext_value(exts, i);
        if (ext_nid(one) == ext_nid(fresh)) {
            ASN1_OCTET_STRING *old = one->value;
            one->value = fresh->value;
            fresh->value = old;
            return KW_OK;
        }
    }
    return FAIL(op, KW_E_INPUT, "the certificate lacks an extension of the new issuer's");
}

/* Those that speak of the issuer: its key, and where its list and its certificate lie. */
static kw_status issuer_exts(struct kw_op *op, const struct cert_again *again,
                             const struct cert *model, STACK_OF(ext) **ret)
{
    const struct cert_spec spec = {.subject_dn = cert_subject(model),
                                   .key = again->key,
                                   .issuer_key = cert_public(again->issuer),
                                   .key_usage = CERT_KU_KEY_CERT_SIGN,
                                   .is_ca = true,
                                   .path_len = -1,
                                   .crl_url = again->crl_url,
                                   .ca_issuers_url = again->ca_issuers_url};

    return cert_exts_make(op, &spec, ret);
}

static kw_status change_issuer(struct kw_op *op, const struct cert_again *again,
                               const struct cert *model, enum key_alg issuer_alg,
                               struct cert_tbs *tbs)
{
    static const int nids[] = {NID_authority_key_identifier, NID_crl_distribution_points,
                               NID_info_access};
    AUTO(ext_list) *fresh = NULL;

    TRY(op, cert_tbs_name(op, cert_subject(again->issuer), "issuer name", tbs->issuer));
    X509_ALGOR_free(tbs->sig_alg);
    tbs->sig_alg = NULL;
    TRY(op, signed_alg_new(op, issuer_alg, &tbs->sig_alg));
    TRY(op, issuer_exts(op, again, model, &fresh));
    for (int i = 0; i < ext_count(fresh); i++) {
        struct ext *one = sk_ext_value(fresh, i);
        for (size_t k = 0; k < KW_COUNT(nids); k++) {
            TRY(op, ext_nid(one) == nids[k] ? replace_ext(op, tbs->exts, one) : KW_OK);
        }
    }
    return KW_OK;
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

    if (!again->issuer) {
        TRY(op, cert_verify_signature(op, model, privkey_public(issuer)),
            "the certificate to be followed is not by this issuer");
    }
    TRY(op, signed_parse(op, cert_der(model), &parts));
    TRY(op, der_decode(op, ASN1_ITEM_rptr(cert_tbs), parts.tbs, "TBSCertificate", &tbs));
    TRY(op, change(op, again, tbs), "building a certificate");
    if (again->issuer) {
        TRY(op, change_issuer(op, again, model, pubkey_alg(privkey_public(issuer)), tbs),
            "building a certificate");
    }
    TRY(op, kw_bytes_new(1024, &der));
    TRY(op, der_encode(op, ASN1_ITEM_rptr(cert_tbs), tbs, der));
    return signed_build(op, kw_bytes_span(der), issuer, ret);
}
