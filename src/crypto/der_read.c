#include "crypto/der_read.h"

#include <stdio.h>

enum { SHORT_LENGTH_MAX = 0x7f };

static size_t read_length(struct kw_reader *r)
{
    size_t len = kw_reader_u8(r);
    size_t least = 0;

    if (len == 0x81) {
        len = kw_reader_u8(r);
        least = SHORT_LENGTH_MAX + 1;
    } else if (len == 0x82) {
        len = kw_reader_u16(r);
        least = 0x100;
    } else if (len > SHORT_LENGTH_MAX) {
        kw_reader_reject(r);
    }
    if (len < least) {
        kw_reader_reject(r);
    }
    return len;
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
