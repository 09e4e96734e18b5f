#include "crypto/der_read.h"

#include <stdio.h>

enum { SHORT_LENGTH_MAX = 0x7f };

/* So many octets of it; the least that they may say. */
static size_t read_long_length(struct kw_reader *r, unsigned n)
{
    uint64_t len = 0;

    for (unsigned i = 0; i < n; i++) {
        len = len << 8 | kw_reader_u8(r);
    }
    if (len <= SHORT_LENGTH_MAX || len >> (8 * (n - 1)) == 0) {
        kw_reader_reject(r);
    }
    return (size_t)len;
}

static size_t read_length(struct kw_reader *r)
{
    unsigned first = kw_reader_u8(r);

    if (first <= SHORT_LENGTH_MAX) {
        return first;
    }
    if (first == 0x80 || first > 0x84) {
        kw_reader_reject(r);
        return 0;
    }
    return read_long_length(r, first & 0x7f);
}

struct kw_span der_read(struct kw_reader *r, uint8_t tag)
{
    if (kw_reader_u8(r) != tag) {
        kw_reader_reject(r);
    }
    size_t len = read_length(r);
    return kw_reader_take(r, r->failed ? 0 : len);
}

struct kw_span der_read_whole(struct kw_reader *r, uint8_t tag)
{
    struct kw_span from = r->rest;

    (void)der_read(r, tag); /* a failure stays in r */
    return r->failed ? KW_SPAN(NULL, 0) : kw_span_sub(from, 0, from.len - r->rest.len);
}

bool der_read_is(const struct kw_reader *r, uint8_t tag)
{
    return !r->failed && r->rest.len > 0 && r->rest.p[0] == tag;
}

/* One arc in base 128, moved past. */
static bool take_arc(struct kw_span *oid, uint32_t *ret)
{
    uint32_t arc = 0;

    for (size_t i = 0; i < oid->len && i < 5; i++) {
        uint8_t octet = oid->p[i];
        if ((i == 0 && octet == 0x80) || arc > INT32_MAX >> 7) {
            return false;
        }
        arc = arc << 7 | (octet & 0x7f);
        if (octet < 0x80) {
            *oid = kw_span_sub(*oid, i + 1, oid->len);
            *ret = arc;
            return true;
        }
    }
    return false;
}

/* X.690 section 8.19.4: the first two arcs are one number. */
bool der_read_oid(struct kw_span oid, char *text, size_t cap)
{
    uint32_t arc = 0;

    if (!take_arc(&oid, &arc)) {
        return false;
    }
    uint32_t first = arc < 80 ? arc / 40 : 2;
    int n = snprintf(text, cap, "%u.%u", first, arc - first * 40);
    size_t at = n > 0 ? (size_t)n : cap;
    while (at < cap && oid.len > 0) {
        if (!take_arc(&oid, &arc)) {
            return false;
        }
        n = snprintf(text + at, cap - at, ".%u", arc);
        at += n > 0 ? (size_t)n : cap;
    }
    return at < cap;
}

/* --- elements of the usual form --------------------------------------------------------------- */

#define OCTETS(text) {(const uint8_t *)(text), sizeof(text) - 1}
static const struct {
    enum key_alg alg;
    struct kw_span der;
} algs[] = {
    {KEY_ALG_EC_P256,  OCTETS("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02")            },
    {KEY_ALG_EC_P384,  OCTETS("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03")            },
    {KEY_ALG_ED25519,  OCTETS("\x30\x05\x06\x03\x2b\x65\x70")                                },
    {KEY_ALG_RSA_3072, OCTETS("\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x00")},
};

bool der_read_sig_alg(struct kw_reader *r, enum key_alg *ret, struct kw_span *ret_der)
{
    struct kw_span der = der_read_whole(r, DER_SEQUENCE);

    for (size_t i = 0; i < KW_COUNT(algs); i++) {
        if (kw_span_equal(der, algs[i].der)) {
            *ret = algs[i].alg;
            *ret_der = der;
            return true;
        }
    }
    return false;
}

struct kw_span der_sig_alg(enum key_alg alg)
{
    for (size_t i = 0; i < KW_COUNT(algs); i++) {
        if (algs[i].alg == alg) {
            return algs[i].der;
        }
    }
    return KW_SPAN(NULL, 0);
}

bool der_read_positive(struct kw_reader *r, struct kw_span *ret)
{
    struct kw_span v = der_read(r, DER_INTEGER);

    if (v.len > 1 && v.p[0] == 0 && v.p[1] >= 0x80) {
        v = kw_span_sub(v, 1, v.len - 1);
    } else if (v.len == 0 || v.p[0] == 0 || v.p[0] >= 0x80) {
        return false;
    }
    *ret = v;
    return true;
}

bool der_read_critical(struct kw_reader *r, bool *ret)
{
    static const struct kw_span yes = OCTETS("\xff");

    *ret = der_read_is(r, DER_BOOLEAN);
    return !*ret || kw_span_equal(der_read(r, DER_BOOLEAN), yes);
}

/* Two digits, at most max; -1 for anything else. */
static int two(const uint8_t *p, int max)
{
    unsigned high = (unsigned)p[0] - '0';
    unsigned low = (unsigned)p[1] - '0';
    int value = (int)(10 * high + low);

    return high <= 9 && low <= 9 && value <= max ? value : -1;
}

static bool is_leap(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Days from 1970-01-01; -1 where there is no such day. */
static int64_t day_of(int year, int month, int day)
{
    static const uint8_t lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    static const uint16_t before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};

    if (month < 1 || day < 1 || day > lengths[month - 1] + (month == 2 && is_leap(year))) {
        return -1;
    }
    int64_t whole = year - 1;
    int64_t days = whole * 365 + whole / 4 - whole / 100 + whole / 400;
    return days + before[month - 1] + (month > 2 && is_leap(year)) + day - 1 - 719162;
}

/* MMDDhhmmssZ */
static bool read_in_year(int year, const uint8_t *p, int64_t *ret)
{
    int month = two(p, 12);
    int day = two(p + 2, 31);
    int hour = two(p + 4, 23);
    int minute = two(p + 6, 59);
    int second = two(p + 8, 59);

    if (month < 0 || day < 0 || hour < 0 || minute < 0 || second < 0 || p[10] != 'Z') {
        return false;
    }
    int64_t days = day_of(year, month, day);
    *ret = days * 86400 + hour * 3600 + minute * 60 + second;
    return days >= 0;
}

/* YYYYMMDDhhmmssZ from this year on. */
static bool read_from_year(struct kw_span v, int first, int64_t *ret)
{
    int century = v.len == 15 ? two(v.p, 99) : -1;
    int year = v.len == 15 ? two(v.p + 2, 99) : -1;

    return century >= 0 && year >= 0 && 100 * century + year >= first &&
           read_in_year(100 * century + year, v.p + 4, ret);
}

bool der_read_gentime(struct kw_reader *r, int64_t *ret)
{
    return read_from_year(der_read(r, DER_GENERAL_TIME), 1970, ret);
}

bool der_read_time(struct kw_reader *r, int64_t *ret)
{
    if (der_read_is(r, DER_UTC_TIME)) {
        struct kw_span v = der_read(r, DER_UTC_TIME);
        int year = v.len == 13 ? two(v.p, 49) : -1;
        return year >= 0 && read_in_year(2000 + year, v.p + 2, ret);
    }
    return read_from_year(der_read(r, DER_GENERAL_TIME), 2050, ret);
}
