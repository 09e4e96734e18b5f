#include "crypto/cms_file.h"

#include "crypto/cms_internal.h"
#include "crypto/openssl.h"

static kw_status encode(struct kw_op *op, const CMS_ContentInfo *cms, struct kw_bytes **ret)
{
    int n = i2d_CMS_ContentInfo(cms, NULL);
    AUTO(kw_bytes) *der = NULL;

    OSSL_ENSURE(op, n > 0, KW_E_INTERNAL, "encoding CMS");
    TRY(op, kw_bytes_new((size_t)n, &der));
    unsigned char *p = der->p;
    OSSL_ENSURE(op, i2d_CMS_ContentInfo(cms, &p) == n, KW_E_INTERNAL, "encoding CMS");
    der->len = (size_t)n;
    *ret = TAKE(der);
    return KW_OK;
}

static bool add_certs(CMS_ContentInfo *cms, struct cert *const chain[], unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (CMS_add1_cert(cms, cert_x509(chain[i])) != 1) {
            return false;
        }
    }
    return true;
}

/* The device's time, which may be better than its clock. */
static bool add_time(CMS_SignerInfo *signer, int64_t at_unix)
{
    AUTO(ASN1_TIME) *when = ASN1_TIME_adj(NULL, (time_t)at_unix, 0, 0);

    return signer && when &&
           CMS_signed_add1_attr_by_NID(signer, NID_pkcs9_signingTime, when->type, when, -1) == 1;
}

static kw_status sign(struct kw_op *op, struct kw_span content, const struct privkey *key,
                      struct cert *const chain[], unsigned n_chain, int64_t at_unix,
                      struct kw_bytes **ret)
{
    const unsigned flags = CMS_BINARY | CMS_PARTIAL | CMS_NOCERTS | CMS_NOSMIMECAP | CMS_CADES;
    AUTO(BIO) *in = BIO_new_mem_buf(content.p, (int)content.len);
    AUTO(CMS_ContentInfo) *cms = CMS_sign(NULL, NULL, NULL, NULL, flags);

    OSSL_ENSURE(op, in && cms && add_certs(cms, chain, n_chain), KW_E_MEMORY, "signing a file");
    CMS_SignerInfo *signer =
        CMS_add1_signer(cms, cert_x509(chain[0]), privkey_evp(key), EVP_sha256(), flags);
    OSSL_ENSURE(op, add_time(signer, at_unix), KW_E_UNSUPPORTED, "signing a file");
    OSSL_ENSURE(op, CMS_final(cms, in, NULL, CMS_BINARY) == 1, KW_E_INTERNAL, "signing a file");
    return encode(op, cms, ret);
}

static kw_status encrypt(struct kw_op *op, struct kw_span content, const struct cert *recipient,
                         struct kw_bytes **ret)
{
    const unsigned flags = CMS_BINARY | CMS_PARTIAL | CMS_KEY_PARAM;
    enum key_alg alg = pubkey_alg(cert_public(recipient));
    AUTO(BIO) *in = BIO_new_mem_buf(content.p, (int)content.len);
    AUTO(CMS_ContentInfo) *cms = CMS_encrypt(NULL, NULL, EVP_aes_256_gcm(), flags);

    OSSL_ENSURE(op, in && cms && CMS_set1_eContentType(cms, OBJ_nid2obj(NID_pkcs7_signed)) == 1,
                KW_E_MEMORY, "encrypting a file");
    OSSL_ENSURE(op,
                cms_set_strength(CMS_add1_recipient_cert(cms, cert_x509(recipient), flags), alg) &&
                    CMS_final(cms, in, NULL, CMS_BINARY) == 1,
                KW_E_UNSUPPORTED, "encrypting a file");
    return encode(op, cms, ret);
}

kw_status cms_file_protect(struct kw_op *op, struct kw_span content, const struct privkey *key,
                           struct cert *const chain[], unsigned n_chain,
                           const struct cert *recipient, int64_t at_unix, struct kw_bytes **ret)
{
    enum key_alg to = pubkey_alg(cert_public(recipient));
    AUTO(kw_bytes) *signed_file = NULL;

    ENSURE(op, content.len > 0 && content.len <= CMS_FILE_MAX, KW_E_TOO_LARGE,
           "a file of %zu octets; 1 to %d are taken", content.len, (int)CMS_FILE_MAX);
    ENSURE(op, n_chain >= 1 && n_chain <= CMS_FILE_CHAIN_MAX, KW_E_INPUT, "the signer's chain");
    ENSURE(op, to != KEY_ALG_ED25519, KW_E_UNSUPPORTED, "Ed25519 keys do not decrypt");
    TRY(op, sign(op, content, key, chain, n_chain, at_unix, &signed_file));
    return encrypt(op, kw_bytes_span(signed_file), recipient, ret);
}
