/* Profiles: the YAML files of STATE/profiles. */
#ifndef SERVICE_PROFILES_H
#define SERVICE_PROFILES_H

#include "service/service.h"

/* Read every profile of a folder into service->profiles (not bound to CAs yet). KW_E_INPUT names
 * file and field. */
kw_status profiles_load(struct kw_op *op, const char *dir, struct bound_profile *ret, unsigned max,
                        unsigned *ret_n);

#endif
