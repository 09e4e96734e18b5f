#include "crypto/wrap.h"

#include "crypto/openssl.h"

enum { BLOCK = 8, WRAPPED_MAX = WRAP_PLAIN_MAX + WRAP_OVERHEAD_MAX };

static const EVP_CIPHER *cipher_of(size_t key_bytes)
{
    switch (key_bytes) {
    case 16:
        return EVP_aes_128_wrap_pad();
    case 24:
        return EVP_aes_192_wrap_pad();
    case WRAP_KEY_BYTES:
        return EVP_aes_256_wrap_pad();
    default:
        return NULL;
    }
}

static kw_status start(struct kw_op *op, const struct kw_secret *key, int encrypt,
                       EVP_CIPHER_CTX **ret)
{
    AUTO(EVP_CIPHER_CTX) *ctx = EVP_CIPHER_CTX_new();
    const EVP_CIPHER *cipher = cipher_of(kw_secret_len(key));

    ENSURE(op, cipher, KW_E_INPUT, "a wrapping key of %zu octets", kw_secret_len(key));
    OSSL_ENSURE(op, ctx, KW_E_MEMORY, "starting AES-KWP");
    EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
    OSSL_ENSURE(op,
                EVP_CipherInit_ex2(ctx, cipher, kw_secret_span(key).p, NULL, encrypt, NULL) == 1,
                KW_E_INTERNAL, "starting AES-KWP");
    *ret = TAKE(ctx);
    return KW_OK;
}

kw_status wrap_kwp(struct kw_op *op, const struct kw_secret *key, struct kw_span plain,
                   struct kw_out *wrapped)
{
    AUTO(EVP_CIPHER_CTX) *ctx = NULL;
    uint8_t room[WRAPPED_MAX + BLOCK];
    int n = 0;

    ENSURE(op, plain.len >= 1 && plain.len <= WRAP_PLAIN_MAX, KW_E_INPUT,
           "a key of %zu octets cannot be wrapped", plain.len);
    TRY(op, start(op, key, /* encrypt= */ 1, &ctx));
    OSSL_ENSURE(op,
                EVP_CipherUpdate(ctx, room, &n, plain.p, (int)plain.len) == 1 &&
                    (size_t)n == WRAP_SIZE(plain.len),
                KW_E_INTERNAL, "wrapping a key");
    return kw_out_set(wrapped, KW_SPAN(room, (size_t)n));
}

kw_status unwrap_kwp(struct kw_op *op, const struct kw_secret *key, struct kw_span wrapped,
                     struct kw_secret **ret)
{
    AUTO(EVP_CIPHER_CTX) *ctx = NULL;
    AUTO(kw_secret) *plain = NULL;
    int n = 0;

    ENSURE(op,
           wrapped.len >= WRAP_SIZE(1) && wrapped.len <= WRAP_SIZE(WRAP_PLAIN_MAX) &&
               wrapped.len % BLOCK == 0,
           KW_E_INTEGRITY, "what was wrapped is not of a possible length");
    TRY(op, start(op, key, /* encrypt= */ 0, &ctx));
    TRY(op, kw_secret_new(wrapped.len, &plain), "unwrapping a key");
    OSSL_ENSURE(op,
                EVP_CipherUpdate(ctx, kw_secret_data(plain), &n, wrapped.p, (int)wrapped.len) ==
                        1 &&
                    n >= 1 && (size_t)n <= WRAP_PLAIN_MAX,
                KW_E_INTEGRITY, "the wrapped key was altered or is another key's");
    kw_secret_trim(plain, (size_t)n);
    *ret = TAKE(plain);
    return KW_OK;
}
