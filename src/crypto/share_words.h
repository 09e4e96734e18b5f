/* The list of words that shares are written with. */
#ifndef CRYPTO_SHARE_WORDS_H
#define CRYPTO_SHARE_WORDS_H

enum { SHARE_WORDS = 1024, SHARE_WORD_BITS = 10, SHARE_WORD_MAX = 8, SHARE_WORD_UNIQUE = 4 };

/* Sorted; all lower case; no two begin with the same SHARE_WORD_UNIQUE letters. */
extern const char share_words[SHARE_WORDS][SHARE_WORD_MAX + 1];

#endif
