#include "base/reader.h"

#include "base/utf8.h"

struct kw_reader kw_reader_of(struct kw_span span)
{
    return (struct kw_reader){.rest = span, .failed = false};
}

struct kw_span kw_reader_take(struct kw_reader *r, size_t n)
{
    if (r->failed || n > r->rest.len) {
        r->failed = true;
        return KW_SPAN(NULL, 0);
    }
    struct kw_span taken = KW_SPAN(r->rest.p, n);
    if (n > 0) {
        r->rest = KW_SPAN(r->rest.p + n, r->rest.len - n);
    }
    return taken;
}

static uint64_t read_big_endian(struct kw_reader *r, size_t n)
{
    struct kw_span octets = kw_reader_take(r, n);
    uint64_t v = 0;

    for (size_t i = 0; i < octets.len; i++) {
        v = v << 8 | octets.p[i];
    }
    return v;
}

uint8_t kw_reader_u8(struct kw_reader *r)
{
    return (uint8_t)read_big_endian(r, 1);
}

uint16_t kw_reader_u16(struct kw_reader *r)
{
    return (uint16_t)read_big_endian(r, 2);
}

uint32_t kw_reader_u32(struct kw_reader *r)
{
    return (uint32_t)read_big_endian(r, 4);
}

uint64_t kw_reader_u64(struct kw_reader *r)
{
    return read_big_endian(r, 8);
}

static struct kw_span take_at_most(struct kw_reader *r, size_t n, size_t max)
{
    if (n > max) {
        r->failed = true;
    }
    return kw_reader_take(r, n);
}

struct kw_span kw_reader_span16(struct kw_reader *r, size_t max)
{
    size_t n = kw_reader_u16(r);

    return take_at_most(r, n, max);
}

struct kw_span kw_reader_span32(struct kw_reader *r, size_t max)
{
    size_t n = kw_reader_u32(r);

    return take_at_most(r, n, max);
}

void kw_reader_copy(struct kw_reader *r, void *dst, size_t n)
{
    struct kw_span octets = kw_reader_take(r, n);

    if (octets.len > 0) {
        memcpy(dst, octets.p, octets.len);
    } else if (n > 0) {
        memset(dst, 0, n);
    }
}

void kw_reader_text(struct kw_reader *r, char *dst, size_t cap)
{
    struct kw_span octets = cap > 0 ? kw_reader_span16(r, cap - 1) : KW_SPAN(NULL, 0);

    if (cap == 0 || !kw_utf8_is_plain(octets)) {
        r->failed = true;
        octets = KW_SPAN(NULL, 0);
    }
    if (octets.len > 0) {
        memcpy(dst, octets.p, octets.len);
    }
    if (cap > 0) {
        dst[octets.len] = '\0';
    }
}

void kw_reader_reject(struct kw_reader *r)
{
    r->failed = true;
}

kw_status kw_reader_end(const struct kw_reader *r)
{
    return r->failed || r->rest.len > 0 ? KW_FAIL(KW_E_INPUT) : KW_OK;
}
