/* The figures of the dashboard, counted in the store. */
#ifndef STORE_STATS_H
#define STORE_STATS_H

#include "store/store.h"

enum { STATS_PROFILES_MAX = 32, STATS_WEEKS = 12 };

/**
 * At one moment. A device that is not retired is in exactly one of three: no certificate in force;
 * or with one, and online (a sign of life in the window up to the moment) or offline. A certificate
 * is active from its issuance up to and with its last second, unless it was superseded, held or
 * revoked. What ends "within" a time counts what ends at its last second too, and the times are
 * cumulative: what ends within 48 hours also ends within 7 and 14 days. "In the last 7 days": later
 * than exactly 7 days before.
 */
struct store_stats {
    int64_t now_ms;
    uint64_t devices_online, devices_offline, devices_without;
    uint64_t certs_active, issued_7d, revoked_7d, ends_48h, ends_7d, ends_14d;
    unsigned n_profiles;
    struct {
        char name[KW_NAME_MAX];
        uint64_t issued, issued_7d;
    } profiles[STATS_PROFILES_MAX];
    struct {
        int64_t start_s; /* Monday, 00:00 UTC */
        uint64_t issued, revoked;
    } weeks[STATS_WEEKS]; /* oldest first; the last one is under way */
};
/* No figure yet: the moment, and the weeks up to it. */
void store_stats_begin(int64_t now_ms, struct store_stats *ret);
/* What was issued, of which profile and when: from kept counts, whatever the number of
 * certificates. */
kw_status store_stats_issued(struct kw_op *op, struct store *store, struct store_stats *stats);
/* All the rest, by a walk over the store's indexes: seconds with a million devices. online_ms:
 * length of the window. Read from several snapshots: figures of one call may differ by what was
 * issued meanwhile. */
kw_status store_stats_standing(struct kw_op *op, struct store *store, int64_t online_ms,
                               struct store_stats *stats);

#endif
