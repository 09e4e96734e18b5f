#include "crypto/cms_key.h"

#include "crypto/cms_internal.h"
#include "crypto/der.h"

enum { KEY_ID_MAX = 64, SMALL_MAX = 8192 };

/* --- certificates that only CMS sees -----------------------------------------------------------
 */

static bool set_key_id(X509 *x509, struct kw_span id)
{
    AUTO(ASN1_OCTET_STRING) *ski = ASN1_OCTET_STRING_new();

    return ski && ASN1_OCTET_STRING_set(ski, id.p, (int)id.len) == 1 &&
           X509_add1_ext_i2d(x509, NID_subject_key_identifier, ski, 0, X509V3_ADD_DEFAULT) == 1;
}

/*
 * OpenSSL's CMS knows keys by certificates only. This one never leaves: of it, nothing but the key
 * and its identifier comes into the message.
 */
static kw_status wrap_key(struct kw_op *op, const struct pubkey *key, struct kw_span id,
                          const struct privkey *signer, X509 **ret)
{
    AUTO(X509) *x509 = X509_new();

    OSSL_ENSURE(op,
                x509 && X509_set_version(x509, X509_VERSION_3) == 1 &&
                    ASN1_INTEGER_set(X509_get_serialNumber(x509), 1) == 1 &&
                    X509_gmtime_adj(X509_getm_notBefore(x509), 0) &&
                    X509_gmtime_adj(X509_getm_notAfter(x509), 60) &&
                    X509_set_pubkey(x509, pubkey_evp(key)) == 1 && set_key_id(x509, id) &&
                    X509_sign(x509, privkey_evp(signer), EVP_sha256()) > 0,
                KW_E_MEMORY, "a key for CMS");
    *ret = TAKE(x509);
    return KW_OK;
}

/* --- the package -------------------------------------------------------------------------------
 */

/* AsymmetricKeyPackage ::= SEQUENCE OF OneAsymmetricKey (RFC 5958 section 2), of one. */
static kw_status pack(struct kw_op *op, const struct privkey *key, struct kw_secret **ret)
{
    AUTO(kw_secret) *pkcs8 = NULL;
    AUTO(kw_secret) *package = NULL;
    AUTO(kw_bytes) *header = NULL;

    TRY(op, privkey_to_pkcs8(op, key, &pkcs8));
    TRY(op, kw_bytes_new(8, &header));
    TRY(op, der_header(header, /* constructed= */ true, kw_secret_len(pkcs8), V_ASN1_SEQUENCE,
                       V_ASN1_UNIVERSAL));
    TRY(op, kw_secret_new(header->len + kw_secret_len(pkcs8), &package));
    memcpy(kw_secret_data(package), header->p, header->len);
    memcpy(kw_secret_data(package) + header->len, kw_secret_data(pkcs8), kw_secret_len(pkcs8));
    *ret = TAKE(package);
    return KW_OK;
}

static BIO *reader_of(const struct kw_secret *secret)
{
    struct kw_span octets = kw_secret_span(secret);

    return BIO_new_mem_buf(octets.p, (int)octets.len);
}

static bool set_type(CMS_ContentInfo *cms, const char *dotted)
{
    AUTO(ASN1_OBJECT) *type = OBJ_txt2obj(dotted, /* no_name= */ 1);

    return type && CMS_set1_eContentType(cms, type) == 1;
}

static kw_status encode_secret(struct kw_op *op, CMS_ContentInfo *cms, struct kw_secret **ret)
{
    int n = i2d_CMS_ContentInfo(cms, NULL);
    AUTO(kw_secret) *der = NULL;

    OSSL_ENSURE(op, n > 0 && n <= SMALL_MAX, KW_E_INTERNAL, "encoding a key package");
    TRY(op, kw_secret_new((size_t)n, &der));
    unsigned char *p = kw_secret_data(der);
    OSSL_ENSURE(op, i2d_CMS_ContentInfo(cms, &p) == n, KW_E_INTERNAL, "encoding a key package");
    *ret = TAKE(der);
    return KW_OK;
}

/* "The private key data MUST be placed inside of a CMS SignedData" (RFC 7030 section 4.4.2). */
static kw_status sign(struct kw_op *op, const struct privkey *key, struct kw_secret **ret)
{
    static const char key_package[] = "2.16.840.1.101.2.1.2.78.5"; /* RFC 5958 section 2 */
    const unsigned flags = CMS_BINARY | CMS_PARTIAL | CMS_USE_KEYID | CMS_NOCERTS;
    const struct pubkey *public = privkey_public(key);
    AUTO(kw_secret) *package = NULL;
    AUTO(X509) *self = NULL;

    TRY(op, pack(op, key, &package));
    TRY(op, wrap_key(op, public, KW_SPAN(pubkey_sha1(public), 20), key, &self));
    AUTO(BIO) *in = reader_of(package);
    AUTO(CMS_ContentInfo) *cms = CMS_sign(NULL, NULL, NULL, NULL, flags);
    OSSL_ENSURE(
        op,
        in && cms && set_type(cms, key_package) &&
            CMS_add1_signer(cms, self, privkey_evp(key), EVP_sha256(), flags | CMS_NOSMIMECAP) &&
            CMS_final(cms, in, NULL, CMS_BINARY) == 1,
        KW_E_UNSUPPORTED, "signing a key package");
    return encode_secret(op, cms, ret);
}

/* --- the envelope ------------------------------------------------------------------------------
 */

static kw_status envelop(struct kw_op *op, const struct kw_secret *content, X509 *recipient,
                         enum key_alg alg, struct kw_bytes **ret)
{
    const unsigned flags = CMS_BINARY | CMS_PARTIAL | CMS_USE_KEYID | CMS_KEY_PARAM;
    AUTO(BIO) *in = reader_of(content);
    AUTO(CMS_ContentInfo) *cms = CMS_encrypt(NULL, NULL, EVP_aes_256_cbc(), flags);
    AUTO(kw_bytes) *der = NULL;

    OSSL_ENSURE(op,
                in && cms && set_type(cms, "1.2.840.113549.1.7.2") /* id-signedData */ &&
                    cms_set_strength(CMS_add1_recipient_cert(cms, recipient, flags), alg) &&
                    CMS_final(cms, in, NULL, CMS_BINARY) == 1,
                KW_E_UNSUPPORTED, "encrypting a key package");
    int n = i2d_CMS_ContentInfo(cms, NULL);
    OSSL_ENSURE(op, n > 0 && n <= SMALL_MAX, KW_E_INTERNAL, "encoding an envelope");
    TRY(op, kw_bytes_new((size_t)n, &der));
    unsigned char *p = der->p;
    OSSL_ENSURE(op, i2d_CMS_ContentInfo(cms, &p) == n, KW_E_INTERNAL, "encoding an envelope");
    der->len = (size_t)n;
    *ret = TAKE(der);
    return KW_OK;
}

kw_status cms_key_seal(struct kw_op *op, const struct privkey *key, const struct pubkey *recipient,
                       struct kw_span recipient_id, struct kw_bytes **ret)
{
    enum key_alg to = pubkey_alg(recipient);
    AUTO(kw_secret) *content = NULL;
    AUTO(X509) *named = NULL;

    ENSURE(op, recipient_id.len > 0 && recipient_id.len <= KEY_ID_MAX, KW_E_INPUT,
           "the recipient's key identifier has %zu octets", recipient_id.len);
    ENSURE(op, to != KEY_ALG_ED25519 && pubkey_alg(privkey_public(key)) != KEY_ALG_ED25519,
           KW_E_UNSUPPORTED, "Ed25519 keys neither decrypt nor sign CMS here");
    TRY(op, sign(op, key, &content));
    TRY(op, wrap_key(op, recipient, recipient_id, key, &named));
    return envelop(op, content, named, to, ret);
}
