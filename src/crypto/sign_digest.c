#include "crypto/sign_digest.h"

#include "crypto/openssl.h"

static kw_status sign_ecdsa(struct kw_op *op, const struct privkey *key, struct kw_span digest,
                            struct kw_out *sig)
{
    AUTO(EVP_PKEY_CTX) *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, privkey_evp(key), NULL);
    uint8_t room[KW_SIG_MAX];
    size_t n = sizeof(room);

    OSSL_ENSURE(op,
                ctx && EVP_PKEY_sign_init(ctx) == 1 &&
                    EVP_PKEY_sign(ctx, room, &n, digest.p, digest.len) == 1,
                KW_E_INTERNAL, "signing a digest");
    return kw_out_set(sig, KW_SPAN(room, n));
}

kw_status privkey_sign_digest(struct kw_op *op, const struct privkey *key, struct kw_span digest,
                              struct kw_out *sig)
{
    enum key_alg alg = pubkey_alg(privkey_public(key));

    ENSURE(op, digest.len == KW_HASH_BYTES, KW_E_INPUT, "a digest of %zu octets", digest.len);
    ENSURE(op, !privkey_is_remote(key), KW_E_UNSUPPORTED,
           "this key lives in a device that does not sign digests");
    if (alg == KEY_ALG_ED25519) {
        return privkey_sign(op, key, digest, sig);
    }
    ENSURE(op, alg == KEY_ALG_EC_P256 || alg == KEY_ALG_EC_P384, KW_E_UNSUPPORTED,
           "no digests are signed with a key of kind %s", key_alg_text(alg));
    return sign_ecdsa(op, key, digest, sig);
}
