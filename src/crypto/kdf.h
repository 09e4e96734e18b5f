/* Keys from passphrases (scrypt, RFC 7914) and from keys (HKDF-SHA-256, RFC 5869). */
#ifndef CRYPTO_KDF_H
#define CRYPTO_KDF_H

#include "base/bytes.h"
#include "base/op.h"
#include "base/secret.h"

/*
 * Cost as stored beside the sealed data. kdf_scrypt() refuses (KW_E_INPUT) n > 2^20, r > 32, p > 16
 * and n that is no power of two: a lying file must not size our memory.
 */
struct kdf_scrypt_cost {
    uint32_t n; /* power of two; 32768 by default */
    uint32_t r; /* 8 */
    uint32_t p; /* 1 */
};
#define KDF_SCRYPT_DEFAULT ((struct kdf_scrypt_cost){.n = 32768, .r = 8, .p = 1})

/* ret: len (1..1024) octets. KW_E_INPUT; KW_E_MEMORY. Blocks 128 * n * r octets long: some 50 ms.
 */
kw_status kdf_scrypt(struct kw_op *op, const struct kw_secret *passphrase, struct kw_span salt,
                     struct kdf_scrypt_cost cost, size_t len, struct kw_secret **ret);
/* Extract and expand; salt and info may be empty. ret: len (1..8160) octets. KW_E_INPUT. */
kw_status kdf_hkdf_sha256(struct kw_op *op, const struct kw_secret *key, struct kw_span salt,
                          struct kw_span info, size_t len, struct kw_secret **ret);

#endif
