/* Profiles: the YAML files of STATE/profiles. */
#ifndef SERVICE_PROFILES_H
#define SERVICE_PROFILES_H

#include "codec/fields.h"
#include "service/service.h"

/* The fields of a profile's file; docs/PROFILES.md and `keywright profile fields` print them. */
extern const struct codec_field profile_fields[];
extern const size_t profile_fields_count;

/* Read every profile of a folder into service->profiles (not bound to CAs yet). KW_E_INPUT names
 * file and field, and the law of model/profile.h that is broken. */
kw_status profiles_load(struct kw_op *op, const char *dir, struct bound_profile *ret, unsigned max,
                        unsigned *ret_n);

#endif
