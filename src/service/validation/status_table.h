/*
 * The standing of every certificate that the store knows, in memory: some 40 octets each, so that
 * the answer to "is it revoked?" does not slow with their number. Filled from the store in the
 * background; kept by the store's notices, which come after a change is durable and before its
 * caller hears of it, so an answer is never older than what anybody was told. Until it is filled,
 * and for what it does not hold, the store is asked.
 */
#ifndef SERVICE_VALIDATION_STATUS_TABLE_H
#define SERVICE_VALIDATION_STATUS_TABLE_H

#include "base/op.h"
#include "store/stats.h"
#include "store/store.h"

struct status_table;

kw_status status_table_new(struct kw_op *op, struct status_table **ret);
void status_table_free(struct status_table *table);

/* The store's hook: takes all notices, filled or not. */
void status_table_notice(struct status_table *table, const struct store_notice at[], unsigned n);
/* A commit of unknown outcome: nothing that is held may be believed. Empties it. */
void status_table_doubt(struct status_table *table);
/**
 * Fill it from the store; other threads may ask and change meanwhile. Errors: the store's; it is
 * then as unfilled as before. KW_E_CONFLICT: doubt came in between, fill it again.
 */
kw_status status_table_fill(struct kw_op *op, struct status_table *table, struct store *store);

struct status_standing {
    enum cert_state state;
    int64_t revoked_s;
    int reason;
};
/* False: not filled, or not held: ask the store. Any thread; blocks for less than a microsecond. */
bool status_table_find(struct status_table *table, const char *ca, struct kw_span serial,
                       struct status_standing *ret);
/* The same with owner, profile and the owner's state; row, not_before and not_after are left. */
bool status_table_find_all(struct status_table *table, const char *ca, struct kw_span serial,
                           struct store_cert_status *ret);

/* Every certificate of a CA that has not ended at now_s, each once. KW_E_UNAVAILABLE not filled;
 * KW_E_UNSUPPORTED some are not held (serial numbers of other than 16 octets). */
typedef kw_status (*status_each_fn)(struct kw_op *op, void *ctx, struct kw_span serial,
                                    bool revoked);
kw_status status_table_each(struct kw_op *op, struct status_table *table, const char *ca,
                            int64_t now_s, status_each_fn each, void *ctx);

/**
 * What store_stats_standing() counts, counted here: a walk over memory. Fills all of *stats but
 * what was issued; its moment and weeks are set. Errors: KW_E_UNAVAILABLE not filled, or emptied
 * meanwhile; KW_E_UNSUPPORTED as above; KW_E_MEMORY.
 */
kw_status status_table_count(struct kw_op *op, struct status_table *table, int64_t online_ms,
                             struct store_stats *stats);

struct status_table_size {
    uint64_t certs, owners;
    uint64_t cert_bytes, owner_bytes; /* all that is allocated for them */
    bool filled;
};
void status_table_measure(struct status_table *table, struct status_table_size *ret);

#endif
