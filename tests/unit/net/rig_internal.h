/* Between the files of the rig. */
#ifndef TESTS_NET_RIG_INTERNAL_H
#define TESTS_NET_RIG_INTERNAL_H

#include "rig.h"

/* The rig's own failures end the program. */
void rig_must(struct kw_op *op, kw_status status);
/* NULL-terminated, and their lengths (rig_routes.c). */
extern const struct route *const rig_tables[];
extern const unsigned rig_n_rows[];

#endif
