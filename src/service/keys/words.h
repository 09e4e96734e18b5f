/* The message catalogue: every word that operators and assessors read in two languages. */
#ifndef SERVICE_KEYS_WORDS_H
#define SERVICE_KEYS_WORDS_H

enum word_lang { WORDS_EN = 0, WORDS_ZH_TW, WORDS_LANGS };

/* "en", "zh-TW"; WORDS_LANGS where unknown. */
enum word_lang words_lang(const char *text);
/* A message by its id ("column.storage.backend"); the id itself where there is none. */
const char *words(const char *id, enum word_lang lang);

#endif
