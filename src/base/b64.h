/* Base64 (RFC 4648 section 4) and hex. */
#ifndef BASE_B64_H
#define BASE_B64_H

#include "base/bytes.h"

/* Append the base64 of span; line_len 0 = no line ends, else a LF after every line_len characters
 * and at the end. */
kw_status kw_b64_encode(struct kw_span span, unsigned line_len, struct kw_bytes *into);
/**
 * Decode; white space anywhere is tolerated (RFC 8951 section 3.1), nothing else.
 * Errors: KW_E_INPUT bad character, bad padding or non-zero trailing bits; KW_E_TOO_LARGE over max
 * octets.
 */
kw_status kw_b64_decode(struct kw_span text, size_t max, struct kw_bytes **ret);
/* base64url without padding (RFC 4648 section 5), no white space taken. */
kw_status kw_b64url_encode(struct kw_span span, struct kw_bytes *into);
/* Errors: KW_E_INPUT anything but such letters, or bits left over that are not zero; KW_E_TOO_LARGE
 * over max octets. */
kw_status kw_b64url_decode(struct kw_span text, size_t max, struct kw_bytes **ret);

#endif
