/* Shared by authorities.c and authorities_roots.c. */
#ifndef SERVICE_AUTHORITIES_INTERNAL_H
#define SERVICE_AUTHORITIES_INTERNAL_H

#include "service/authorities.h"

/* Roots and links of STATE/certs into the set; freed with it. */
kw_status authorities_load_roots(struct kw_op *op, struct service *service,
                                 struct authorities *all);
void authorities_free_roots(struct authorities *all);

#endif
