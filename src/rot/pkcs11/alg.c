#include "rot/pkcs11/alg.h"

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/param_build.h>

#include "crypto/digest.h"
#include "crypto/openssl.h"

KW_OWNED(ECDSA_SIG, ECDSA_SIG, ECDSA_SIG_free)
KW_OWNED(OSSL_PARAM_BLD, OSSL_PARAM_BLD, OSSL_PARAM_BLD_free)
KW_OWNED(OSSL_PARAM, OSSL_PARAM, OSSL_PARAM_free)

static const uint8_t oid_p256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
static const uint8_t oid_p384[] = {0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22};
/* RFC 8410's id-Ed25519; the name of PKCS#11 3.0; the OID of PKCS#11 3.0. */
static const uint8_t oid_ed25519[] = {0x06, 0x03, 0x2b, 0x65, 0x70};
static const uint8_t name_ed25519[] = {0x13, 0x0c, 'e', 'd', 'w', 'a', 'r',
                                       'd',  's',  '2', '5', '5', '1', '9'};
static const uint8_t gnu_ed25519[] = {0x06, 0x09, 0x2b, 0x06, 0x01, 0x04,
                                      0x01, 0xda, 0x47, 0x0f, 0x01};
/* RFC 8017 section 9.2 note 1: the DigestInfo of SHA-256 without the hash. */
static const uint8_t digest_info[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                      0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};

#define CURVE(array) {array, sizeof(array)}

static const struct p11_alg algs[] = {
    {.alg = KEY_ALG_EC_P256,
     .type = CKK_EC,
     .make = CKM_EC_KEY_PAIR_GEN,
     .sign = CKM_ECDSA,
     .group = "prime256v1",
     .n_point = 65,
     .n_coordinate = 32,
     .n_curves = 1,
     .curves = {CURVE(oid_p256)}},
    {.alg = KEY_ALG_EC_P384,
     .type = CKK_EC,
     .make = CKM_EC_KEY_PAIR_GEN,
     .sign = CKM_ECDSA,
     .group = "secp384r1",
     .n_point = 97,
     .n_coordinate = 48,
     .n_curves = 1,
     .curves = {CURVE(oid_p384)}},
    {.alg = KEY_ALG_ED25519,
     .type = CKK_EC_EDWARDS,
     .make = CKM_EC_EDWARDS_KEY_PAIR_GEN,
     .sign = CKM_EDDSA,
     .n_point = 32,
     .n_curves = 3,
     .curves = {CURVE(oid_ed25519), CURVE(name_ed25519), CURVE(gnu_ed25519)}},
    {.alg = KEY_ALG_RSA_3072,
     .type = CKK_RSA,
     .make = CKM_RSA_PKCS_KEY_PAIR_GEN,
     .sign = CKM_RSA_PKCS},
};

const struct p11_alg *p11_alg_of(enum key_alg alg)
{
    for (size_t i = 0; i < KW_COUNT(algs); i++) {
        if (algs[i].alg == alg) {
            return &algs[i];
        }
    }
    return NULL;
}

const struct p11_alg *p11_alg_find(CK_KEY_TYPE type, struct kw_span curve)
{
    for (size_t i = 0; i < KW_COUNT(algs); i++) {
        bool known = algs[i].n_curves == 0;
        for (unsigned k = 0; k < algs[i].n_curves; k++) {
            known = known || kw_span_equal(algs[i].curves[k], curve);
        }
        if (algs[i].type == type && known) {
            return &algs[i];
        }
    }
    return NULL;
}

/* --- public keys --- */

bool p11_point(struct kw_span value, size_t n_point, struct kw_span *ret)
{
    size_t head = 0; /* the lengths of our points fit in one octet of DER */

    if (value.len == n_point + 2 && value.p[0] == V_ASN1_OCTET_STRING && value.p[1] == n_point) {
        head = 2;
    } else if (value.len == n_point + 3 && value.p[0] == V_ASN1_BIT_STRING &&
               value.p[1] == n_point + 1 && value.p[2] == 0) {
        head = 3;
    } else if (value.len != n_point) {
        return false;
    }
    *ret = kw_span_sub(value, head, n_point);
    return true;
}

/* Takes the parameters that were put together to a public key. */
static kw_status key_of(struct kw_op *op, const char *type, OSSL_PARAM_BLD *build,
                        struct pubkey **ret)
{
    AUTO(OSSL_PARAM) *params = OSSL_PARAM_BLD_to_param(build);
    AUTO(EVP_PKEY_CTX) *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    AUTO(EVP_PKEY) *pkey = NULL;

    ENSURE(op, params && ctx, KW_E_MEMORY);
    OSSL_ENSURE(op, EVP_PKEY_fromdata_init(ctx) == 1, KW_E_INTERNAL, "reading the token's key");
    OSSL_ENSURE(op, EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) == 1, KW_E_DEVICE,
                "reading the token's key");
    TRY(op, pubkey_from_evp(op, pkey, ret));
    return KW_OK;
}

kw_status p11_public_point(struct kw_op *op, const struct p11_alg *alg, struct kw_span value,
                           struct pubkey **ret)
{
    struct kw_span point = {NULL, 0};
    AUTO(OSSL_PARAM_BLD) *build = OSSL_PARAM_BLD_new();

    ENSURE(op, build, KW_E_MEMORY);
    ENSURE(op, p11_point(value, alg->n_point, &point), KW_E_DEVICE,
           "the token's public point of %zu octets makes no sense", value.len);
    bool built =
        OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point.p, point.len) == 1;
    if (alg->group) {
        built = built && OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME,
                                                         alg->group, 0) == 1;
    }
    OSSL_ENSURE(op, built, KW_E_MEMORY, "reading the token's key");
    return key_of(op, alg->group ? "EC" : "ED25519", build, ret);
}

kw_status p11_public_rsa(struct kw_op *op, struct kw_span modulus, struct kw_span exponent,
                         struct pubkey **ret)
{
    AUTO(OSSL_PARAM_BLD) *build = OSSL_PARAM_BLD_new();
    AUTO(BIGNUM) *n = BN_bin2bn(modulus.p, (int)modulus.len, NULL);
    AUTO(BIGNUM) *e = BN_bin2bn(exponent.p, (int)exponent.len, NULL);

    ENSURE(op, build && n && e, KW_E_MEMORY);
    OSSL_ENSURE(op,
                OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
                    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e) == 1,
                KW_E_MEMORY, "reading the token's key");
    return key_of(op, "RSA", build, ret);
}

/* --- signatures --- */

kw_status p11_sign_input(struct kw_op *op, const struct p11_alg *alg, struct kw_span message,
                         struct kw_out *out)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    size_t len = 0;

    OSSL_ENSURE(op,
                EVP_Q_digest(NULL, key_alg_digest(alg->alg), NULL, message.p, message.len, digest,
                             &len) == 1,
                KW_E_INTERNAL, "hashing the message");
    out->len = 0;
    if (alg->type == CKK_RSA) {
        TRY(op, kw_out_append(out, KW_SPAN_ARRAY(digest_info)));
    }
    TRY(op, kw_out_append(out, KW_SPAN(digest, len)));
    return KW_OK;
}

/* r and s as DER ECDSA-Sig-Value. */
static kw_status encode_ecdsa(struct kw_op *op, struct kw_span from, struct kw_out *sig)
{
    uint8_t der[KW_SIG_MAX];
    uint8_t *end = der;
    int half = (int)from.len / 2;
    AUTO(ECDSA_SIG) *pair = ECDSA_SIG_new();
    AUTO(BIGNUM) *r = BN_bin2bn(from.p, half, NULL);
    AUTO(BIGNUM) *s = BN_bin2bn(from.p + half, half, NULL);

    ENSURE(op, pair && r && s && ECDSA_SIG_set0(pair, r, s), KW_E_MEMORY);
    r = NULL; /* the pair has both */
    s = NULL;
    int len = i2d_ECDSA_SIG(pair, &end); /* at most 2 * (48 + 3) + 3 octets */
    OSSL_ENSURE(op, len > 0, KW_E_MEMORY, "encoding the signature");
    TRY(op, kw_out_set(sig, KW_SPAN(der, (size_t)len)), "no room for the signature");
    return KW_OK;
}

kw_status p11_signature(struct kw_op *op, const struct p11_alg *alg, struct kw_span from,
                        struct kw_out *sig)
{
    if (alg->n_coordinate > 0) {
        ENSURE(op, from.len == 2 * (size_t)alg->n_coordinate, KW_E_DEVICE,
               "the token's signature has %zu octets", from.len);
        return encode_ecdsa(op, from, sig);
    }
    TRY(op, kw_out_set(sig, from), "no room for the signature");
    return KW_OK;
}
