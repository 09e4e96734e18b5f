/*
 * Batches of units. While one is open, devices are registered into it; at its close the RSA keys of
 * its units are compared for shared factors, and a finding puts all of it in quarantine: devices
 * suspended, certificates on hold, no enrolment.
 */
#ifndef SERVICE_QUALITY_BATCH_H
#define SERVICE_QUALITY_BATCH_H

#include "service/service.h"
#include "store/registration.h"

const char *batch_state_text(enum batch_state state);

/* Open one by hand; a device that is registered into an unknown batch opens it, too. KW_E_CONFLICT.
 */
kw_status batch_open(struct kw_op *op, struct service *service, const char *name,
                     const char *product, uint32_t quota, struct store_batch *ret);
/**
 * In the change that registers a device: its batch must be open, of its product and not full.
 * Errors: KW_E_STATE closed or in quarantine; KW_E_CONFLICT another product; KW_E_LIMIT quota.
 */
kw_status batch_admit(struct kw_op *op, struct service *service, struct store_txn *txn,
                      const struct store_device *device);
/* In the same change: it was not registered after all. */
kw_status batch_give_back(struct kw_op *op, struct store_txn *txn,
                          const struct store_device *device);
/* KW_E_DENIED the device, as just read, is of a batch in quarantine. */
kw_status batch_refuse_quarantined(struct kw_op *op, const struct store_device *device);

/**
 * Close it: nothing is registered any more, and its keys are compared (in the background; the state
 * is "closing" meanwhile). A closed one is compared again. KW_E_STATE in quarantine.
 */
kw_status batch_close(struct kw_op *op, struct service *service, const char *name,
                      struct store_batch *ret);
/* Put a batch in quarantine by hand, or take it out again (then closed; units that somebody
 * suspended by hand stay so). A reason is needed. KW_E_STATE. */
kw_status batch_quarantine(struct kw_op *op, struct service *service, const char *name,
                           const char *reason, struct store_batch *ret);
kw_status batch_release(struct kw_op *op, struct service *service, const char *name,
                        const char *reason, struct store_batch *ret);

/* What is under way: comparing keys, suspending and resuming units. One thread, in its own time;
 * what was cut goes on. */
struct batch_worker;
kw_status batch_worker_start(struct kw_op *op, struct service *service, struct batch_worker **ret);
void batch_worker_stop(struct batch_worker *worker);
/* There is something to do. */
void batch_worker_wake(struct service *service);

/* What an event of batches in the log did, done again: after a restore. */
kw_status batch_again(struct kw_op *op, struct store_txn *txn, const struct event *event);
/* A unit was registered, as the log says: it counts. */
kw_status batch_count_again(struct kw_op *op, struct store_txn *txn, const char *name);

/* For batch.c and batch_check.c. */
kw_status batch_set(struct kw_op *op, struct service *service, const char *name,
                    enum event_type type, const char *finding, uint32_t checked,
                    struct store_batch *ret);
/* Compare the RSA keys of its units; *ret_finding: what was found, "" = nothing. */
kw_status batch_compare(struct kw_op *op, struct service *service, const struct store_batch *batch,
                        bool (*go_on)(void *ctx), void *ctx, uint32_t *ret_checked,
                        char ret_finding[256]);

#endif
