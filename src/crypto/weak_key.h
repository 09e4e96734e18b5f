/* Public keys whose private half anybody can guess, other than by RSA's arithmetic. */
#ifndef CRYPTO_WEAK_KEY_H
#define CRYPTO_WEAK_KEY_H

#include "crypto/pubkey.h"

enum {
    WEAK_MULTIPLES = 1024, /* EC: private keys 1 … so many, and their negatives */
    KEY_NUMBER_BYTES = 15,
    KEY_MODULUS_BYTES = 10
};

/**
 * Is the key one that a device without randomness makes? EC: the private key is a number up to
 * WEAK_MULTIPLES or its negative; Ed25519: the point has a small order, or all octets of the seed
 * are the same.
 * ret: what it is, for people; NULL where it is none of these. The first call computes tables
 * (about 10 ms).
 */
kw_status weak_key_examine(struct kw_op *op, const struct pubkey *key, const char **ret);

/* Under which names the well-known block lists may know a key. */
struct key_names {
    uint8_t spki[KW_HASH_BYTES];        /* SHA-256 of the SubjectPublicKeyInfo */
    uint8_t number[KEY_NUMBER_BYTES];   /* badkeys: first octets of SHA-256 over RSA's n, EC's x, an
                                           Ed25519 key, as a number without leading zeros */
    uint8_t modulus[KEY_MODULUS_BYTES]; /* openssl-blacklist: last octets of SHA-1 over
                                           "Modulus=<n in hexadecimal>\n"; RSA only */
    bool has_modulus;
};
kw_status key_names(struct kw_op *op, const struct pubkey *key, struct key_names *ret);

#endif
