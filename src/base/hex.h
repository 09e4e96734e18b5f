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
/* A positive number as tools print it: "0x" before it, colons between octets, an odd number of
 * digits, leading zeros are all allowed. Big-endian without leading zero octets, 0 as one octet.
 * KW_E_INPUT (nothing, or no digit), KW_E_TOO_LARGE leave out unchanged. */
kw_status kw_unhex_number(const char *text, struct kw_out *out);

#endif
