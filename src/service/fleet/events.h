/* Security events of devices: docs/protocol/device-events.md. */
#ifndef SERVICE_FLEET_EVENTS_H
#define SERVICE_FLEET_EVENTS_H

#include "model/device_event.h"
#include "service/service.h"
#include "store/device_event.h"

/**
 * What a hello tells of its log. Two histories of one device put it in quarantine, as a diverged
 * heartbeat does.
 *
 * ret_from  the id that is wanted next; 0 = none is missing
 *
 * Errors: KW_E_DENIED that happened now; KW_E_NOT_FOUND no such device.
 */
kw_status fleet_events_said(struct kw_op *op, struct service *service, const char *id,
                            const struct device_log_said *said, uint64_t *ret_from);

/* Take records, in order; a loss and a break are events of ours. KW_E_INPUT no records, or a hash
 * that is wrong: nothing is taken. */
kw_status fleet_events_take(struct kw_op *op, struct service *service, const char *id,
                            struct kw_span records, uint64_t *ret_next);

#endif
