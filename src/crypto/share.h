/* M-of-N shares of a key (Shamir over GF(256), libgfshare), written as words. */
#ifndef CRYPTO_SHARE_H
#define CRYPTO_SHARE_H

#include "base/bytes.h"
#include "base/limits.h"
#include "base/op.h"
#include "base/secret.h"

enum { SHARE_SECRET_BYTES = 32, SHARE_SET_BYTES = 3, SHARE_TEXT_MAX = 2048 };

/*
 * A share is 35 words of the list in share_words.c, told apart by their first four letters. The
 * first 32 are 40 octets, ten bits a word:
 *
 *     3 octets   set: random, the same on all shares of one splitting
 *     4 bits     m - 1: how many are needed
 *     4 bits     index - 1: different on each, index is 1..n
 *     36 octets  this share of (secret || first 4 octets of SHA-256(secret)): each octet is a
 *                polynomial over GF(256) mod x^8+x^4+x^3+x^2+1 taken at `index`, whose constant
 *                term is the octet shared
 *
 * The last 3 are a Reed-Solomon check (share_code.h): it finds any three wrong words, and says
 * which one where it is one. The hash inside the shared octets finds shares that are well formed
 * but do not belong together. A text may also have numbers before its words and comment lines that
 * begin with '#'.
 */

/**
 * Split. 2 <= m <= n <= KW_SHARES_MAX, secret of exactly SHARE_SECRET_BYTES.
 * ret_shares[0..n-1]: one text each, words with blanks between, without a line end or NUL; the
 * caller frees them. Unchanged on failure. Errors: KW_E_INPUT; KW_E_MEMORY, KW_E_LIMIT.
 */
kw_status share_split(struct kw_op *op, const struct kw_secret *secret, unsigned m, unsigned n,
                      struct kw_secret *ret_shares[]);
/**
 * Put a secret together again, from m or more shares; all that are given must fit.
 * Errors: KW_E_INPUT which share (counted from 1) is damaged and where, of another set, or given
 * twice; KW_E_DENIED fewer than m; KW_E_INTEGRITY well formed, but they give no secret of ours.
 */
kw_status share_join(struct kw_op *op, const struct kw_secret *const shares[], unsigned n,
                     struct kw_secret **ret);

struct share_info {
    char set[2 * SHARE_SET_BYTES + 1]; /* hex */
    unsigned m;                        /* how many are needed */
    unsigned index;                    /* 1.. */
};
/* Check one share, as far as it can be alone. KW_E_INPUT where it is damaged, naming the word. */
kw_status share_check(struct kw_op *op, const struct kw_secret *text, struct share_info *ret);
/**
 * The page that a custodian gets: a comment line (title, index, m and set), then the words numbered
 * in rows of five. share_join() reads it as it is. title: one line without line ends.
 */
kw_status share_page(struct kw_op *op, const struct kw_secret *share, const char *title,
                     struct kw_secret **ret);

#endif
