#include "model/subject_part.h"

#include <string.h>

#include "base/bytes.h"

static const struct word {
    const char *text;
    unsigned bit;
    size_t offset; /* of the fact */
} words[] = {
    {"organization", SUBJECT_ORGANIZATION, offsetof(struct subject_facts, organization)},
    {"id",           SUBJECT_ID,           offsetof(struct subject_facts, id)          },
    {"serial",       SUBJECT_SERIAL,       offsetof(struct subject_facts, serial)      },
    {"product",      SUBJECT_PRODUCT,      offsetof(struct subject_facts, product)     },
    {"batch",        SUBJECT_BATCH,        offsetof(struct subject_facts, batch)       },
    {"name",         SUBJECT_NAME,         offsetof(struct subject_facts, name)        },
};

const char *subject_word_text(unsigned i)
{
    return i < KW_COUNT(words) ? words[i].text : NULL;
}

static const struct word *word_of(const char *text, size_t len)
{
    for (size_t i = 0; i < KW_COUNT(words); i++) {
        if (strlen(words[i].text) == len && memcmp(words[i].text, text, len) == 0) {
            return &words[i];
        }
    }
    return NULL;
}

/* The value behind TYPE=; NULL where there is none. */
static const char *value_of(const char *part, size_t *ret_type_len)
{
    const char *equals = memchr(part, '=', strnlen(part, SUBJECT_PART_MAX));

    if (!equals || equals == part || equals[1] == '\0' || equals - part >= SUBJECT_TYPE_MAX) {
        return NULL;
    }
    *ret_type_len = (size_t)(equals - part);
    return equals + 1;
}

/* "{id}" at *at: moves behind it. NULL where it is no word. */
static const struct word *take_word(const char **at)
{
    const char *end = strchr(*at, '}');
    const struct word *word = end ? word_of(*at + 1, (size_t)(end - *at - 1)) : NULL;

    if (word) {
        *at = end + 1;
    }
    return word;
}

kw_status subject_part_words(const char *part, unsigned *ret)
{
    size_t type_len = 0;
    unsigned bits = 0;
    const char *at = value_of(part, &type_len);

    if (!at) {
        return KW_FAIL(KW_E_INPUT);
    }
    while (*at != '\0') {
        if (*at == '}') {
            return KW_FAIL(KW_E_INPUT);
        }
        if (*at != '{') {
            at++;
            continue;
        }
        const struct word *word = take_word(&at);
        if (!word) {
            return KW_FAIL(KW_E_INPUT);
        }
        bits |= word->bit;
    }
    *ret = bits;
    return KW_OK;
}

static bool append(char value[KW_NAME_MAX], size_t *n, const char *text, size_t len)
{
    if (len >= KW_NAME_MAX - *n) {
        return false;
    }
    memcpy(value + *n, text, len);
    *n += len;
    return true;
}

kw_status subject_part_fill(const char *part, const struct subject_facts *facts,
                            char type[SUBJECT_TYPE_MAX], char value[KW_NAME_MAX])
{
    size_t type_len = 0, n = 0;
    unsigned bits = 0;
    char text[KW_NAME_MAX];
    const char *at = value_of(part, &type_len);

    if (!kw_ok(subject_part_words(part, &bits))) {
        return KW_FAIL(KW_E_INPUT);
    }
    while (*at != '\0') {
        const struct word *word = *at == '{' ? take_word(&at) : NULL;
        const char *fact =
            word ? *(const char *const *)(const void *)((const char *)facts + word->offset) : at++;
        if (!fact || *fact == '\0') {
            return KW_FAIL(KW_E_NOT_FOUND);
        }
        if (!append(text, &n, fact, word ? strlen(fact) : 1)) {
            return KW_FAIL(KW_E_TOO_LARGE);
        }
    }
    text[n] = '\0';
    memcpy(type, part, type_len);
    type[type_len] = '\0';
    memcpy(value, text, n + 1);
    return KW_OK;
}
