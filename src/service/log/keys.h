/* The keys that sign the log's heads: one, or during the overlap of a rotation two. */
#ifndef SERVICE_LOG_KEYS_H
#define SERVICE_LOG_KEYS_H

#include "audit/succession.h"
#include "service/service.h"

enum { LOG_KEYS_MAX = 8 };

struct log_keys {
    unsigned n; /* oldest first */
    struct log_key {
        char id[KW_NAME_MAX]; /* keeper's: "log", "log.2" */
        struct pubkey *key;
    } at[LOG_KEYS_MAX];
};

/* The active ones. KW_E_UNAVAILABLE none is. */
kw_status log_keys_load(struct kw_op *op, struct service *service, struct log_keys *ret);
void log_keys_done(struct log_keys *keys);

/**
 * Have the key before `key_id` in its line announce it, and keep the announcement for verifiers;
 * recorded in the log. Nothing happens where it was announced already.
 * Errors: those of the keeper (KW_E_STATE the key before is not active any more) and of the store.
 */
kw_status log_announce(struct kw_op *op, struct service *service, const char *key_id);
/* Announce what was not yet: a rotation that was cut. */
kw_status log_announce_all(struct kw_op *op, struct service *service, const struct log_keys *keys);
/* The announcement of the n-th key (2, 3, …), a note. KW_E_NOT_FOUND. */
kw_status log_successor(struct kw_op *op, struct service *service, unsigned n,
                        struct kw_bytes **ret);
/* Verifier key text of the log's first key: who trusts it can follow to the newest. */
kw_status log_vkey(struct kw_op *op, struct service *service, char *text, size_t cap);
/* Part of a change: this is the first key now, of a new line (service/log/lines.h). */
kw_status log_vkey_put(struct kw_op *op, struct store_txn *txn, const char *vkey);

#endif
