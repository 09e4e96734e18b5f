#include "crypto/sign_long.h"

#include <openssl/rsa.h>
#include <stdlib.h>

#include "crypto/digest.h"
#include "crypto/openssl.h"

struct long_message {
    enum key_alg alg;
    uint64_t len;
    struct digest_stream *sha256; /* for the journal; P-256 and RSA sign it too */
    EVP_MD_CTX *own;              /* P-384: SHA-384; NULL for the others */
};

void long_message_free(struct long_message *message)
{
    if (message) {
        digest_stream_free(message->sha256);
        EVP_MD_CTX_free(message->own);
        free(message);
    }
}

kw_status long_message_new(struct kw_op *op, enum key_alg alg, struct long_message **ret)
{
    AUTO(long_message) *message = calloc(1, sizeof(*message));

    ENSURE(op, message, KW_E_MEMORY, "no memory for a hash");
    message->alg = alg;
    TRY(op, digest_stream_new(op, &message->sha256));
    if (alg == KEY_ALG_EC_P384) {
        message->own = EVP_MD_CTX_new();
        OSSL_ENSURE(op, message->own && EVP_DigestInit_ex2(message->own, EVP_sha384(), NULL) == 1,
                    KW_E_MEMORY, "starting SHA-384");
    }
    *ret = TAKE(message);
    return KW_OK;
}

kw_status long_message_add(struct kw_op *op, struct long_message *message, struct kw_span piece)
{
    digest_stream_add(message->sha256, piece);
    message->len += piece.len;
    OSSL_ENSURE(op, !message->own || EVP_DigestUpdate(message->own, piece.p, piece.len) == 1,
                KW_E_INTERNAL, "hashing");
    return KW_OK;
}

void long_message_sha256(const struct long_message *message, uint8_t ret[KW_HASH_BYTES])
{
    digest_stream_now(message->sha256, ret);
}

/* The hash that the key's algorithm signs. */
static kw_status own_hash(struct kw_op *op, const struct long_message *message,
                          uint8_t room[EVP_MAX_MD_SIZE], size_t *ret_len)
{
    unsigned len = KW_HASH_BYTES;

    if (!message->own) {
        digest_stream_now(message->sha256, room);
        *ret_len = len;
        return KW_OK;
    }
    AUTO(EVP_MD_CTX) *copy = EVP_MD_CTX_new();
    OSSL_ENSURE(op,
                copy && EVP_MD_CTX_copy_ex(copy, message->own) == 1 &&
                    EVP_DigestFinal_ex(copy, room, &len) == 1,
                KW_E_INTERNAL, "hashing");
    *ret_len = len;
    return KW_OK;
}

static bool pad_rsa(EVP_PKEY_CTX *ctx, enum key_alg alg)
{
    return alg != KEY_ALG_RSA_3072 || (EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 &&
                                       EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) == 1);
}

static kw_status sign_hash(struct kw_op *op, const struct privkey *key, struct kw_span hash,
                           struct kw_out *sig)
{
    AUTO(EVP_PKEY_CTX) *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, privkey_evp(key), NULL);
    uint8_t room[KW_SIG_MAX];
    size_t n = sizeof(room);

    OSSL_ENSURE(op,
                ctx && EVP_PKEY_sign_init(ctx) == 1 &&
                    pad_rsa(ctx, pubkey_alg(privkey_public(key))) &&
                    EVP_PKEY_sign(ctx, room, &n, hash.p, hash.len) == 1,
                KW_E_INTERNAL, "signing a hash");
    return kw_out_set(sig, KW_SPAN(room, n));
}

kw_status privkey_sign_long(struct kw_op *op, const struct privkey *key,
                            const struct long_message *message, struct kw_span whole,
                            struct kw_out *sig)
{
    enum key_alg alg = pubkey_alg(privkey_public(key));
    uint8_t hash[EVP_MAX_MD_SIZE];
    size_t len = 0;

    ENSURE(op, alg == message->alg && whole.len == message->len, KW_E_INPUT,
           "not the message that was hashed for this key");
    if (alg == KEY_ALG_ED25519 || privkey_is_remote(key)) {
        return privkey_sign(op, key, whole, sig);
    }
    TRY(op, own_hash(op, message, hash, &len));
    return sign_hash(op, key, KW_SPAN(hash, len), sig);
}
