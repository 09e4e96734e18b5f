#include "service/revocation/figures.h"

#include "os/clock.h"
#include "service/validation/status_keep.h"

/* From memory where all standings are there, else (at a start, or with another CA's certificates
 * whose serial numbers are longer) from the store. */
static kw_status count_standing(struct kw_op *op, struct service *service, int64_t online_ms,
                                struct store_stats *stats)
{
    struct kw_op quiet;

    kw_op_init(&quiet, NULL, 0);
    if (kw_ok(status_table_count(&quiet, status_keep_table(service->status), online_ms, stats))) {
        return KW_OK;
    }
    return store_stats_standing(op, service->store, online_ms, stats);
}

kw_status figures_now(struct kw_op *op, struct service *service, int64_t online_ms,
                      struct store_stats *ret)
{
    struct store_stats stats;

    store_stats_begin(os_clock_unix_ms(), &stats);
    TRY(op, store_stats_issued(op, service->store, &stats));
    TRY(op, count_standing(op, service, online_ms, &stats));
    *ret = stats;
    return KW_OK;
}
