/* What is wrong with an RSA public key, as far as its public half tells. */
#ifndef CRYPTO_RSA_QUALITY_H
#define CRYPTO_RSA_QUALITY_H

#include "crypto/pubkey.h"

enum rsa_flaw {
    RSA_SOUND = 0,
    RSA_FLAW_SIZE,           /* below 2048 bits */
    RSA_FLAW_EXPONENT_EVEN,  /* no private half exists */
    RSA_FLAW_EXPONENT_SMALL, /* below 65537 */
    RSA_FLAW_EVEN,           /* the modulus is even */
    RSA_FLAW_SMALL_FACTOR,   /* a prime below 65536 divides it */
    RSA_FLAW_PRIME,          /* the modulus itself is prime */
    RSA_FLAW_SQUARE,         /* p = q */
    RSA_FLAW_FERMAT,         /* p and q are so close that Fermat's method finds them at once */
    RSA_FLAW_ROCA,           /* CVE-2017-15361: primes of Infineon's RSALib */
    RSA_FLAW_MAX
};
/* "roca", …; "sound". */
const char *rsa_flaw_text(enum rsa_flaw flaw);
/* One sentence for people. */
const char *rsa_flaw_meaning(enum rsa_flaw flaw);

/**
 * Look at modulus n and exponent e, big-endian, at most KW_SPKI_MAX octets each.
 * ret: the first flaw found in the order of the list, or RSA_SOUND.
 * About 8 ms for 3072 bits, most of it the test whether n is prime. Public data only.
 */
kw_status rsa_examine(struct kw_op *op, struct kw_span n, struct kw_span e, enum rsa_flaw *ret);
/* The same of a key; RSA_SOUND for keys of other algorithms. */
kw_status rsa_examine_key(struct kw_op *op, const struct pubkey *key, enum rsa_flaw *ret);
/* The modulus, big-endian without leading zeros. KW_E_UNSUPPORTED no RSA key; KW_E_TOO_LARGE. */
kw_status rsa_modulus(struct kw_op *op, const struct pubkey *key, struct kw_out *out);

/* ROCA alone: is n, modulo each prime up to 167, a power of 65537, and with one exponent for all?
 * A random modulus passes with a probability of 2^-154. */
bool rsa_has_roca_form(const void *bignum);

#endif
