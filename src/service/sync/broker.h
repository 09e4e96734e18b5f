/*
 * What a message broker is told: who may connect, and every change of that. docs/MQTT.md
 * The state is one word: "good", or why not.
 */
#ifndef SERVICE_SYNC_BROKER_H
#define SERVICE_SYNC_BROKER_H

#include "service/service.h"
#include "store/broker.h"

enum { BROKER_ITEMS_MAX = 500 }; /* of one answer */

struct broker_client {
    struct store_client cert;
    const char *state;  /* static text */
    int64_t changed_ms; /* Unix, when what is told here happened; 0 = not said */
};
struct broker_answer {
    uint64_t cursor;    /* the log index up to which it holds: where changes go on */
    int64_t after;      /* of the snapshot: where the next page goes on; 0 = it is whole */
    int64_t changed_ms; /* of those that are added next */
    unsigned n;
    struct broker_client at[BROKER_ITEMS_MAX];
};

/* One page of all that are good; after: 0, or the last answer's. */
kw_status broker_snapshot(struct kw_op *op, struct service *service, int64_t after,
                          struct broker_answer *ret);
/* Where a broker is in the log. */
struct broker_cursor {
    uint64_t since;    /* it knows all below */
    uint64_t enforced; /* it enforces all below; at most `since` */
};
/**
 * What changed from the log index `since` on, as it is now. Notes in the name of the broker `id`
 * what it enforces (`revoke show`). Blocks up to wait_s where nothing that
 * concerns brokers happened. Errors: feed_read()'s; KW_E_LIMIT one device has more certificates
 * than an answer holds.
 */
kw_status broker_changes(struct kw_op *op, struct service *service, const char *id,
                         const struct broker_cursor *at, unsigned wait_s,
                         struct broker_answer *ret);

#endif
