/* A wipe that an operator orders: the device asks for the order with a nonce of its own, and the
 * keeper signs it for this device, its key and that nonce. docs/protocol/device-wipe.md. */
#ifndef SERVICE_FLEET_WIPE_H
#define SERVICE_FLEET_WIPE_H

#include "crypto/cert.h"
#include "service/approvals/approvals.h"
#include "service/fleet/time.h"

enum { WIPE_HOURS_DEFAULT = 8784, WIPE_HOURS_MAX = 87600, WIPE_REASON_MAX = 160 };

/* Numbers are stored: append only. */
enum wipe_state { WIPE_NONE = 0, WIPE_ORDERED, WIPE_CANCELLED, WIPE_DONE, WIPE_STATE_MAX };
struct wipe_order {
    enum wipe_state state;
    int64_t ordered_ms, until_ms;
};
/* "", "ordered", "expired", "cancelled", "done" */
const char *wipe_state_text(const struct wipe_order *order, int64_t now_ms);

kw_status wipe_get(struct kw_op *op, struct service *service, const char *id,
                   struct wipe_order *ret);
/* Is there one that a device shall obey now? */
bool wipe_is_open(const struct wipe_order *order, int64_t now_ms);
/* hours: how long it waits for the device. KW_E_NOT_FOUND no such device; KW_E_APPROVAL it waits
 * for others' approval, where wipe_approval of the configuration wants that: *pending is what to
 * sign. */
kw_status wipe_order(struct kw_op *op, struct service *service, const char *id, uint32_t hours,
                     const char *reason, struct keeper_approval *pending);
/* The executor of APPROVE_DEVICE_WIPE. */
kw_status wipe_execute(struct kw_op *op, struct service *service,
                       const struct keeper_approval *approval, struct kw_span args);
/* KW_E_STATE there is none that is open. */
kw_status wipe_cancel(struct kw_op *op, struct service *service, const char *id,
                      const char *reason);
/* It ends: in the change that ends it. */
kw_status wipe_end(struct kw_op *op, struct store_txn *txn, const char *id,
                   const struct wipe_order *order, enum wipe_state state);
/* The signed order for the device with this certificate. KW_E_STATE none is open; KW_E_INPUT the
 * nonce; those of fleet_state(). */
kw_status wipe_sign(struct kw_op *op, struct service *service, const char *id,
                    const struct cert *cert, const char *nonce, struct fleet_time *ret);

#endif
