/* One attribute of a subject as profiles and authorities write it: "CN={id}". What stands in braces
 * comes from the registry, never from a request. */
#ifndef MODEL_SUBJECT_PART_H
#define MODEL_SUBJECT_PART_H

#include <stdbool.h>
#include <stddef.h>

#include "base/limits.h"
#include "base/status.h"

enum { SUBJECT_PARTS_MAX = 6, SUBJECT_PART_MAX = 96, SUBJECT_TYPE_MAX = 24 };

/* What may stand in braces. NULL or "": not known of this one. */
struct subject_facts {
    const char *organization;                  /* of the server's configuration */
    const char *id, *serial, *product, *batch; /* a device's */
    const char *name;                          /* of anybody else: "NAME" of "station:NAME" */
};

/* Bits of the words: who knows them. */
enum subject_word {
    SUBJECT_ORGANIZATION = 1 << 0,
    SUBJECT_ID = 1 << 1,
    SUBJECT_SERIAL = 1 << 2,
    SUBJECT_PRODUCT = 1 << 3,
    SUBJECT_BATCH = 1 << 4,
    SUBJECT_NAME = 1 << 5,
};

/* TYPE=VALUE with known words in closed braces; *ret: which. KW_E_INPUT. */
kw_status subject_part_words(const char *part, unsigned *ret);
/* The word's name by its number from 0; NULL after the last. */
const char *subject_word_text(unsigned i);
/**
 * "CN", and the value with its words replaced.
 * KW_E_INPUT: no part at all; KW_E_NOT_FOUND: a word that is not known of this one; KW_E_TOO_LARGE.
 */
kw_status subject_part_fill(const char *part, const struct subject_facts *facts,
                            char type[SUBJECT_TYPE_MAX], char value[KW_NAME_MAX]);

#endif
