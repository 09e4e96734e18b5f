/* Times as numbers and texts. Pure: no clock is read here (os/clock.h does). */
#ifndef BASE_TIME_H
#define BASE_TIME_H

#include <stdint.h>

#include "base/bytes.h"

#define KW_TIME_TEXT 32                     /* room for "2026-11-21T02:22:42.123Z" and NUL */
#define KW_TIME_NEVER INT64_C(253402300799) /* 99991231235959Z, IEEE 802.1AR "no end" */

/* ISO 8601 UTC with milliseconds: "2026-11-21T02:22:42.123Z". text has KW_TIME_TEXT octets;
 * returned. */
const char *kw_time_text_ms(int64_t unix_ms, char text[KW_TIME_TEXT]);
/* ISO 8601 UTC to the second: "2026-11-21T02:22:42Z". */
const char *kw_time_text(int64_t unix_s, char text[KW_TIME_TEXT]);
/* Read either form (a 'Z' is required). KW_E_INPUT. */
kw_status kw_time_parse(const char *text, int64_t *ret_unix_ms);
/* Exactly what kw_time_text() writes, and nothing around it. KW_E_INPUT. */
kw_status kw_time_parse_exact(struct kw_span text, int64_t *ret_unix_s);

#endif
