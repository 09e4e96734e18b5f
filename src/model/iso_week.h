/* Weeks as ISO 8601 counts them: from Monday, the first one is that with the year's first Thursday.
 * In UTC. */
#ifndef MODEL_ISO_WEEK_H
#define MODEL_ISO_WEEK_H

#include <stdint.h>

enum { ISO_WEEK_S = 7 * 86400, ISO_WEEK_TEXT = 32 };

/* Unix seconds of the Monday, 00:00 UTC, of this moment's week. */
int64_t iso_week_start(int64_t unix_s);
/* "2026-W47" */
const char *iso_week_text(int64_t unix_s, char text[ISO_WEEK_TEXT]);

#endif
