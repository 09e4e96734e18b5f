/* M-of-N shares of a secret (Shamir over GF(256), libgfshare). */
#ifndef CRYPTO_SHARE_H
#define CRYPTO_SHARE_H

#include "base/bytes.h"
#include "base/limits.h"
#include "base/op.h"
#include "base/secret.h"

enum { SHARE_SECRET_MAX = 4096 }; /* an RSA-4096 PKCS#8 is 2400 octets */

/*
 * A share is one line of text:
 *
 *     kwshare1-<set>-<m>-<index>-<data>-<check>
 *
 *     set    8 hex digits, random, the same on all shares of one splitting
 *     m      how many are needed, decimal
 *     index  1..n, decimal, different on each
 *     data   hex: this share of (secret || first 8 octets of SHA-256(secret)):
 *            each octet is a polynomial over GF(256) mod x^8+x^4+x^3+x^2+1 taken at `index`, whose
 *            constant term is the octet shared
 *     check  8 hex digits: first 4 octets of SHA-256("kwshare1" || set || m || index || data),
 *            set and data as octets, m and index as one octet each
 *
 * `check` finds typing errors in one share; the hash inside the shared octets finds shares that are
 * well formed but do not belong together. Hex digits may be of either case, white space around is
 * ignored.
 */

/**
 * Split. 2 <= m <= n <= KW_SHARES_MAX, secret of 1..SHARE_SECRET_MAX octets.
 * ret_shares[0..n-1]: one text each, without a line end or NUL; the caller frees them. Unchanged on
 * failure. Errors: KW_E_INPUT; KW_E_MEMORY, KW_E_LIMIT.
 */
kw_status share_split(struct kw_op *op, const struct kw_secret *secret, unsigned m, unsigned n,
                      struct kw_secret *ret_shares[]);
/**
 * Put a secret together again, from m or more shares; all that are given must fit.
 * Errors: KW_E_INPUT which share (counted from 1) is damaged, of another set, or given twice;
 *         KW_E_DENIED fewer than m; KW_E_INTEGRITY well formed, but they give no secret of ours.
 */
kw_status share_join(struct kw_op *op, const struct kw_secret *const shares[], unsigned n,
                     struct kw_secret **ret);

#endif
