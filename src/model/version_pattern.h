/* Which versions a key may sign firmware of: "2.#.#", "1.4.*". */
#ifndef MODEL_VERSION_PATTERN_H
#define MODEL_VERSION_PATTERN_H

#include "base/bytes.h"

/* '#' stands for one or more digits, '*' for anything to the end and only there; all else for
 * itself. The empty pattern matches every version. */
bool version_pattern_matches(const char *pattern, struct kw_span version);
/* Of letters, digits and "._+-", one '*' at the end or none, not two '#' side by side. */
bool version_pattern_valid(const char *pattern);

#endif
