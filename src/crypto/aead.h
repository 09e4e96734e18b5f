/* AES-256-GCM with a random 96-bit nonce. Sealed form: nonce (12) || ciphertext || tag (16). */
#ifndef CRYPTO_AEAD_H
#define CRYPTO_AEAD_H

#include "base/bytes.h"
#include "base/op.h"
#include "base/secret.h"

enum { AEAD_KEY_BYTES = 32, AEAD_OVERHEAD_BYTES = 28 };

/* key: exactly AEAD_KEY_BYTES. aad: authenticated, not stored in the result. */
kw_status aead_seal(struct kw_op *op, const struct kw_secret *key, struct kw_span aad,
                    struct kw_span plain, struct kw_bytes **ret);
/* KW_E_INTEGRITY for a wrong key, altered data or other aad; nothing more is told. */
kw_status aead_open(struct kw_op *op, const struct kw_secret *key, struct kw_span aad,
                    struct kw_span sealed, struct kw_secret **ret);

#endif
