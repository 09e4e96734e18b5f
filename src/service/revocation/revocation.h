/*
 * Revocation of many certificates as an operation: a plan says exactly which, and what follows;
 * running it goes on in the background, in small changes, and again after a restart; and it is
 * known since when each relying party enforces it. docs/REVOCATION.md.
 */
#ifndef SERVICE_REVOCATION_REVOCATION_H
#define SERVICE_REVOCATION_REVOCATION_H

#include "service/approvals/approvals.h"
#include "service/service.h"
#include "store/revoke_plan.h"

enum {
    REVOCATION_SAMPLES = 5,
    REVOCATION_PLAN_MAX = 5000000,
    REVOCATION_PARTIES_MAX = 32,
    REVOCATION_PIECE = 100
};

struct revocation_wish {
    struct store_cert_filter filter; /* of those that are good for something now */
    int reason;
    bool hold;          /* certificateHold: until it is released or revoked */
    bool replace_first; /* devices renew at their next hello; the old one goes when the new one is
                           used, or at the deadline */
    int64_t deadline_s; /* seconds after the start; 0 with replace_first: seven days */
    bool dry_run;       /* tell, do not keep */
};
/* What a wish would do, for people: the plan, and some of its certificates. */
struct revocation_preview {
    struct store_plan plan; /* id 0: it is not kept */
    bool needs_approval;
    unsigned n_samples;
    struct store_cert_brief samples[REVOCATION_SAMPLES];
};
/**
 * Find, count and (but for a dry run) keep exactly which certificates are meant. Revokes nothing.
 * KW_E_INPUT nothing was said, or what does not go together; KW_E_NOT_FOUND nothing is meant;
 * KW_E_LIMIT more than REVOCATION_PLAN_MAX.
 * Blocks  about ten seconds for a million.
 */
kw_status revocation_plan(struct kw_op *op, struct service *service,
                          const struct revocation_wish *wish, struct revocation_preview *ret);
/* Does the configuration want it approved? */
bool revocation_needs_approval(const struct service *service, const struct store_plan *plan);
/**
 * Start a plan, or ask for approval of it. The work goes on in the background; starting what runs
 * already is done at once (idempotent).
 * approval_id: of an approved request, 0 none. KW_E_APPROVAL: *pending is the request that was
 * opened. KW_E_STATE abandoned, or not whole.
 */
kw_status revocation_start(struct kw_op *op, struct service *service, int64_t plan,
                           uint64_t approval_id, struct keeper_approval *pending,
                           struct store_plan *ret);
/* The executor of APPROVE_REVOKE_PLAN. */
kw_status revocation_execute(struct kw_op *op, struct service *service,
                             const struct keeper_approval *approval, struct kw_span args);
enum revocation_step {
    REVOCATION_CANCEL,
    REVOCATION_PAUSE,
    REVOCATION_RESUME,
    REVOCATION_STEP_MAX
};
/**
 * Cancel: end a plan that is not over. Pause: stop one that runs or waits for devices; resume: let
 * it go on behind its last certificate. While it is paused, and for ever when it is cancelled,
 * nothing further is revoked by it, and devices are not asked to renew for it. What it has revoked
 * stays revoked; what it put on hold stays so until it is released. The deadline of replace_first
 * goes on while it is paused. KW_E_STATE the plan is in no state for it; KW_E_INPUT no reason.
 */
kw_status revocation_step(struct kw_op *op, struct service *service, int64_t plan,
                          enum revocation_step step, const char *reason, struct store_plan *ret);

enum revocation_readmission {
    REVOCATION_READMITTED,
    REVOCATION_AS_IT_IS,  /* may enrol without this */
    REVOCATION_RETIRED,   /* needs a new life */
    REVOCATION_OTHER_BAR, /* not this plan's run barred it */
    REVOCATION_MORE, /* another certificate was revoked then or since, or ever as compromised */
    REVOCATION_READMISSION_MAX
};
struct revocation_readmitted {
    uint64_t n[REVOCATION_READMISSION_MAX]; /* devices */
    unsigned n_left;
    struct revocation_left {
        char device[KW_NAME_MAX];
        enum revocation_readmission why;
    } left[REVOCATION_PIECE]; /* as they were, but for those that may enrol */
    int64_t after;            /* for the next piece; 0: that was the last */
};
/**
 * Let devices enrol anew that a plan's run barred from it (authority_bar_device()): those of the
 * next REVOCATION_PIECE certificates behind `after` (0 at the beginning). What the plan revoked
 * stays revoked. One change of the store with an entry in the log for each device; asking again
 * changes nothing further. dry_run: tell, change nothing.
 * KW_E_STATE the plan is not over, or one of holds; KW_E_NOT_FOUND; KW_E_INPUT no reason.
 */
kw_status revocation_readmit(struct kw_op *op, struct service *service, int64_t plan, int64_t after,
                             const char *reason, bool dry_run, struct revocation_readmitted *ret);

/* At a start: plans whose making was cut are abandoned; nobody has seen them. */
kw_status revocation_sweep(struct kw_op *op, struct service *service);
/* How far it is. */
kw_status revocation_get(struct kw_op *op, struct service *service, int64_t plan,
                         struct store_plan *ret, uint64_t *ret_waiting);

/* What a device's hello means for a plan that wants it to renew: *ret_renew tells the device to.
 * The certificate that it came with: one that is not of the plan is the new one, and the old ones
 * are revoked. */
kw_status revocation_hello(struct kw_op *op, struct service *service,
                           const struct store_device *device, const struct cert *cert,
                           bool *ret_renew);

/* The worker. start: also goes on with what a restart interrupted. */
kw_status revoker_start(struct kw_op *op, struct service *service, struct revoker **ret);
void revoker_stop(struct revoker *revoker);
void revoker_wake(struct service *service);

#endif
