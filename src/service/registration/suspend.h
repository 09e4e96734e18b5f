/* Taking devices out of use for a while: certificateHold on all their certificates, and back. */
#ifndef SERVICE_REGISTRATION_SUSPEND_H
#define SERVICE_REGISTRATION_SUSPEND_H

#include "service/service.h"
#include "store/registration.h"

/**
 * Suspend a device: it enrols and renews nothing, its certificates that are in force are held
 * (RFC 5280 certificateHold). cause: "operator:NAME", "batch:NAME" or
 * "clone"; who suspended it ends it, a clone's quarantine an operator.
 * Errors: KW_E_NOT_FOUND; KW_E_STATE it is suspended already, or retired; KW_E_INPUT no reason.
 */
kw_status device_suspend(struct kw_op *op, struct service *service, const char *id,
                         const char *cause, const char *reason);
/* The same within a change; when it is done, device_suspension_spread(). */
kw_status device_suspend_txn(struct kw_op *op, struct service *service, struct store_txn *txn,
                             const char *id, const char *cause, const char *reason);
void device_suspension_spread(struct service *service);
/**
 * The device is what it was before, and so are those of its certificates that are still held.
 * cause: NULL = an operator's own; a batch's quarantine ends only with that cause. reason: may be
 * "", but a quarantine for a clone ends only with one; then the next heartbeat is the first again.
 * Errors: KW_E_STATE it is not suspended, or by a batch's quarantine; KW_E_NOT_FOUND; KW_E_INPUT no
 * reason where one is needed.
 */
kw_status device_resume(struct kw_op *op, struct service *service, const char *id,
                        const char *cause, const char *reason);

/* What EVENT_DEVICE_SUSPEND or EVENT_DEVICE_RESUME of the log did, done again: after a restore. */
kw_status device_suspend_again(struct kw_op *op, struct store_txn *txn, const struct event *event);
kw_status device_resume_again(struct kw_op *op, struct store_txn *txn, const struct event *event);

#endif
