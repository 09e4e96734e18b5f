/* Keys from passphrases (scrypt, RFC 7914) and from keys (HKDF-SHA-256, RFC 5869). */
#ifndef CRYPTO_KDF_H
#define CRYPTO_KDF_H

#include "base/bytes.h"
#include "base/op.h"
#include "base/secret.h"

/* Cost as stored beside the sealed data; kdf_scrypt() refuses n > 2^20, r > 32, p > 16 (a lying file). */
struct kdf_scrypt_cost {
    uint32_t n; /* power of two; 32768 by default */
    uint32_t r; /* 8 */
    uint32_t p; /* 1 */
};
#define KDF_SCRYPT_DEFAULT ((struct kdf_scrypt_cost){.n = 32768, .r = 8, .p = 1})

kw_status kdf_scrypt(struct kw_op *op, const struct kw_secret *passphrase, struct kw_span salt,
                     struct kdf_scrypt_cost cost, size_t len, struct kw_secret **ret);
kw_status kdf_hkdf_sha256(struct kw_op *op, const struct kw_secret *key, struct kw_span salt,
                          struct kw_span info, size_t len, struct kw_secret **ret);

#endif
