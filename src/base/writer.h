/* Building octets, big-endian. Sticky: write everything, then ask kw_writer_end(). */
#ifndef BASE_WRITER_H
#define BASE_WRITER_H

#include "base/bytes.h"

struct kw_writer {
    struct kw_out *out; /* the caller's room */
    bool failed;        /* once true, further writes do nothing */
};

struct kw_writer kw_writer_of(struct kw_out *out);
void kw_writer_u8(struct kw_writer *w, uint8_t v);
void kw_writer_u16(struct kw_writer *w, uint16_t v);
void kw_writer_u32(struct kw_writer *w, uint32_t v);
void kw_writer_u64(struct kw_writer *w, uint64_t v);
void kw_writer_put(struct kw_writer *w, struct kw_span span);
void kw_writer_span16(struct kw_writer *w, struct kw_span span);
void kw_writer_span32(struct kw_writer *w, struct kw_span span);
void kw_writer_text(struct kw_writer *w, const char *text); /* u16 length, octets, no NUL */
/* KW_E_TOO_LARGE where the room did not suffice. */
kw_status kw_writer_end(const struct kw_writer *w);

#endif
