#include "crypto/box.h"

#include "crypto/kdf.h"
#include "crypto/openssl.h"

static const char LABEL[] = "keywright box v1";

static kw_status private_of(struct kw_op *op, const struct kw_secret *key, EVP_PKEY **ret)
{
    ENSURE(op, kw_secret_len(key) == BOX_KEY_BYTES, KW_E_INPUT, "the key of a box has %d octets",
           BOX_KEY_BYTES);
    *ret =
        EVP_PKEY_new_raw_private_key_ex(NULL, "X25519", NULL, kw_secret_span(key).p, BOX_KEY_BYTES);
    OSSL_ENSURE(op, *ret, KW_E_MEMORY, "reading an X25519 key");
    return KW_OK;
}

kw_status box_key_new(struct kw_op *op, struct kw_secret **ret)
{
    AUTO(EVP_PKEY) *fresh = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
    AUTO(kw_secret) *key = NULL;
    size_t n = BOX_KEY_BYTES;

    OSSL_ENSURE(op, fresh, KW_E_UNAVAILABLE, "making an X25519 key");
    TRY(op, kw_secret_new(BOX_KEY_BYTES, &key));
    OSSL_ENSURE(op, EVP_PKEY_get_raw_private_key(fresh, kw_secret_data(key), &n) == 1,
                KW_E_INTERNAL, "reading an X25519 key");
    *ret = TAKE(key);
    return KW_OK;
}

kw_status box_key_public(struct kw_op *op, const struct kw_secret *key, uint8_t ret[BOX_KEY_BYTES])
{
    AUTO(EVP_PKEY) *pair = NULL;
    size_t n = BOX_KEY_BYTES;

    TRY(op, private_of(op, key, &pair));
    OSSL_ENSURE(op, EVP_PKEY_get_raw_public_key(pair, ret, &n) == 1, KW_E_INTERNAL,
                "public half of an X25519 key");
    return KW_OK;
}

/* OpenSSL refuses a result of only zeroes (a point of small order). */
static kw_status agree(struct kw_op *op, const struct kw_secret *own,
                       const uint8_t other[BOX_KEY_BYTES], struct kw_secret **ret)
{
    AUTO(EVP_PKEY) *pair = NULL;
    AUTO(EVP_PKEY) *peer =
        EVP_PKEY_new_raw_public_key_ex(NULL, "X25519", NULL, other, BOX_KEY_BYTES);
    AUTO(EVP_PKEY_CTX) *ctx = NULL;
    AUTO(kw_secret) *shared = NULL;
    size_t n = BOX_KEY_BYTES;

    TRY(op, private_of(op, own, &pair));
    ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pair, NULL);
    TRY(op, kw_secret_new(BOX_KEY_BYTES, &shared));
    OSSL_ENSURE(op,
                peer && ctx && EVP_PKEY_derive_init(ctx) == 1 &&
                    EVP_PKEY_derive_set_peer(ctx, peer) == 1 &&
                    EVP_PKEY_derive(ctx, kw_secret_data(shared), &n) == 1 && n == BOX_KEY_BYTES,
                KW_E_INPUT, "no public key of a box");
    *ret = TAKE(shared);
    return KW_OK;
}

/* The key of one box: the same from either side. */
static kw_status key_of(struct kw_op *op, const struct kw_secret *own,
                        const uint8_t other[BOX_KEY_BYTES], const uint8_t fresh[BOX_KEY_BYTES],
                        const uint8_t recipient[BOX_KEY_BYTES], struct kw_secret **ret)
{
    uint8_t info[sizeof(LABEL) - 1 + 2 * BOX_KEY_BYTES];
    AUTO(kw_secret) *shared = NULL;

    memcpy(info, LABEL, sizeof(LABEL) - 1);
    memcpy(info + sizeof(LABEL) - 1, fresh, BOX_KEY_BYTES);
    memcpy(info + sizeof(LABEL) - 1 + BOX_KEY_BYTES, recipient, BOX_KEY_BYTES);
    TRY(op, agree(op, own, other, &shared));
    return kdf_hkdf_sha256(op, shared, KW_SPAN(NULL, 0), KW_SPAN_ARRAY(info), AEAD_KEY_BYTES, ret);
}

kw_status box_seal(struct kw_op *op, const uint8_t recipient[BOX_KEY_BYTES], struct kw_span info,
                   struct kw_span plain, struct kw_bytes **ret)
{
    uint8_t fresh[BOX_KEY_BYTES];
    AUTO(kw_secret) *own = NULL;
    AUTO(kw_secret) *key = NULL;
    AUTO(kw_bytes) *sealed = NULL;
    AUTO(kw_bytes) *box = NULL;

    TRY(op, box_key_new(op, &own));
    TRY(op, box_key_public(op, own, fresh));
    TRY(op, key_of(op, own, recipient, fresh, recipient, &key));
    TRY(op, aead_seal(op, key, info, plain, &sealed));
    TRY(op, kw_bytes_copy(KW_SPAN_ARRAY(fresh), &box));
    TRY(op, kw_bytes_append(box, kw_bytes_span(sealed)));
    *ret = TAKE(box);
    return KW_OK;
}

kw_status box_open(struct kw_op *op, const struct kw_secret *key, struct kw_span info,
                   struct kw_span sealed, struct kw_secret **ret)
{
    uint8_t own[BOX_KEY_BYTES];
    AUTO(kw_secret) *inner = NULL;

    ENSURE(op, sealed.len >= BOX_OVERHEAD_BYTES, KW_E_INTEGRITY, "the box is cut short");
    TRY(op, box_key_public(op, key, own));
    kw_status status = key_of(op, key, sealed.p, sealed.p, own, &inner);
    if (status.code == KW_E_INPUT) {
        kw_op_clear(op);
        return FAIL(op, KW_E_INTEGRITY, "the box was altered or the key is wrong");
    }
    TRY(op, status);
    return aead_open(op, inner, info, kw_span_sub(sealed, BOX_KEY_BYTES, sealed.len), ret);
}
