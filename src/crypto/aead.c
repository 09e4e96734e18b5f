#include "crypto/aead.h"

#include <limits.h>
#include <openssl/rand.h>

#include "crypto/openssl.h"

enum { NONCE_BYTES = 12, TAG_BYTES = 16 };
_Static_assert(NONCE_BYTES + TAG_BYTES == AEAD_OVERHEAD_BYTES, "the sealed form's overhead");

static kw_status check_sizes(struct kw_op *op, const struct kw_secret *key, struct kw_span aad,
                             struct kw_span text)
{
    ENSURE(op, kw_secret_len(key) == AEAD_KEY_BYTES, KW_E_INPUT, "an AES-256 key has %d octets",
           AEAD_KEY_BYTES);
    ENSURE(op, aad.len <= INT_MAX && text.len <= INT_MAX - AEAD_OVERHEAD_BYTES, KW_E_TOO_LARGE,
           "too much to seal in one piece");
    return KW_OK;
}

/* A context at work on (key, nonce) with the aad taken in. */
static kw_status start(struct kw_op *op, const struct kw_secret *key, const uint8_t *nonce,
                       struct kw_span aad, int encrypt, EVP_CIPHER_CTX **ret)
{
    AUTO(EVP_CIPHER_CTX) *ctx = EVP_CIPHER_CTX_new();
    const uint8_t *k = kw_secret_span(key).p;
    int n = 0;

    OSSL_ENSURE(op, ctx, KW_E_MEMORY, "starting AES-256-GCM");
    OSSL_ENSURE(op, EVP_CipherInit_ex2(ctx, EVP_aes_256_gcm(), k, nonce, encrypt, NULL) == 1,
                KW_E_INTERNAL, "starting AES-256-GCM");
    if (aad.len > 0) {
        OSSL_ENSURE(op, EVP_CipherUpdate(ctx, NULL, &n, aad.p, (int)aad.len) == 1, KW_E_INTERNAL,
                    "authenticating with AES-256-GCM");
    }
    *ret = TAKE(ctx);
    return KW_OK;
}

kw_status aead_seal(struct kw_op *op, const struct kw_secret *key, struct kw_span aad,
                    struct kw_span plain, struct kw_bytes **ret)
{
    AUTO(EVP_CIPHER_CTX) *ctx = NULL;
    AUTO(kw_bytes) *sealed = NULL;
    int n = 0;

    TRY(op, check_sizes(op, key, aad, plain));
    TRY(op, kw_bytes_new(plain.len + AEAD_OVERHEAD_BYTES, &sealed), "sealing");
    uint8_t *text = sealed->p + NONCE_BYTES;
    uint8_t *tag = text + plain.len;

    OSSL_ENSURE(op, RAND_bytes(sealed->p, NONCE_BYTES) == 1, KW_E_UNAVAILABLE, "making a nonce");
    TRY(op, start(op, key, sealed->p, aad, /* encrypt= */ 1, &ctx));
    if (plain.len > 0) {
        OSSL_ENSURE(op, EVP_CipherUpdate(ctx, text, &n, plain.p, (int)plain.len) == 1,
                    KW_E_INTERNAL, "sealing");
    }
    OSSL_ENSURE(op, EVP_CipherFinal_ex(ctx, tag, &n) == 1, KW_E_INTERNAL, "sealing");
    OSSL_ENSURE(op, EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, tag) == 1,
                KW_E_INTERNAL, "sealing");
    sealed->len = plain.len + AEAD_OVERHEAD_BYTES;
    *ret = TAKE(sealed);
    return KW_OK;
}

kw_status aead_open(struct kw_op *op, const struct kw_secret *key, struct kw_span aad,
                    struct kw_span sealed, struct kw_secret **ret)
{
    AUTO(EVP_CIPHER_CTX) *ctx = NULL;
    AUTO(kw_secret) *plain = NULL;
    uint8_t tag[TAG_BYTES];
    int n = 0;

    ENSURE(op, sealed.len >= AEAD_OVERHEAD_BYTES, KW_E_INTEGRITY, "the sealed data is cut short");
    TRY(op, check_sizes(op, key, aad, kw_span_sub(sealed, AEAD_OVERHEAD_BYTES, sealed.len)));
    struct kw_span text = kw_span_sub(sealed, NONCE_BYTES, sealed.len - AEAD_OVERHEAD_BYTES);
    memcpy(tag, text.p + text.len, sizeof(tag));

    TRY(op, kw_secret_new(text.len, &plain), "opening sealed data");
    TRY(op, start(op, key, sealed.p, aad, /* encrypt= */ 0, &ctx));
    OSSL_ENSURE(op, EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, tag) == 1,
                KW_E_INTERNAL, "opening sealed data");
    uint8_t *p = kw_secret_data(plain);
    if (text.len > 0) {
        OSSL_ENSURE(op, EVP_CipherUpdate(ctx, p, &n, text.p, (int)text.len) == 1, KW_E_INTERNAL,
                    "opening sealed data");
    }
    /* Until here nothing is proven; `plain` is wiped on the way out where the tag is wrong. */
    uint8_t nothing[TAG_BYTES];
    OSSL_ENSURE(op, EVP_CipherFinal_ex(ctx, nothing, &n) == 1, KW_E_INTEGRITY,
                "the sealed data was altered or the key is wrong");
    *ret = TAKE(plain);
    return KW_OK;
}
