/*
 * A signature over a hash that somebody else made. FOR THE KEEPER ALONE (cmd/keywright-keeper/
 * sign_firmware.c): whoever gets a hash signed may get anything signed that has it, so only a key
 * whose class signs nothing but firmware images may ever be used here.
 */
#ifndef CRYPTO_SIGN_DIGEST_H
#define CRYPTO_SIGN_DIGEST_H

#include "crypto/privkey.h"

/**
 * Sign the SHA-256 of a firmware image as MCUboot verifies it: ECDSA takes the digest as its hash
 * value, Ed25519 signs the 32 octets as its message.
 *
 * digest  exactly KW_HASH_BYTES octets
 * sig     EC: DER ECDSA-Sig-Value, Ed25519: 64 octets. Room of KW_SIG_MAX; unchanged on failure
 *
 * Errors  KW_E_INPUT another length; KW_E_UNSUPPORTED an RSA key, or one that lives elsewhere (its
 *         device hashes whole messages itself)
 */
kw_status privkey_sign_digest(struct kw_op *op, const struct privkey *key, struct kw_span digest,
                              struct kw_out *sig);

#endif
