/* A firmware release as people approve it: the same words on both sides of the keeper's channel. */
#ifndef MODEL_RELEASE_H
#define MODEL_RELEASE_H

#include "model/approval.h"
#include "model/statement.h"

/* What is approved when `release` (a firmware-release statement) is signed with this key. */
struct approval_subject release_subject(const char *key_id, const struct statement *release);

#endif
