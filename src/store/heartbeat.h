/* The last heartbeat of each device: docs/protocol/heartbeat.md. See store.h for the rules. */
#ifndef STORE_HEARTBEAT_H
#define STORE_HEARTBEAT_H

#include "model/heartbeat.h"
#include "store/store.h"

/* counter 0: none is known. */
kw_status store_heartbeat_get_txn(struct kw_op *op, struct store_txn *txn, const char *device,
                                  struct heartbeat *ret);
kw_status store_heartbeat_put(struct kw_op *op, struct store_txn *txn, const char *device,
                              const struct heartbeat *beat, int64_t at_ms);
/* The next one is the first again; fine where none is known. */
kw_status store_heartbeat_forget(struct kw_op *op, struct store_txn *txn, const char *device);

#endif
