/* What devices recorded themselves: docs/protocol/device-events.md. See store.h for the rules. */
#ifndef STORE_DEVICE_EVENT_H
#define STORE_DEVICE_EVENT_H

#include "model/device_event.h"
#include "store/store.h"

enum { STORE_DEVICE_EVENTS_KEPT = 10000 }; /* of each device */

struct store_device_log {
    struct device_event_head head;
    uint64_t lost, breaks;
    uint64_t unwritten; /* as the last hello told */
};
struct store_device_event {
    int64_t id; /* of the row */
    int64_t came_ms;
    unsigned len;
    uint8_t record[DEVICE_EVENT_RECORD_MAX];
};

/* Zeroes where the device never sent any. */
kw_status store_device_log_get(struct kw_op *op, struct store *store, const char *device,
                               struct store_device_log *ret);
kw_status store_device_log_get_txn(struct kw_op *op, struct store_txn *txn, const char *device,
                                   struct store_device_log *ret);
kw_status store_device_log_put(struct kw_op *op, struct store_txn *txn, const char *device,
                               const struct store_device_log *log);
/* The next event may begin a new chain; fine where none is known. */
kw_status store_device_log_forget(struct kw_op *op, struct store_txn *txn, const char *device);

/* Nothing where it is held already. */
kw_status store_device_event_put(struct kw_op *op, struct store_txn *txn, const char *device,
                                 const uint8_t hash[KW_HASH_BYTES], struct kw_span record,
                                 int64_t came_ms);
/* Of more than STORE_DEVICE_EVENTS_KEPT the oldest go. */
kw_status store_device_event_trim(struct kw_op *op, struct store_txn *txn, const char *device);
/* Behind this row (0 = from the first). */
kw_status store_device_event_list(struct kw_op *op, struct store *store, const char *device,
                                  int64_t after, unsigned max, struct store_device_event *ret,
                                  unsigned *ret_n);

#endif
