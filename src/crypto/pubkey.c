#include "crypto/pubkey.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "crypto/digest.h"
#include "crypto/openssl.h"

KW_OWNED(ASN1_OBJECT, ASN1_OBJECT, ASN1_OBJECT_free)
KW_OWNED(EC_POINT, EC_POINT, EC_POINT_free)

enum {
    SHA1_BYTES = 20,
    POINT_UNCOMPRESSED = 0x04,
    RSA_BITS_MIN = 3072,
    RSA_BITS_MAX = 4096, /* KW_SIG_MAX */
    RSA_E_MIN = 65537,   /* SP 800-56B: below, old attacks on careless padding work */
    RSA_E_BITS_MAX = 64, /* OpenSSL's own bound for large moduli: verification time */
};

struct pubkey {
    atomic_uint n_refs;
    enum key_alg alg;
    _Atomic(EVP_PKEY *) evp; /* of a curve: made by who asks first; most keys are only named */
    uint8_t id[KW_HASH_BYTES];
    uint8_t sha1[SHA1_BYTES];
    uint8_t bits_sha256[KW_HASH_BYTES];
    size_t key_at; /* where the BIT STRING's value begins in spki */
    size_t n_spki;
    uint8_t
        spki[]; /* as long as it is: a small piece of the heap, for there are three an enrolment */
};

/*
 * Outside RSA a SubjectPublicKeyInfo has one canonical DER form: fixed octets, then the key.
 * Comparing them is stricter than any decoder and ten times as fast as OpenSSL 3's.
 */
struct form {
    enum key_alg alg;
    const char *type;  /* OpenSSL's name of the key type */
    const char *group; /* EC only */
    struct kw_span prefix;
    size_t n_key;
};

static const uint8_t p256_prefix[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
                                      0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
                                      0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00};
static const uint8_t p384_prefix[] = {0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86,
                                      0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b,
                                      0x81, 0x04, 0x00, 0x22, 0x03, 0x62, 0x00};
static const uint8_t ed25519_prefix[] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03,
                                         0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};

static const struct form forms[] = {
    {KEY_ALG_EC_P256, "EC",      "prime256v1", {p256_prefix, sizeof(p256_prefix)},       65},
    {KEY_ALG_EC_P384, "EC",      "secp384r1",  {p384_prefix, sizeof(p384_prefix)},       97},
    {KEY_ALG_ED25519, "ED25519", NULL,         {ed25519_prefix, sizeof(ed25519_prefix)}, 32},
};

/* What begins the SubjectPublicKeyInfo of an RSA key of 3072 bits and more, behind its length. */
static const uint8_t rsa_head[] = {0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7,
                                   0x0d, 0x01, 0x01, 0x01, 0x05, 0x00, 0x03, 0x82};
enum { RSA_HEAD_AT = 4, RSA_KEY_AT = 24 };

static const struct form *form_of(struct kw_span spki)
{
    for (size_t i = 0; i < KW_COUNT(forms); i++) {
        const struct form *form = &forms[i];
        if (spki.len == form->prefix.len + form->n_key &&
            memcmp(spki.p, form->prefix.p, form->prefix.len) == 0) {
            return form;
        }
    }
    return NULL;
}

static bool has_rsa_head(struct kw_span spki)
{
    return spki.len > RSA_KEY_AT && spki.p[0] == 0x30 && spki.p[1] == 0x82 &&
           memcmp(spki.p + RSA_HEAD_AT, rsa_head, sizeof(rsa_head)) == 0;
}

static struct kw_span bit_string(const struct pubkey *key)
{
    return kw_span_sub(pubkey_spki(key), key->key_at, key->n_spki);
}

/*
 * An EC key without its point, one a curve, copied for each key: OpenSSL 3.0 builds a curve anew in
 * 9 us and copies one in 2. Its group beside it, for points that are only looked at. Never freed.
 */
static EVP_PKEY *curves[KEY_ALG_MAX];
static EC_GROUP *groups[KEY_ALG_MAX];
static CRYPTO_ONCE curves_once = CRYPTO_ONCE_STATIC_INIT;

static EVP_PKEY *make_curve(const struct form *form)
{
    AUTO(EVP_PKEY_CTX) *ctx = EVP_PKEY_CTX_new_from_name(NULL, form->type, NULL);
    char *group = (char *)(uintptr_t)form->group; /* OSSL_PARAM has no const; it is only read */
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
        OSSL_PARAM_construct_end(),
    };
    EVP_PKEY *curve = NULL;

    if (ctx && EVP_PKEY_fromdata_init(ctx) == 1) {
        (void)EVP_PKEY_fromdata(ctx, &curve, EVP_PKEY_KEY_PARAMETERS, params); /* NULL tells */
    }
    return curve;
}

static void make_curves(void)
{
    for (size_t i = 0; i < KW_COUNT(forms); i++) {
        if (forms[i].group) {
            curves[forms[i].alg] = make_curve(&forms[i]);
            groups[forms[i].alg] = EC_GROUP_new_by_curve_name(OBJ_txt2nid(forms[i].group));
        }
    }
}

/* The same check that OpenSSL makes when a key is built of the point; these curves have the
 * cofactor 1, so a point on the curve is in its group. */
static kw_status check_point(struct kw_op *op, const struct form *form, struct kw_span octets)
{
    AUTO(EC_POINT) *point = NULL;

    OSSL_ENSURE(op,
                CRYPTO_THREAD_run_once(&curves_once, make_curves) == 1 && curves[form->alg] &&
                    groups[form->alg],
                KW_E_INTERNAL, "loading an elliptic curve");
    /* A compressed point is shorter and was refused; a hybrid one (06, 07) has this length. */
    ENSURE(op, octets.p[0] == POINT_UNCOMPRESSED, KW_E_INPUT,
           "the public key is not an uncompressed point");
    point = EC_POINT_new(groups[form->alg]);
    OSSL_ENSURE(op, point, KW_E_MEMORY, "reading a public key");
    OSSL_ENSURE(op, EC_POINT_oct2point(groups[form->alg], point, octets.p, octets.len, NULL) == 1,
                KW_E_INPUT, "the public key is not on its curve");
    return KW_OK;
}

/* Of a curve. NULL: no memory. Two threads may make it at once; one of the two stays. */
static EVP_PKEY *make_evp(struct pubkey *key)
{
    struct kw_span point = bit_string(key);
    EVP_PKEY *none = NULL;
    AUTO(EVP_PKEY) *evp = EVP_PKEY_dup(curves[key->alg]);

    if (!evp || EVP_PKEY_set1_encoded_public_key(evp, point.p, point.len) != 1) {
        return NULL;
    }
    if (!atomic_compare_exchange_strong(&key->evp, &none, evp)) {
        return none;
    }
    return TAKE(evp);
}

static kw_status check_rsa(struct kw_op *op, const EVP_PKEY *evp)
{
    AUTO(BIGNUM) *n = NULL;
    AUTO(BIGNUM) *e = NULL;
    int bits = EVP_PKEY_get_bits(evp);

    ENSURE(op, bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX, KW_E_UNSUPPORTED,
           "RSA keys have %d to %d bits here, this one %d", RSA_BITS_MIN, RSA_BITS_MAX, bits);
    OSSL_ENSURE(op,
                EVP_PKEY_get_bn_param(evp, OSSL_PKEY_PARAM_RSA_N, &n) == 1 &&
                    EVP_PKEY_get_bn_param(evp, OSSL_PKEY_PARAM_RSA_E, &e) == 1,
                KW_E_INTERNAL, "reading a public key");
    ENSURE(op, BN_is_odd(n) && BN_is_odd(e), KW_E_INPUT, "the RSA modulus or exponent is even");
    bool low = BN_num_bits(e) <= 17 && BN_get_word(e) < RSA_E_MIN;
    ENSURE(op, !low && BN_num_bits(e) <= RSA_E_BITS_MAX, KW_E_UNSUPPORTED,
           "the RSA public exponent is out of bounds");
    return KW_OK;
}

static kw_status load_rsa(struct kw_op *op, struct kw_span spki, EVP_PKEY **ret)
{
    AUTO(EVP_PKEY) *evp = NULL;
    unsigned char *again = NULL;
    const unsigned char *p = spki.p;

    evp = d2i_PUBKEY(NULL, &p, (long)spki.len);
    OSSL_ENSURE(op, evp, KW_E_INPUT, "the public key is not DER");
    ENSURE(op, p == spki.p + spki.len, KW_E_INPUT, "octets behind the public key");
    TRY(op, check_rsa(op, evp));
    int n = i2d_PUBKEY(evp, &again);
    bool same = n > 0 && kw_span_equal(KW_SPAN(again, (size_t)n), spki);
    OPENSSL_free(again);
    ENSURE(op, same, KW_E_INPUT, "the public key is not in its canonical form");
    *ret = TAKE(evp);
    return KW_OK;
}

/* Step into the next value of a DER text, which must have this tag; rest is narrowed to its
 * content. */
static bool enter(struct kw_span *rest, int want)
{
    const unsigned char *p = rest->p;
    long len = 0;
    int tag = 0;
    int class = 0;

    int flags = ASN1_get_object(&p, &len, &tag, &class, (long)rest->len);
    if ((flags & 0x80) != 0 || (flags & 1) != 0 || class != V_ASN1_UNIVERSAL || tag != want) {
        return false;
    }
    *rest = KW_SPAN(p, (size_t)len);
    return true;
}

static int next_oid(struct kw_span *rest)
{
    const unsigned char *p = rest->p;
    AUTO(ASN1_OBJECT) *oid = d2i_ASN1_OBJECT(NULL, &p, (long)rest->len);
    if (!oid) {
        return NID_undef;
    }
    *rest = kw_span_sub(*rest, (size_t)(p - rest->p), rest->len);
    return OBJ_obj2nid(oid);
}

/* It is none of ours: say why, without letting OpenSSL touch the key (explicit curves cost much).
 */
static kw_status refuse(struct kw_op *op, struct kw_span spki)
{
    struct kw_span rest = spki;

    bool is_der = spki.len > 0 && enter(&rest, V_ASN1_SEQUENCE) &&
                  rest.p + rest.len == spki.p + spki.len && enter(&rest, V_ASN1_SEQUENCE);
    int type = is_der ? next_oid(&rest) : NID_undef;
    int curve = type == NID_X9_62_id_ecPublicKey ? next_oid(&rest) : NID_undef;
    ERR_clear_error();
    ENSURE(op, is_der, KW_E_INPUT, "the public key is not a DER SubjectPublicKeyInfo");
    ENSURE(op, type != NID_X9_62_id_ecPublicKey || curve != NID_undef, KW_E_INPUT,
           "the public key does not name its curve");
    bool ours = curve == NID_X9_62_prime256v1 || curve == NID_secp384r1 || type == NID_ED25519;
    ENSURE(op, !ours, KW_E_INPUT, "the public key is not in its canonical form");
    return FAIL(op, KW_E_UNSUPPORTED, "public keys of this algorithm or size are not taken");
}

static kw_status load(struct kw_op *op, struct pubkey *key, struct kw_span spki)
{
    const struct form *form = form_of(spki);
    AUTO(EVP_PKEY) *evp = NULL;

    if (!form && has_rsa_head(spki)) {
        key->alg = KEY_ALG_RSA_3072;
        key->key_at = RSA_KEY_AT;
        TRY(op, load_rsa(op, spki, &evp));
        atomic_init(&key->evp, TAKE(evp));
        return KW_OK;
    }
    if (!form) {
        return refuse(op, spki);
    }
    struct kw_span raw = kw_span_sub(spki, form->prefix.len, form->n_key);
    key->alg = form->alg;
    key->key_at = form->prefix.len;
    if (form->group) {
        return check_point(op, form, raw);
    }
    evp = EVP_PKEY_new_raw_public_key_ex(NULL, form->type, NULL, raw.p, raw.len);
    OSSL_ENSURE(op, evp, KW_E_INPUT, "reading a public key");
    atomic_init(&key->evp, TAKE(evp));
    return KW_OK;
}

kw_status pubkey_parse(struct kw_op *op, struct kw_span spki, struct pubkey **ret)
{
    ENSURE(op, spki.len <= KW_SPKI_MAX, KW_E_TOO_LARGE, "a public key of %zu octets", spki.len);
    AUTO(pubkey) *key = calloc(1, sizeof(*key) + spki.len);
    ENSURE(op, key, KW_E_MEMORY, "reading a public key");
    atomic_init(&key->n_refs, 1);
    atomic_init(&key->evp, NULL);
    TRY(op, load(op, key, spki));
    memcpy(key->spki, spki.p, spki.len);
    key->n_spki = spki.len;
    digest_sha256(spki, key->id);
    digest_sha1(bit_string(key), key->sha1);
    digest_sha256(bit_string(key), key->bits_sha256);
    *ret = TAKE(key);
    return KW_OK;
}

kw_status pubkey_from_evp(struct kw_op *op, const void *evp_pkey, struct pubkey **ret)
{
    unsigned char *der = NULL;

    int n = i2d_PUBKEY(evp_pkey, &der);
    OSSL_ENSURE(op, n > 0, KW_E_UNSUPPORTED, "reading a public key");
    kw_status status = pubkey_parse(op, KW_SPAN(der, (size_t)n), ret);
    OPENSSL_free(der);
    return status;
}

struct pubkey *pubkey_ref(const struct pubkey *key)
{
    struct pubkey *shared = (struct pubkey *)(uintptr_t)key;
    if (shared) {
        atomic_fetch_add_explicit(&shared->n_refs, 1, memory_order_relaxed);
    }
    return shared;
}

void pubkey_unref(struct pubkey *key)
{
    if (key && atomic_fetch_sub_explicit(&key->n_refs, 1, memory_order_acq_rel) == 1) {
        EVP_PKEY_free(atomic_load(&key->evp));
        free(key);
    }
}

enum key_alg pubkey_alg(const struct pubkey *key)
{
    return key->alg;
}

struct kw_span pubkey_spki(const struct pubkey *key)
{
    return KW_SPAN(key->spki, key->n_spki);
}

const uint8_t *pubkey_id(const struct pubkey *key)
{
    return key->id;
}

const uint8_t *pubkey_sha1(const struct pubkey *key)
{
    return key->sha1;
}

const uint8_t *pubkey_bits_sha256(const struct pubkey *key)
{
    return key->bits_sha256;
}

bool pubkey_equal(const struct pubkey *a, const struct pubkey *b)
{
    return kw_span_equal(pubkey_spki(a), pubkey_spki(b));
}

kw_status pubkey_raw(struct kw_op *op, const struct pubkey *key, struct kw_out *out)
{
    ENSURE(op, key->alg == KEY_ALG_ED25519, KW_E_UNSUPPORTED, "a key of type %s has no raw form",
           key_alg_text(key->alg));
    TRY(op, kw_out_set(out, bit_string(key)), "copying a public key");
    return KW_OK;
}

void *pubkey_evp(const struct pubkey *key)
{
    EVP_PKEY *evp = atomic_load_explicit(&key->evp, memory_order_acquire);

    return evp ? evp : make_evp((struct pubkey *)(uintptr_t)key);
}

kw_status pubkey_verify(struct kw_op *op, const struct pubkey *key, struct kw_span message,
                        struct kw_span signature)
{
    return pubkey_verify_hashed(op, key, key_alg_digest(key->alg), message, signature);
}

kw_status pubkey_verify_hashed(struct kw_op *op, const struct pubkey *key, const char *hash,
                               struct kw_span message, struct kw_span signature)
{
    AUTO(EVP_MD_CTX) *ctx = EVP_MD_CTX_new();
    EVP_PKEY *evp = pubkey_evp(key);

    OSSL_ENSURE(op,
                ctx && evp && EVP_DigestVerifyInit_ex(ctx, NULL, hash, NULL, NULL, evp, NULL) == 1,
                KW_E_INTERNAL, "verifying a signature");
    int verdict = EVP_DigestVerify(ctx, signature.p, signature.len, message.p, message.len);
    ERR_clear_error();
    ENSURE(op, verdict == 1, KW_E_DENIED, "signature does not verify");
    return KW_OK;
}
