#include "crypto/signed.h"

static const struct {
    enum key_alg alg;
    int nid;
    int parameters; /* V_ASN1_UNDEF = absent */
} algs[] = {
    {KEY_ALG_EC_P256,  NID_ecdsa_with_SHA256,       V_ASN1_UNDEF},
    {KEY_ALG_EC_P384,  NID_ecdsa_with_SHA384,       V_ASN1_UNDEF},
    {KEY_ALG_ED25519,  NID_ED25519,                 V_ASN1_UNDEF},
    {KEY_ALG_RSA_3072, NID_sha256WithRSAEncryption, V_ASN1_NULL },
};
_Static_assert(KW_COUNT(algs) == KEY_ALG_MAX - 1, "one row an algorithm");

kw_status signed_alg_new(struct kw_op *op, enum key_alg alg, X509_ALGOR **ret)
{
    for (size_t i = 0; i < KW_COUNT(algs); i++) {
        if (algs[i].alg != alg) {
            continue;
        }
        AUTO(X509_ALGOR) *algor = X509_ALGOR_new();
        OSSL_ENSURE(
            op, algor && X509_ALGOR_set0(algor, OBJ_nid2obj(algs[i].nid), algs[i].parameters, NULL),
            KW_E_MEMORY, "naming the signature algorithm");
        *ret = TAKE(algor);
        return KW_OK;
    }
    return FAIL(op, KW_E_UNSUPPORTED, "no signature algorithm for a key of '%s'",
                key_alg_text(alg));
}

enum key_alg signed_alg_of(const X509_ALGOR *algor)
{
    const ASN1_OBJECT *oid = NULL;
    int parameters = 0;

    X509_ALGOR_get0(&oid, &parameters, NULL, algor);
    int nid = OBJ_obj2nid(oid);
    for (size_t i = 0; i < KW_COUNT(algs); i++) {
        if (algs[i].nid == nid && algs[i].parameters == parameters) {
            return algs[i].alg;
        }
    }
    return KEY_ALG_NONE;
}

static kw_status read_alg(struct kw_op *op, struct kw_span der, enum key_alg *ret)
{
    AUTO(X509_ALGOR) *algor = NULL;

    TRY(op, der_decode(op, ASN1_ITEM_rptr(X509_ALGOR), der, "signature algorithm", &algor));
    *ret = signed_alg_of(algor);
    return KW_OK;
}

kw_status signed_parse(struct kw_op *op, struct kw_span der, struct signed_der *ret)
{
    struct signed_der object = {0};
    struct kw_span rest;
    struct kw_span bits;

    ENSURE(op, der_is_strict(der), KW_E_INPUT, "not DER, or not one object");
    ENSURE(op,
           der_contents(der, V_ASN1_SEQUENCE, &rest) && der_take(&rest, &object.tbs) &&
               der_take(&rest, &object.alg) && der_take(&rest, &bits) && rest.len == 0 &&
               der_contents(bits, V_ASN1_BIT_STRING, &bits) && bits.len > 0 && bits.p[0] == 0,
           KW_E_INPUT, "not a signed object");
    object.signature = kw_span_sub(bits, 1, bits.len);
    TRY(op, read_alg(op, object.alg, &object.key_alg));
    *ret = object;
    return KW_OK;
}

kw_status signed_verify(struct kw_op *op, const struct signed_der *object, const struct pubkey *key)
{
    const char *digest = key_alg_digest(pubkey_alg(key));

    ENSURE(op, object->key_alg == pubkey_alg(key), KW_E_DENIED,
           "signature algorithm does not fit a key of '%s': it signs %s%s",
           key_alg_text(pubkey_alg(key)), digest ? "with " : "without a hash of its own",
           digest ? digest : "");
    return pubkey_verify(op, key, object->tbs, object->signature);
}

/* --- requests of others ----------------------------------------------------------------------- */

enum {
    EC_KEYS = KEY_ALG_BIT(KEY_ALG_EC_P256) | KEY_ALG_BIT(KEY_ALG_EC_P384),
    RSA_KEYS = KEY_ALG_BIT(KEY_ALG_RSA_3072),
};

static const struct taken {
    int nid;
    unsigned keys; /* KEY_ALG_BIT of those that sign so */
    const char *hash;
} taken[] = {
    {NID_ecdsa_with_SHA256,       EC_KEYS,                      "SHA256"},
    {NID_ecdsa_with_SHA384,       EC_KEYS,                      "SHA384"},
    {NID_ecdsa_with_SHA512,       EC_KEYS,                      "SHA512"},
    {NID_sha256WithRSAEncryption, RSA_KEYS,                     "SHA256"},
    {NID_sha384WithRSAEncryption, RSA_KEYS,                     "SHA384"},
    {NID_sha512WithRSAEncryption, RSA_KEYS,                     "SHA512"},
    {NID_ED25519,                 KEY_ALG_BIT(KEY_ALG_ED25519), NULL    },
};

/* RFC 4055 section 5: RSA has NULL, absent is taken too; RFC 5758: ECDSA has none. */
static const struct taken *taken_of(const X509_ALGOR *algor)
{
    const ASN1_OBJECT *oid = NULL;
    int parameters = 0;

    X509_ALGOR_get0(&oid, &parameters, NULL, algor);
    for (size_t i = 0; i < KW_COUNT(taken); i++) {
        if (taken[i].nid == OBJ_obj2nid(oid)) {
            bool fit = parameters == V_ASN1_UNDEF ||
                       (parameters == V_ASN1_NULL && taken[i].keys == RSA_KEYS);
            return fit ? &taken[i] : NULL;
        }
    }
    return NULL;
}

bool signed_alg_is_taken(struct kw_span alg)
{
    AUTO(X509_ALGOR) *algor = NULL;

    return kw_ok(der_decode(NULL, ASN1_ITEM_rptr(X509_ALGOR), alg, "", &algor)) && taken_of(algor);
}

/* What it signs with, for who signed otherwise. */
static const char *taken_text(enum key_alg alg)
{
    if (!key_alg_digest(alg)) {
        return "";
    }
    return KEY_ALG_BIT(alg) & RSA_KEYS
               ? ": PKCS#1 v1.5 (not PSS) with SHA-256, SHA-384 or SHA-512 is"
               : ": SHA-256, SHA-384 and SHA-512 are";
}

kw_status signed_verify_request(struct kw_op *op, struct kw_span alg, struct kw_span message,
                                struct kw_span signature, const struct pubkey *key)
{
    AUTO(X509_ALGOR) *algor = NULL;

    TRY(op, der_decode(op, ASN1_ITEM_rptr(X509_ALGOR), alg, "signature algorithm", &algor));
    const struct taken *how = taken_of(algor);
    ENSURE(op, how && how->keys & KEY_ALG_BIT(pubkey_alg(key)), KW_E_UNSUPPORTED,
           "signature algorithm is none that is taken of a key of '%s'%s",
           key_alg_text(pubkey_alg(key)), taken_text(pubkey_alg(key)));
    return pubkey_verify_hashed(op, key, how->hash, message, signature);
}

/* --- making ----------------------------------------------------------------------------------- */

static kw_status assemble(struct kw_span tbs, struct kw_span alg, struct kw_span signature,
                          struct kw_bytes *into)
{
    static const uint8_t no_unused_bits = 0;
    size_t bits = (size_t)ASN1_object_size(0, (int)signature.len + 1, V_ASN1_BIT_STRING);

    TRY(NULL, der_header(into, /* constructed= */ true, tbs.len + alg.len + bits, V_ASN1_SEQUENCE,
                         V_ASN1_UNIVERSAL));
    TRY(NULL, kw_bytes_append(into, tbs));
    TRY(NULL, kw_bytes_append(into, alg));
    TRY(NULL, der_header(into, /* constructed= */ false, signature.len + 1, V_ASN1_BIT_STRING,
                         V_ASN1_UNIVERSAL));
    TRY(NULL, kw_bytes_append(into, KW_SPAN(&no_unused_bits, 1)));
    return kw_bytes_append(into, signature);
}

static kw_status put_together(struct kw_op *op, struct kw_span tbs, struct kw_span alg,
                              struct kw_span signature, struct kw_bytes **ret)
{
    AUTO(kw_bytes) *der = NULL;

    TRY(op, kw_bytes_new(tbs.len + alg.len + signature.len + 32, &der));
    TRY(op, assemble(tbs, alg, signature, der));
    *ret = TAKE(der);
    return KW_OK;
}

kw_status signed_build(struct kw_op *op, struct kw_span tbs, const struct privkey *key,
                       struct kw_bytes **ret)
{
    uint8_t room[KW_SIG_MAX];
    struct kw_out signature = KW_OUT_ARRAY(room);
    AUTO(X509_ALGOR) *algor = NULL;
    AUTO(kw_bytes) *alg = NULL;

    TRY(op, signed_alg_new(op, pubkey_alg(privkey_public(key)), &algor));
    TRY(op, kw_bytes_new(32, &alg));
    TRY(op, der_encode(op, ASN1_ITEM_rptr(X509_ALGOR), algor, alg));
    TRY(op, privkey_sign(op, key, tbs, &signature), "signing");
    return put_together(op, tbs, kw_bytes_span(alg), kw_out_span(&signature), ret);
}

kw_status signed_wrap(struct kw_op *op, struct kw_span tbs, struct kw_span alg,
                      struct kw_bytes **ret)
{
    return put_together(op, tbs, alg, KW_SPAN(NULL, 0), ret);
}
