/* UTF-8 (RFC 3629), one character at a time. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "base/bytes.h"

/* Octets of the first character; 0 where text is empty or does not begin with a well-formed one. */
unsigned kw_utf8_next(struct kw_span text);
/* Is the character of n octets at p a control character (C0, DEL, C1)? n as kw_utf8_next() said. */
bool kw_utf8_is_control(const uint8_t *p, unsigned n);
/* Well-formed and free of control characters: fit for names, logs and terminals. */
bool kw_utf8_is_plain(struct kw_span text);

#endif
