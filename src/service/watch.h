/* Watches the keeper: that it was lost and came back is an event in the log. And the clock: the
 * server's own certificates and keys are renewed in time. */
#ifndef SERVICE_WATCH_H
#define SERVICE_WATCH_H

#include "service/service.h"

kw_status watch_start(struct kw_op *op, struct service *service, struct watch **ret);
void watch_stop(struct watch *watch);

#endif
