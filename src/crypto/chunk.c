#include "crypto/chunk.h"

#include <limits.h>

#include "crypto/aead.h"
#include "crypto/openssl.h"

enum { NONCE_BYTES = 12 };

static void nonce_of(const struct chunk_place *place, uint8_t nonce[NONCE_BYTES])
{
    memset(nonce, 0, NONCE_BYTES);
    nonce[3] = place->last ? 1 : 0;
    for (unsigned i = 0; i < 8; i++) {
        nonce[4 + i] = (uint8_t)(place->index >> (56 - 8 * i));
    }
}

static kw_status start(struct kw_op *op, const struct kw_secret *key,
                       const struct chunk_place *place, size_t len, int encrypt,
                       EVP_CIPHER_CTX **ret)
{
    AUTO(EVP_CIPHER_CTX) *ctx = EVP_CIPHER_CTX_new();
    uint8_t nonce[NONCE_BYTES];
    int n = 0;

    ENSURE(op, kw_secret_len(key) == AEAD_KEY_BYTES && len <= INT_MAX && place->aad.len <= INT_MAX,
           KW_E_INPUT, "a key of %d octets and a piece below 2 GiB", AEAD_KEY_BYTES);
    nonce_of(place, nonce);
    OSSL_ENSURE(op,
                ctx &&
                    EVP_CipherInit_ex2(ctx, EVP_aes_256_gcm(), kw_secret_span(key).p, nonce,
                                       encrypt, NULL) == 1 &&
                    EVP_CipherUpdate(ctx, NULL, &n, place->aad.p, (int)place->aad.len) == 1,
                KW_E_INTERNAL, "starting AES-256-GCM");
    *ret = TAKE(ctx);
    return KW_OK;
}

kw_status chunk_seal(struct kw_op *op, const struct kw_secret *key, const struct chunk_place *place,
                     struct kw_span plain, struct kw_bytes *into)
{
    AUTO(EVP_CIPHER_CTX) *ctx = NULL;
    int n = 0;

    TRY(op, start(op, key, place, plain.len, /* encrypt= */ 1, &ctx));
    TRY(op, kw_bytes_reserve(into, plain.len + CHUNK_TAG_BYTES));
    uint8_t *to = into->p + into->len;
    bool done =
        (plain.len == 0 || EVP_CipherUpdate(ctx, to, &n, plain.p, (int)plain.len) == 1) &&
        EVP_CipherFinal_ex(ctx, to + plain.len, &n) == 1 &&
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, CHUNK_TAG_BYTES, to + plain.len) == 1;
    OSSL_ENSURE(op, done, KW_E_INTERNAL, "sealing");
    into->len += plain.len + CHUNK_TAG_BYTES;
    return KW_OK;
}

kw_status chunk_open(struct kw_op *op, const struct kw_secret *key, const struct chunk_place *place,
                     struct kw_span sealed, struct kw_bytes *into)
{
    AUTO(EVP_CIPHER_CTX) *ctx = NULL;
    uint8_t tag[CHUNK_TAG_BYTES], nothing[CHUNK_TAG_BYTES];
    int n = 0;

    ENSURE(op, sealed.len >= CHUNK_TAG_BYTES, KW_E_INTEGRITY, "a piece is cut short");
    size_t len = sealed.len - CHUNK_TAG_BYTES;
    memcpy(tag, sealed.p + len, sizeof(tag));
    TRY(op, start(op, key, place, len, /* encrypt= */ 0, &ctx));
    TRY(op, kw_bytes_reserve(into, len + 1));
    uint8_t *to = into->p + into->len;
    bool done = EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, CHUNK_TAG_BYTES, tag) == 1 &&
                (len == 0 || EVP_CipherUpdate(ctx, to, &n, sealed.p, (int)len) == 1) &&
                EVP_CipherFinal_ex(ctx, nothing, &n) == 1;
    if (!done) {
        kw_wipe(to, len); /* not proven: nobody may see it */
    }
    OSSL_ENSURE(op, done, KW_E_INTEGRITY, "a piece was altered or moved, or the key is wrong");
    into->len += len;
    return KW_OK;
}
