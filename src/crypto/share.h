/* M-of-N shares of a secret (Shamir over GF(256), libgfshare). */
#ifndef CRYPTO_SHARE_H
#define CRYPTO_SHARE_H

#include "base/bytes.h"
#include "base/limits.h"
#include "base/op.h"
#include "base/secret.h"

/* 2 <= m <= n <= KW_SHARES_MAX. ret_shares[0..n-1]: text with set id, m, index, data and checksum; print it, one line each. */
kw_status share_split(struct kw_op *op, const struct kw_secret *secret, unsigned m, unsigned n,
                      struct kw_secret *ret_shares[]);
/**
 * Put a secret together again.
 * Errors: KW_E_INPUT which share is damaged, of another set, or given twice; KW_E_DENIED fewer than m.
 */
kw_status share_join(struct kw_op *op, const struct kw_secret *const shares[], unsigned n,
                     struct kw_secret **ret);

#endif
