/* Since when each relying party enforces a plan's revocations: seen, not assumed. */
#ifndef SERVICE_REVOCATION_ENFORCED_H
#define SERVICE_REVOCATION_ENFORCED_H

#include "service/revocation/revocation.h"

/* Look at what has ended lately and is not enforced by all: published CRLs, and what consumers of
 * the feed have acknowledged. */
kw_status enforced_look(struct kw_op *op, struct service *service);
/* Who is to enforce a plan, and since when each does; at_ms 0: not yet. At most
 * REVOCATION_PARTIES_MAX. */
kw_status enforced_parties(struct kw_op *op, struct service *service, const struct store_plan *plan,
                           struct store_party ret[], unsigned *ret_n);
/* The names of one kind of a plan's summary, one a call; *at begins as plan->summary. False: no
 * more. */
bool plan_summary_next(const char **at, char kind[16], char name[KW_NAME_MAX], uint64_t *ret_n);

#endif
