#include "base/writer.h"

struct kw_writer kw_writer_of(struct kw_out *out)
{
    return (struct kw_writer){.out = out, .failed = false};
}

void kw_writer_put(struct kw_writer *w, struct kw_span span)
{
    if (!w->failed) {
        w->failed = !kw_ok(kw_out_append(w->out, span));
    }
}

static void write_big_endian(struct kw_writer *w, uint64_t v, size_t n)
{
    uint8_t octets[8];

    for (size_t i = 0; i < n; i++) {
        octets[i] = (uint8_t)(v >> 8 * (n - 1 - i));
    }
    kw_writer_put(w, KW_SPAN(octets, n));
}

void kw_writer_u8(struct kw_writer *w, uint8_t v)
{
    write_big_endian(w, v, 1);
}

void kw_writer_u16(struct kw_writer *w, uint16_t v)
{
    write_big_endian(w, v, 2);
}

void kw_writer_u32(struct kw_writer *w, uint32_t v)
{
    write_big_endian(w, v, 4);
}

void kw_writer_u64(struct kw_writer *w, uint64_t v)
{
    write_big_endian(w, v, 8);
}

/* Length and octets go in together or not at all: no stray length is left behind. */
static void write_counted(struct kw_writer *w, struct kw_span span, size_t n_length, size_t max)
{
    if (span.len > max || n_length + span.len > w->out->cap - w->out->len) {
        w->failed = true;
    }
    if (!w->failed) {
        write_big_endian(w, span.len, n_length);
        kw_writer_put(w, span);
    }
}

void kw_writer_span16(struct kw_writer *w, struct kw_span span)
{
    write_counted(w, span, 2, UINT16_MAX);
}

void kw_writer_span32(struct kw_writer *w, struct kw_span span)
{
    write_counted(w, span, 4, UINT32_MAX);
}

void kw_writer_text(struct kw_writer *w, const char *text)
{
    kw_writer_span16(w, kw_span_text(text));
}

kw_status kw_writer_end(const struct kw_writer *w)
{
    return w->failed ? KW_FAIL(KW_E_TOO_LARGE) : KW_OK;
}
