/* Shared by authorities.c and authorities_*.c. */
#ifndef SERVICE_AUTHORITIES_INTERNAL_H
#define SERVICE_AUTHORITIES_INTERNAL_H

#include "service/authorities.h"

/* Roots and links of STATE/certs into the set; freed with it. */
kw_status authorities_load_roots(struct kw_op *op, struct service *service,
                                 struct authorities *all);
void authorities_free_roots(struct authorities *all);
/* Behind roots, offline authorities and CAs: whom the stored lists take back. */
kw_status authorities_load_lists(struct kw_op *op, struct service *service,
                                 struct authorities *all);
/* Behind the lists: crosses of keys that are believed. */
kw_status authorities_load_crosses(struct kw_op *op, struct service *service,
                                   struct authorities *all);
/* The CA's certificate, and those above it below a root. Borrowed. How many. */
unsigned authorities_climb(const struct authorities *all, const struct ca *ca,
                           struct cert *ret[1 + AUTHORITIES_BETWEEN_MAX]);

#endif
