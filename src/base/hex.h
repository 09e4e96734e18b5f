/* Hexadecimal, lower case out, either case in. */
#ifndef BASE_HEX_H
#define BASE_HEX_H

#include "base/bytes.h"

/* text needs 2 * span.len + 1 octets; it is cut to what fits in cap, always NUL-terminated. Returns
 * text. */
const char *kw_hex(struct kw_span span, char *text, size_t cap);
/* Decode an even number of digits into the caller's room. KW_E_INPUT, KW_E_TOO_LARGE leave it
 * unchanged. */
kw_status kw_unhex(const char *text, struct kw_out *out);
kw_status kw_unhex_span(struct kw_span text, struct kw_out *out);

#endif
