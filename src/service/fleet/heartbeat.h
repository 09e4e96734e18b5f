/* Heartbeats of devices, and what they reveal: a second device with one's identity. */
#ifndef SERVICE_FLEET_HEARTBEAT_H
#define SERVICE_FLEET_HEARTBEAT_H

#include "model/heartbeat.h"
#include "service/service.h"

/* The cause of a quarantine (registration/suspend.h). */
#define FLEET_CAUSE_CLONE "clone"

/**
 * Take a heartbeat (model/heartbeat.h judges it). One that no single device can have sent puts the
 * identity, and so both who hold it, in quarantine: suspended with the cause FLEET_CAUSE_CLONE,
 * with the event device.clone in the same transaction. Errors: KW_E_DENIED that happened now;
 * KW_E_INPUT no counter where there were some; KW_E_NOT_FOUND no such device.
 */
kw_status fleet_heartbeat(struct kw_op *op, struct service *service, const char *id,
                          const struct heartbeat *beat);

#endif
