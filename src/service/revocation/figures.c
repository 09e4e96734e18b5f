#include "service/revocation/figures.h"

#include "os/clock.h"

kw_status figures_now(struct kw_op *op, struct service *service, int64_t online_ms,
                      struct store_stats *ret)
{
    return store_stats(op, service->store, os_clock_unix_ms(), online_ms, ret);
}
