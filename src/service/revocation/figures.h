/* The dashboard's figures, now. */
#ifndef SERVICE_REVOCATION_FIGURES_H
#define SERVICE_REVOCATION_FIGURES_H

#include "service/service.h"
#include "store/stats.h"

/* online_ms: so long after its last sign of life a device counts as online. Errors:
 * those of store_stats_issued() and store_stats_standing(). */
kw_status figures_now(struct kw_op *op, struct service *service, int64_t online_ms,
                      struct store_stats *ret);

#endif
