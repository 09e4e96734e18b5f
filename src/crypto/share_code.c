#include "crypto/share_code.h"

#include <ctype.h>

#include "crypto/share_words.h"

_Static_assert(SHARE_OCTETS * 8 == SHARE_DATA_WORDS * SHARE_WORD_BITS, "whole octets");
_Static_assert(SHARE_WORDS_EACH == SHARE_DATA_WORDS + SHARE_CHECK_WORDS, "data and check");

/* --- the check ---------------------------------------------------------------------------------
 * The 35 numbers are a polynomial over GF(2)[a] mod a^10 + a^3 + 1, the first one its highest term;
 * with the right check its values at a, a^2 and a^3 are 0. */
enum { FIELD_POLYNOMIAL = 0x409, CHECK_2 = 0x0e, CHECK_1 = 0x38, CHECK_0 = 0x40 };

static uint16_t times(uint16_t x, uint16_t y)
{
    unsigned sum = 0;

    for (int bit = SHARE_WORD_BITS - 1; bit >= 0; bit--) {
        sum <<= 1;
        sum ^= (0u - (sum >> SHARE_WORD_BITS)) & FIELD_POLYNOMIAL;
        sum ^= (0u - ((unsigned)y >> bit & 1u)) & x;
    }
    return (uint16_t)sum;
}

/* The rest of data * x^3 divided by (x + a)(x + a^2)(x + a^3) = x^3 + CHECK_2 x^2 + CHECK_1 x +
 * CHECK_0. */
static void fill_check(struct share_code *code)
{
    uint16_t rest[SHARE_CHECK_WORDS] = {0};

    for (unsigned i = 0; i < SHARE_DATA_WORDS; i++) {
        uint16_t top = code->at[i] ^ rest[0];
        rest[0] = rest[1] ^ times(top, CHECK_2);
        rest[1] = rest[2] ^ times(top, CHECK_1);
        rest[2] = times(top, CHECK_0);
    }
    memcpy(code->at + SHARE_DATA_WORDS, rest, sizeof(rest));
    kw_wipe(rest, sizeof(rest));
}

static uint16_t value_at(const struct share_code *code, uint16_t x)
{
    uint16_t sum = 0;

    for (unsigned i = 0; i < SHARE_WORDS_EACH; i++) {
        sum = times(sum, x) ^ code->at[i];
    }
    return sum;
}

bool share_code_fits(const struct share_code *code, unsigned *ret_word)
{
    uint16_t s1 = value_at(code, 2);
    uint16_t s2 = value_at(code, 4);
    uint16_t s3 = value_at(code, 8);
    uint16_t power = 1;

    *ret_word = 0;
    if ((s1 | s2 | s3) == 0) {
        return true;
    }
    /* One wrong word at the term x^d makes s2 = s1 a^d and s3 = s2 a^d. */
    for (unsigned d = 0; d < SHARE_WORDS_EACH; d++) {
        if (s1 != 0 && times(s1, power) == s2 && times(s2, power) == s3) {
            *ret_word = SHARE_WORDS_EACH - d;
        }
        power = times(power, 2);
    }
    return false;
}

/* --- octets ----------------------------------------------------------------------------------- */

void share_code_of(const uint8_t octets[SHARE_OCTETS], struct share_code *ret)
{
    for (unsigned i = 0; i < SHARE_DATA_WORDS; i++) {
        unsigned bit = i * SHARE_WORD_BITS;
        unsigned pair = (unsigned)octets[bit / 8] << 8 | octets[bit / 8 + 1];
        ret->at[i] = (uint16_t)(pair >> (16 - SHARE_WORD_BITS - bit % 8) & (SHARE_WORDS - 1));
    }
    fill_check(ret);
}

void share_code_octets(const struct share_code *code, uint8_t ret[SHARE_OCTETS])
{
    memset(ret, 0, SHARE_OCTETS);
    for (unsigned i = 0; i < SHARE_DATA_WORDS; i++) {
        unsigned bit = i * SHARE_WORD_BITS;
        unsigned pair = (unsigned)code->at[i] << (16 - SHARE_WORD_BITS - bit % 8);
        ret[bit / 8] |= (uint8_t)(pair >> 8);
        ret[bit / 8 + 1] |= (uint8_t)pair;
    }
}

/* --- words ------------------------------------------------------------------------------------ */

kw_status share_code_write(struct kw_op *op, const struct share_code *code, struct kw_secret **ret)
{
    AUTO(kw_secret) *text = NULL;
    size_t n = 0;

    TRY(op, kw_secret_new((size_t)SHARE_WORDS_EACH * (SHARE_WORD_MAX + 1), &text),
        "writing a share");
    char *p = (char *)kw_secret_data(text);
    for (unsigned i = 0; i < SHARE_WORDS_EACH; i++) {
        const char *word = share_words[code->at[i]];
        size_t len = strlen(word);
        if (i > 0) {
            p[n++] = ' ';
        }
        memcpy(p + n, word, len); /* NOLINT(bugprone-not-null-terminated-result): no C string */
        n += len;
    }
    kw_secret_trim(text, n);
    *ret = TAKE(text);
    return KW_OK;
}

enum { TYPED_MAX = 16 }; /* what is longer is no word of ours */

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct kw_span skip_line(struct kw_span rest)
{
    const uint8_t *end = memchr(rest.p, '\n', rest.len);

    return end ? kw_span_sub(rest, (size_t)(end - rest.p) + 1, rest.len)
               : kw_span_sub(rest, rest.len, 0);
}

/* The next run of octets that are not blank; empty at the end. Comment lines are passed over. */
static struct kw_span next_token(struct kw_span *rest, bool *line_start)
{
    while (rest->len > 0 && (is_blank(rest->p[0]) || (*line_start && rest->p[0] == '#'))) {
        if (rest->p[0] == '#') {
            *rest = skip_line(*rest);
            continue;
        }
        *line_start = *line_start || rest->p[0] == '\n';
        *rest = kw_span_sub(*rest, 1, rest->len);
    }
    size_t n = 0;
    while (n < rest->len && !is_blank(rest->p[n])) {
        n++;
    }
    struct kw_span token = kw_span_sub(*rest, 0, n);
    *rest = kw_span_sub(*rest, n, rest->len);
    *line_start = false;
    return token;
}

/* "7" or "7.": as pages number their words. */
static bool is_number(struct kw_span token)
{
    size_t n = token.len;

    if (n > 1 && token.p[n - 1] == '.') {
        n--;
    }
    for (size_t i = 0; i < n; i++) {
        if (token.p[i] < '0' || token.p[i] > '9') {
            return false;
        }
    }
    return true;
}

/* Lower case and NUL-terminated; what cannot be a word becomes "?". */
static void copy_typed(struct kw_span token, char ret[TYPED_MAX + 1])
{
    bool letters = token.len <= TYPED_MAX;

    for (size_t i = 0; letters && i < token.len; i++) {
        letters = token.p[i] < 0x80 && isalpha(token.p[i]);
        ret[i] = (char)tolower(token.p[i]);
    }
    if (!letters) {
        ret[0] = '?';
    }
    ret[letters ? token.len : 1] = '\0';
}

/* -1 where it is neither a word nor the beginning of just one. The list is sorted. */
static int find_word(const char *typed)
{
    size_t n = strlen(typed);
    int low = 0;
    int high = n >= SHARE_WORD_UNIQUE ? SHARE_WORDS - 1 : -1;

    while (low <= high) {
        int middle = (low + high) / 2;
        int order = strncmp(share_words[middle], typed, n);
        if (order == 0) {
            return middle;
        }
        low = order < 0 ? middle + 1 : low;
        high = order > 0 ? middle - 1 : high;
    }
    return -1;
}

/* A bit for each letter in it. */
static uint32_t letters_of(const char *word)
{
    uint32_t letters = 0;

    for (; *word; word++) {
        letters |= UINT32_C(1) << (*word & 31);
    }
    return letters;
}

static unsigned count_bits(uint32_t bits)
{
    return (unsigned)__builtin_popcount(bits);
}

/* How many letters must be put in, left out or changed to make one of the other. */
static unsigned distance(const char *a, const char *b)
{
    unsigned row[TYPED_MAX + 1];
    size_t n = strlen(b);

    for (unsigned j = 0; j <= n; j++) {
        row[j] = j;
    }
    for (unsigned i = 1; a[i - 1]; i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            unsigned best = diagonal + (a[i - 1] != b[j - 1]);
            best = row[j] + 1 < best ? row[j] + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[n];
}

/* The nearest word; NULL where none is near. */
static const char *suggest(const char *typed)
{
    const char *nearest = NULL;
    unsigned least = 3; /* letters; what is farther off is a guess */
    uint32_t letters = letters_of(typed);

    for (unsigned i = 0; i < SHARE_WORDS; i++) {
        uint32_t others = letters_of(share_words[i]); /* each one that lacks is a step at least */
        if (count_bits(letters & ~others) >= least || count_bits(others & ~letters) >= least) {
            continue;
        }
        unsigned d = distance(typed, share_words[i]);
        if (d < least) {
            least = d;
            nearest = share_words[i];
        }
    }
    return nearest;
}

static kw_status refuse_word(struct kw_op *op, unsigned number, const char *typed)
{
    const char *meant = suggest(typed);

    if (meant) {
        return FAIL(op, KW_E_INPUT, "word %u, '%s', is not in the list; did you mean '%s'?", number,
                    typed, meant);
    }
    return FAIL(op, KW_E_INPUT, "word %u, '%s', is not in the list", number, typed);
}

static kw_status read_words(struct kw_op *op, struct kw_span rest, char typed[TYPED_MAX + 1],
                            struct share_code *ret)
{
    bool line_start = true;
    unsigned n = 0;

    for (;;) {
        struct kw_span token = next_token(&rest, &line_start);
        if (token.len == 0) {
            break;
        }
        if (is_number(token)) {
            continue;
        }
        copy_typed(token, typed);
        int word = find_word(typed);
        if (word < 0) {
            return refuse_word(op, n + 1, typed);
        }
        if (n < SHARE_WORDS_EACH) {
            ret->at[n] = (uint16_t)word;
        }
        n++;
    }
    ENSURE(op, n == SHARE_WORDS_EACH, KW_E_INPUT, "it has %u words; a share has %d", n,
           SHARE_WORDS_EACH);
    return KW_OK;
}

kw_status share_code_read(struct kw_op *op, struct kw_span text, struct share_code *ret)
{
    char typed[TYPED_MAX + 1];

    kw_status status = read_words(op, text, typed, ret);
    kw_wipe(typed, sizeof(typed));
    return status;
}
