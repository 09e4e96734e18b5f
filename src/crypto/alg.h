/* Algorithm names. Which of them are acceptable is policy (model/policy.h), never decided here. */
#ifndef CRYPTO_ALG_H
#define CRYPTO_ALG_H

#include "base/status.h"

/* Also bit numbers in policy masks, on disk and on the keeper's channel: never renumber. */
enum key_alg {
    KEY_ALG_NONE = 0,
    KEY_ALG_EC_P256 = 1,
    KEY_ALG_EC_P384 = 2,
    KEY_ALG_ED25519 = 3,
    KEY_ALG_RSA_3072 = 4, /* 3072 bits and up */
    KEY_ALG_MAX
};
/* 32 secret octets: no signature algorithm, so outside the list above and its masks. */
enum { KEY_ALG_SECRET_256 = 32 };
#define KEY_ALG_BIT(alg) (1u << (alg))

/* "ec-p256", "ec-p384", "ed25519", "rsa-3072", "secret-256"; "none" otherwise. */
const char *key_alg_text(enum key_alg alg);
enum key_alg key_alg_from_text(const char *text);
/* Security strength in bits (SP 800-57 part 1 table 2): 128, 192, 128, 128, 256. */
unsigned key_alg_strength(enum key_alg alg);
/* The hash it signs with, by OpenSSL's name: "SHA256", "SHA384"; NULL for Ed25519 (has its own)
 * and for secrets. */
const char *key_alg_digest(enum key_alg alg);

#endif
