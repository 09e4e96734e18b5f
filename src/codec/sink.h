/* Writing JSON into kw_bytes; inside codec only. Sticky: write everything, then ask sink_end(). */
#ifndef CODEC_SINK_H
#define CODEC_SINK_H

#include "base/bytes.h"

struct sink {
    struct kw_bytes *into; /* borrowed */
    size_t start;          /* into's length before: where a failure takes it back to */
    kw_status status;      /* of the first failure */
};

struct sink sink_of(struct kw_bytes *into);
void sink_put(struct sink *s, const char *octets, size_t n);
/* Text that needs no escapes: punctuation and words of our own. */
void sink_text(struct sink *s, const char *text);
/* A string with quotes and escapes (RFC 8785 section 3.2.2.2); KW_E_INPUT where it is not UTF-8. */
void sink_string(struct sink *s, struct kw_span text);
void sink_signed(struct sink *s, int64_t value);
void sink_unsigned(struct sink *s, uint64_t value);
/* The first failure, with `into` as it was; or KW_OK. */
kw_status sink_end(struct sink *s);

#endif
