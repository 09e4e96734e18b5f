/* The 35 words of a share as numbers: 32 of data, 3 of a Reed-Solomon check over GF(1024). */
#ifndef CRYPTO_SHARE_CODE_H
#define CRYPTO_SHARE_CODE_H

#include "base/bytes.h"
#include "base/op.h"
#include "base/secret.h"

enum { SHARE_DATA_WORDS = 32, SHARE_CHECK_WORDS = 3, SHARE_WORDS_EACH = 35 };
enum { SHARE_OCTETS = SHARE_DATA_WORDS * 10 / 8 };

/* Numbers of words, each below 1024. */
struct share_code {
    uint16_t at[SHARE_WORDS_EACH];
};

/* Octets as words, with their check. */
void share_code_of(const uint8_t octets[SHARE_OCTETS], struct share_code *ret);
/* The octets again; nothing is checked. */
void share_code_octets(const struct share_code *code, uint8_t ret[SHARE_OCTETS]);
/**
 * Does the check hold? Any one to three wrong words are found for certain.
 * ret_word: where exactly one word is wrong, which (counted from 1); 0 where it cannot be told.
 */
bool share_code_fits(const struct share_code *code, unsigned *ret_word);

/* The words, one blank between two, without a NUL; the caller frees it. */
kw_status share_code_write(struct kw_op *op, const struct share_code *code, struct kw_secret **ret);
/**
 * Read what people typed: words of the list or their first four letters or more, of either case;
 * white space, numbers before words ("7." or "7") and lines that begin with '#' do not count.
 * Errors: KW_E_INPUT which word is not in the list and which one was perhaps meant, or how many
 * words there are.
 */
kw_status share_code_read(struct kw_op *op, struct kw_span text, struct share_code *ret);

#endif
