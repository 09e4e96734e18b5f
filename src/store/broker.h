/* Certificates as a message broker needs to know them: whose, which, until when, and why not. */
#ifndef STORE_BROKER_H
#define STORE_BROKER_H

#include "store/store.h"

struct store_client {
    int64_t row;
    char owner[STORE_OWNER_MAX]; /* "device:DEV1", "service:NAME" … */
    char profile[KW_NAME_MAX];
    uint8_t fingerprint[KW_HASH_BYTES];
    enum cert_state state;
    int64_t not_after;        /* Unix seconds */
    enum device_state device; /* 0: its owner is no device */
    enum attest_verdict verdict;
    enum attest_level level;
    int64_t trusted_until_ms; /* 0 = not trusted, or without end */
};
typedef kw_status (*store_client_fn)(struct kw_op *op, void *ctx, const struct store_client *one);

/* Those in force of owners in use that end at `now_s` or later, by row, behind `after`; at most
 * `max`. Streaming. */
kw_status store_clients_from(struct kw_op *op, struct store *store, int64_t after, int64_t now_s,
                             unsigned max, store_client_fn each, void *ctx);
/* All of an owner that end at `now_s` or later, in whatever state. */
kw_status store_clients_of(struct kw_op *op, struct store *store, const char *owner, int64_t now_s,
                           store_client_fn each, void *ctx);
/* The one with this fingerprint. Nothing where there is none. */
kw_status store_client_by_fingerprint(struct kw_op *op, struct store *store,
                                      const uint8_t fingerprint[KW_HASH_BYTES],
                                      store_client_fn each, void *ctx);

#endif
