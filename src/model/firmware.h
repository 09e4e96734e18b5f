/* Versions of what runs on a device, as devices tell them: "2.1.0", "1.4.7-rc2". */
#ifndef MODEL_FIRMWARE_H
#define MODEL_FIRMWARE_H

#include <stdbool.h>

enum { FIRMWARE_MAX = 64 }; /* with NUL */

/* Letters, digits and "._+-", 1 to FIRMWARE_MAX - 1 of them. */
bool firmware_valid(const char *version);
/**
 * Which is older: below 0 where a is. By parts, numbers as numbers: 1.10 is newer than 1.9. As in
 * Semantic Versioning a part behind '-' is older than none (2.0-rc1 before 2.0) and what stands
 * behind '+' decides last; versions that differ in writing only ("1.01" and "1.1") are equal.
 */
int firmware_compare(const char *a, const char *b);

#endif
