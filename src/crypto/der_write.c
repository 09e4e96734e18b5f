#include "crypto/der_write.h"

#include "base/time.h"

enum {
    SHORT_LENGTH_MAX = 0x7f,
    LENGTH_ROOM = 1 + sizeof(uint32_t),
    INT_ROOM = sizeof(int64_t),
    DAY_S = 86400
};

struct der_writer der_writer_of(struct kw_bytes *into)
{
    return (struct der_writer){.into = into};
}

static void append(struct der_writer *w, struct kw_span octets)
{
    w->failed = w->failed || !kw_ok(kw_bytes_append(w->into, octets));
}

static void append_octet(struct der_writer *w, uint8_t octet)
{
    append(w, KW_SPAN(&octet, 1));
}

/* The length of contents: one octet up to 127, else a count of octets before the shortest form. */
static size_t encode_length(size_t len, uint8_t room[LENGTH_ROOM])
{
    size_t n = 0;

    if (len <= SHORT_LENGTH_MAX) {
        room[0] = (uint8_t)len;
        return 1;
    }
    for (size_t rest = len; rest > 0; rest >>= 8) {
        n++;
    }
    room[0] = (uint8_t)(0x80 | n);
    for (size_t i = 0; i < n; i++) {
        room[1 + i] = (uint8_t)(len >> (8 * (n - 1 - i)));
    }
    return 1 + n;
}

size_t der_open(struct der_writer *w, uint8_t tag)
{
    append_octet(w, tag);
    return w->into->len;
}

/* The contents make way for their length. */
void der_close(struct der_writer *w, size_t at)
{
    uint8_t room[LENGTH_ROOM];

    if (w->failed || w->into->len - at > INT32_MAX) {
        w->failed = true;
        return;
    }
    size_t len = w->into->len - at;
    size_t n = encode_length(len, room);
    append(w, KW_SPAN(room, n)); /* any octets: room is what is needed */
    if (!w->failed) {
        memmove(w->into->p + at + n, w->into->p + at, len);
        memcpy(w->into->p + at, room, n);
    }
}

void der_put(struct der_writer *w, uint8_t tag, struct kw_span contents)
{
    size_t at = der_open(w, tag);

    append(w, contents);
    der_close(w, at);
}

void der_copy(struct der_writer *w, struct kw_span octets)
{
    append(w, octets);
}

void der_put_int(struct der_writer *w, int64_t value)
{
    uint8_t room[INT_ROOM];
    size_t first = 0;

    for (size_t i = 0; i < INT_ROOM; i++) {
        room[i] = (uint8_t)((uint64_t)value >> (8 * (INT_ROOM - 1 - i)));
    }
    /* An octet that only repeats the sign is left out. */
    while (first + 1 < INT_ROOM && ((room[first] == 0x00 && room[first + 1] < 0x80) ||
                                    (room[first] == 0xff && room[first + 1] >= 0x80))) {
        first++;
    }
    der_put(w, DER_INTEGER, KW_SPAN(room + first, INT_ROOM - first));
}

void der_put_magnitude(struct der_writer *w, struct kw_span magnitude)
{
    size_t at = der_open(w, DER_INTEGER);

    if (magnitude.len == 0 || magnitude.p[0] >= 0x80) {
        append_octet(w, 0);
    }
    append(w, magnitude);
    der_close(w, at);
}

void der_put_bits(struct der_writer *w, struct kw_span octets)
{
    size_t at = der_open(w, DER_BIT_STRING);

    append_octet(w, 0);
    append(w, octets);
    der_close(w, at);
}

static void put_digits(uint8_t *p, unsigned n, unsigned value)
{
    while (n > 0) {
        p[--n] = (uint8_t)('0' + value % 10);
        value /= 10;
    }
}

/* Year, month and day of a day since 1970-01-01, by eras of 400 years that begin in March. */
static void put_day(uint8_t text[8], int64_t days)
{
    unsigned day = (unsigned)(days + 719468);
    unsigned era = day / 146097;
    unsigned of_era = day - era * 146097;
    unsigned year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    unsigned of_year = of_era - (365 * year + year / 4 - year / 100);
    unsigned month = (5 * of_year + 2) / 153; /* from March */

    put_digits(text, 4, era * 400 + year + (month >= 10));
    put_digits(text + 4, 2, month < 10 ? month + 3 : month - 9);
    put_digits(text + 6, 2, of_year - (153 * month + 2) / 5 + 1);
}

void der_put_time(struct der_writer *w, int64_t unix_s)
{
    uint8_t text[15];

    if (unix_s < 0 || unix_s > KW_TIME_NEVER) {
        w->failed = true;
        return;
    }
    unsigned second = (unsigned)(unix_s % DAY_S);
    put_day(text, unix_s / DAY_S);
    put_digits(text + 8, 2, second / 3600);
    put_digits(text + 10, 2, second / 60 % 60);
    put_digits(text + 12, 2, second % 60);
    text[14] = 'Z';
    der_put(w, DER_GENERAL_TIME, KW_SPAN_ARRAY(text));
}

kw_status der_written(const struct der_writer *w)
{
    return w->failed ? KW_FAIL(KW_E_MEMORY) : KW_OK;
}
