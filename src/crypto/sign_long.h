/* Signing a message of many megabytes, which is hashed piece by piece while it is looked at. */
#ifndef CRYPTO_SIGN_LONG_H
#define CRYPTO_SIGN_LONG_H

#include "base/limits.h"
#include "crypto/privkey.h"

struct long_message;

/* alg: of the key that will sign it. */
kw_status long_message_new(struct kw_op *op, enum key_alg alg, struct long_message **ret);
void long_message_free(struct long_message *message);
KW_OWNED(long_message, struct long_message, long_message_free)
/* The next octets. */
kw_status long_message_add(struct kw_op *op, struct long_message *message, struct kw_span piece);
/* SHA-256 of all that was added. */
void long_message_sha256(const struct long_message *message, uint8_t ret[KW_HASH_BYTES]);
/**
 * Sign what was added; whole: the same octets, for a key that takes no hash (Ed25519, or one that
 * lives in a device). Room of KW_SIG_MAX.
 * Errors: KW_E_INPUT whole is not what was added (as far as its hash is used: never signed then);
 * those of privkey_sign().
 */
kw_status privkey_sign_long(struct kw_op *op, const struct privkey *key,
                            const struct long_message *message, struct kw_span whole,
                            struct kw_out *sig);

#endif
