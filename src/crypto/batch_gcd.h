/*
 * Do RSA moduli share a prime? Each modulus against the product of all others at once, after
 * Bernstein: D = sum of P/n_i over the product P is divided down the product tree, as a fixed-point
 * fraction (a scaled remainder tree), so that only multiplications remain; D mod n_i and n_i share
 * exactly what n_i shares with the rest.
 */
#ifndef CRYPTO_BATCH_GCD_H
#define CRYPTO_BATCH_GCD_H

#include "base/bytes.h"
#include "base/op.h"

enum { BATCH_GCD_MAX = 100000 };

/**
 * moduli  n numbers, big-endian, odd, of 128 to 8192 bits each, 1 … BATCH_GCD_MAX
 * shared  n flags: set where a modulus has a factor in common with another one (or is the same)
 * go_on   asked between steps; false ends it with KW_E_UNAVAILABLE. NULL: nobody asks
 * Errors: KW_E_INPUT, KW_E_MEMORY. Memory about 20 times the moduli.
 * Blocks long: bench/quality.c measures. Public data only.
 */
kw_status batch_gcd(struct kw_op *op, const struct kw_span moduli[], unsigned n,
                    bool (*go_on)(void *ctx), void *ctx, bool shared[]);
/* The same for two, at once: have they a factor in common? */
kw_status moduli_share(struct kw_op *op, struct kw_span a, struct kw_span b, bool *ret);

#endif
