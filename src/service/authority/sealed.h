/* A profile beside the rule that was sealed with a CA's key: the keeper signs nothing beyond it. */
#ifndef SERVICE_AUTHORITY_SEALED_H
#define SERVICE_AUTHORITY_SEALED_H

#include "model/profile.h"
#include "service/service.h"

enum { SEALED_TEXT_MAX = 256 };

/**
 * Would the keeper refuse what this profile says now?
 * ret: "" where it would not; else a sentence with profile, field, and both values.
 * Errors: the keeper's.
 */
kw_status sealed_look(struct kw_op *op, struct service *service, const struct profile *profile,
                      const char *ca_key_id, char ret[SEALED_TEXT_MAX]);

#endif
