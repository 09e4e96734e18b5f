#include "crypto/privkey.h"

#include <openssl/decoder.h>
#include <openssl/encoder.h>
#include <openssl/err.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "crypto/digest.h"
#include "crypto/openssl.h"
#include "crypto/remote_key.h"

KW_OWNED(OSSL_ENCODER_CTX, OSSL_ENCODER_CTX, OSSL_ENCODER_CTX_free)
KW_OWNED(OSSL_DECODER_CTX, OSSL_DECODER_CTX, OSSL_DECODER_CTX_free)

enum { RSA_BITS = 3072, PKCS8_MAX = 4096 };

/*
 * A soft key's private half lies in memory of OpenSSL's, not in a kw_secret: the keeper locks all
 * its memory, leaves no core dump, and has freed memory wiped (crypto_wipe_freed).
 */
struct privkey {
    atomic_uint n_refs;
    EVP_PKEY *evp;
    struct pubkey *public_key;
    privkey_sign_fn sign; /* NULL: soft */
    void *ctx;            /* for sign; owned by evp */
    /* Soft EC: set up once, used by one signature at a time; whoever finds none makes one. */
    _Atomic(EVP_PKEY_CTX *) idle;
};

static kw_status wrap(struct kw_op *op, EVP_PKEY *evp, const struct pubkey *public_key,
                      struct privkey **ret)
{
    AUTO(privkey) *key = calloc(1, sizeof(*key));

    ENSURE(op, key, KW_E_MEMORY, "making a private key");
    atomic_init(&key->n_refs, 1);
    key->public_key = pubkey_ref(public_key);
    key->evp = evp;
    *ret = TAKE(key);
    return KW_OK;
}

kw_status privkey_generate(struct kw_op *op, enum key_alg alg, struct privkey **ret)
{
    AUTO(EVP_PKEY) *evp = NULL;
    AUTO(pubkey) *public_key = NULL;

    switch (alg) {
    case KEY_ALG_EC_P256:
        evp = EVP_EC_gen("P-256");
        break;
    case KEY_ALG_EC_P384:
        evp = EVP_EC_gen("P-384");
        break;
    case KEY_ALG_ED25519:
        evp = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
        break;
    case KEY_ALG_RSA_3072:
        evp = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)RSA_BITS);
        break;
    case KEY_ALG_NONE:
    case KEY_ALG_MAX:
        return FAIL(op, KW_E_UNSUPPORTED, "no such key algorithm");
    }
    OSSL_ENSURE(op, evp, KW_E_INTERNAL, "generating a key");
    TRY(op, pubkey_from_evp(op, evp, &public_key), "generating a key");
    TRY(op, wrap(op, evp, public_key, ret));
    (void)TAKE(evp);
    return KW_OK;
}

/* A file may name another public key than its private one gives: one signature tells. */
static kw_status check_halves(struct kw_op *op, const struct privkey *key)
{
    uint8_t room[KW_SIG_MAX];
    struct kw_out sig = KW_OUT_ARRAY(room);
    struct kw_span message = kw_span_text("keywright key self-test");

    TRY(op, privkey_sign(op, key, message, &sig), "testing a private key");
    ENSURE(op, kw_ok(pubkey_verify(NULL, key->public_key, message, kw_out_span(&sig))), KW_E_INPUT,
           "the private key does not match its public key");
    return KW_OK;
}

/*
 * Does it begin like PKCS#8 (RFC 5208 section 5: version 0, AlgorithmIdentifier) and end where its
 * length says? OpenSSL's decoders would take a bare ECPrivateKey or RSAPrivateKey as well.
 */
static bool is_pkcs8(struct kw_span der)
{
    static const uint8_t head[] = {0x02, 0x01, 0x00, 0x30};
    const unsigned char *p = der.p;
    long len = 0;
    int tag = 0;
    int class = 0;

    int flags = ASN1_get_object(&p, &len, &tag, &class, (long)der.len);
    ERR_clear_error();
    return flags == V_ASN1_CONSTRUCTED && tag == V_ASN1_SEQUENCE && class == V_ASN1_UNIVERSAL &&
           p + len == der.p + der.len && (size_t)len > sizeof(head) &&
           memcmp(p, head, sizeof(head)) == 0;
}

kw_status privkey_from_pkcs8(struct kw_op *op, const struct kw_secret *pkcs8, struct privkey **ret)
{
    AUTO(EVP_PKEY) *evp = NULL;
    AUTO(pubkey) *public_key = NULL;
    AUTO(privkey) *key = NULL;
    struct kw_span der = kw_secret_span(pkcs8);

    ENSURE(op, der.len <= PKCS8_MAX && is_pkcs8(der), KW_E_INPUT,
           "the private key is not one plain PKCS#8");
    AUTO(OSSL_DECODER_CTX) *ctx = OSSL_DECODER_CTX_new_for_pkey(&evp, "DER", "PrivateKeyInfo", NULL,
                                                                EVP_PKEY_KEYPAIR, NULL, NULL);
    OSSL_ENSURE(op, ctx, KW_E_INTERNAL, "reading a private key");
    OSSL_ENSURE(op, OSSL_DECODER_from_data(ctx, &der.p, &der.len) == 1 && evp, KW_E_INPUT,
                "the private key is not PKCS#8");
    ERR_clear_error(); /* decoders that were tried in vain */
    ENSURE(op, der.len == 0, KW_E_INPUT, "octets behind the private key");
    TRY(op, pubkey_from_evp(op, evp, &public_key), "reading a private key");
    TRY(op, wrap(op, evp, public_key, &key));
    (void)TAKE(evp);
    TRY(op, check_halves(op, key));
    *ret = TAKE(key);
    return KW_OK;
}

kw_status privkey_to_pkcs8(struct kw_op *op, const struct privkey *key, struct kw_secret **ret)
{
    AUTO(kw_secret) *pkcs8 = NULL;

    ENSURE(op, !key->sign, KW_E_DENIED, "a remote private key cannot be exported");
    TRY(op, kw_secret_new(PKCS8_MAX, &pkcs8), "exporting a private key");
    /* Straight into the secret; OpenSSL's own buffer before it is a BIO, which wipes. */
    AUTO(OSSL_ENCODER_CTX) *ctx =
        OSSL_ENCODER_CTX_new_for_pkey(key->evp, EVP_PKEY_KEYPAIR, "DER", "PrivateKeyInfo", NULL);
    unsigned char *p = kw_secret_data(pkcs8);
    size_t room = PKCS8_MAX;
    OSSL_ENSURE(op, ctx && OSSL_ENCODER_to_data(ctx, &p, &room) == 1, KW_E_INTERNAL,
                "exporting a private key");
    kw_secret_trim(pkcs8, PKCS8_MAX - room);
    *ret = TAKE(pkcs8);
    return KW_OK;
}

kw_status privkey_remote(struct kw_op *op, const struct pubkey *public_key, privkey_sign_fn sign,
                         void *ctx, void (*ctx_free)(void *ctx), struct privkey **ret)
{
    struct remote_source source = {public_key, sign, ctx};
    AUTO(privkey) *key = NULL;

    TRY(op, wrap(op, NULL, public_key, &key));
    TRY(op, remote_evp_new(op, &source, ctx_free, &key->evp));
    key->sign = sign;
    key->ctx = ctx;
    *ret = TAKE(key);
    return KW_OK;
}

struct privkey *privkey_ref(const struct privkey *key)
{
    struct privkey *shared = (struct privkey *)(uintptr_t)key;
    if (shared) {
        atomic_fetch_add_explicit(&shared->n_refs, 1, memory_order_relaxed);
    }
    return shared;
}

void privkey_unref(struct privkey *key)
{
    if (key && atomic_fetch_sub_explicit(&key->n_refs, 1, memory_order_acq_rel) == 1) {
        EVP_PKEY_CTX_free(atomic_load(&key->idle));
        EVP_PKEY_free(key->evp);
        pubkey_unref(key->public_key);
        free(key);
    }
}

const struct pubkey *privkey_public(const struct privkey *key)
{
    return key->public_key;
}

bool privkey_is_remote(const struct privkey *key)
{
    return key->sign != NULL;
}

/* Signing begins with fetches and checks that cost a tenth of a P-256 signature: done once. */
static EVP_PKEY_CTX *take_idle(struct privkey *key)
{
    EVP_PKEY_CTX *ctx = atomic_exchange(&key->idle, NULL);

    if (ctx) {
        return ctx;
    }
    ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key->evp, NULL);
    if (ctx && EVP_PKEY_sign_init(ctx) != 1) {
        EVP_PKEY_CTX_free(ctx);
        return NULL;
    }
    return ctx;
}

static void give_back(struct privkey *key, EVP_PKEY_CTX *ctx)
{
    EVP_PKEY_CTX_free(atomic_exchange(&key->idle, ctx)); /* another thread's, or NULL */
}

static kw_status sign_ecdsa(struct kw_op *op, const struct privkey *key, struct kw_span hash,
                            struct kw_out *sig)
{
    struct privkey *shared = (struct privkey *)(uintptr_t)key;
    EVP_PKEY_CTX *ctx = take_idle(shared);
    uint8_t room[KW_SIG_MAX];
    size_t n = sizeof(room);

    bool done = ctx && EVP_PKEY_sign(ctx, room, &n, hash.p, hash.len) == 1;
    if (!done) {
        EVP_PKEY_CTX_free(ctx); /* whatever state it is in */
        return crypto_fail(op, KW_E_INTERNAL, KW_HERE_FILE, KW_HERE_LINE, "signing");
    }
    give_back(shared, ctx);
    TRY(op, kw_out_set(sig, KW_SPAN(room, n)), "signing");
    return KW_OK;
}

static kw_status sign_whole(struct kw_op *op, const struct privkey *key, struct kw_span message,
                            struct kw_out *sig)
{
    AUTO(EVP_MD_CTX) *ctx = EVP_MD_CTX_new();
    const char *digest = key_alg_digest(pubkey_alg(key->public_key));
    uint8_t room[KW_SIG_MAX];
    size_t n = sizeof(room);

    OSSL_ENSURE(op,
                ctx && EVP_DigestSignInit_ex(ctx, NULL, digest, NULL, NULL, key->evp, NULL) == 1 &&
                    EVP_DigestSign(ctx, room, &n, message.p, message.len) == 1,
                KW_E_INTERNAL, "signing");
    TRY(op, kw_out_set(sig, KW_SPAN(room, n)), "signing");
    return KW_OK;
}

static kw_status sign_soft(struct kw_op *op, const struct privkey *key, struct kw_span message,
                           struct kw_out *sig)
{
    uint8_t hash[KW_HASH_BYTES];

    if (pubkey_alg(key->public_key) != KEY_ALG_EC_P256) {
        return sign_whole(op, key, message, sig);
    }
    TRY(op, digest_sha256_try(op, message, hash), "signing");
    return sign_ecdsa(op, key, KW_SPAN_ARRAY(hash), sig);
}

kw_status privkey_sign(struct kw_op *op, const struct privkey *key, struct kw_span message,
                       struct kw_out *sig)
{
    if (!key->sign) {
        return sign_soft(op, key, message, sig);
    }
    struct remote_source source = {key->public_key, key->sign, key->ctx};
    return remote_call(op, &source, message, /* pss= */ false, sig);
}

void *privkey_evp(const struct privkey *key)
{
    return key->evp;
}
