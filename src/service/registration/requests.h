/*
 * Enrolments that wait for an officer of the registration authority (profiles with `approval:
 * officer`). The asker polls with the same request; what an operator approved is issued then.
 */
#ifndef SERVICE_REGISTRATION_REQUESTS_H
#define SERVICE_REGISTRATION_REQUESTS_H

#include "model/request.h"
#include "service/registration/enrol.h"
#include "store/registration.h"

enum {
    REQUESTS_OF_ONE_MAX = 3,   /* that wait: a device has one at a time, and lost some */
    REQUESTS_MAX = 10000,      /* that wait in all: a shift of a busy line; more nobody looks at */
    REQUESTS_LAPSE_HOURS = 168 /* until somebody decides, and then until its asker comes */
};

/**
 * May this enrolment go on? Asked before anything is issued; the proof of possession and of the
 * asker were checked. Idempotent: the same request (same owner, profile and sha256) finds the one
 * that waits.
 * Errors: KW_E_APPROVAL it waits (recorded now, or before): ask again with the very same request;
 *         KW_E_DENIED an operator refused it (who and why are told);
 *         KW_E_LIMIT too many wait already, of this owner or in all.
 */
kw_status registration_permit(struct kw_op *op, struct service *service,
                              const struct profile *profile, const char *owner,
                              const struct enrol_request *request, const struct enrol_asker *asker);
/**
 * In the change that records the certificate: the request is issued now. KW_E_APPROVAL it is no
 * longer approved. Nothing where the profile wants no approval.
 */
kw_status registration_settle(struct kw_op *op, struct service *service, struct store_txn *txn,
                              const struct profile *profile, const char *owner,
                              const uint8_t sha256[KW_HASH_BYTES]);

/**
 * An operator's decision: RA_APPROVE or RA_REFUSE (which also takes an approval back). The operator
 * is op's principal and must be another than who asks and whom the certificate is for.
 * ret: as decided. Errors: KW_E_NOT_FOUND; KW_E_STATE decided, issued or lapsed; KW_E_DENIED;
 * KW_E_INPUT a refusal without a reason.
 */
kw_status requests_decide(struct kw_op *op, struct service *service, int64_t id,
                          enum ra_event event, const char *reason, struct store_ra_request *ret);
/* SHA-256 of the request's file, as an officer computes it; over CMP, of what it asks. */
void requests_sha256(const struct store_ra_request *request, uint8_t ret[KW_HASH_BYTES]);
/* End those whose time is over; some at a time. */
kw_status requests_sweep(struct kw_op *op, struct service *service);

#endif
