/* The table of standings, looked at from end to end. */
#include <stdlib.h>

#include "model/iso_week.h"
#include "service/validation/status_table_internal.h"

/* A segment's entries are copied: whoever looks at them takes the time he needs. */
struct copy {
    struct status_entry *at;
    uint32_t n, cap;
};

static void copy_done(struct copy *copy)
{
    free(copy->at);
}

static kw_status copy_segment(struct kw_op *op, struct status_segment *segment, struct copy *copy)
{
    (void)pthread_mutex_lock(&segment->lock);
    bool room = segment->cap <= copy->cap;
    if (!room) {
        struct status_entry *at = realloc(copy->at, segment->cap * sizeof(*at));
        room = at != NULL;
        copy->at = room ? at : copy->at;
        copy->cap = room ? segment->cap : copy->cap;
    }
    copy->n = 0;
    if (room && segment->cap > 0) {
        memcpy(copy->at, segment->at, segment->cap * sizeof(*copy->at));
        copy->n = segment->cap;
    }
    (void)pthread_mutex_unlock(&segment->lock);
    ENSURE(op, room, KW_E_MEMORY, "no memory for a part of the table");
    return KW_OK;
}

static bool is_revoked(const struct status_entry *entry)
{
    unsigned state = entry->standing >> REASON_BITS;

    return state == CERT_STATE_REVOKED || state == CERT_STATE_HELD;
}

kw_status status_table_each(struct kw_op *op, struct status_table *table, const char *ca_name,
                            int64_t now_s, status_each_fn each, void *ctx)
{
    __attribute__((cleanup(copy_done))) struct copy copy = {0};
    unsigned ca = status_name_find(&table->cas, kw_span_text(ca_name));

    ENSURE(op, atomic_load(&table->other) == 0, KW_E_UNSUPPORTED,
           "serial numbers of other than %d octets", KW_SERIAL_BYTES);
    for (unsigned i = 0; i < SEGMENTS; i++) {
        ENSURE(op, atomic_load(&table->filled), KW_E_UNAVAILABLE, "the table is not filled");
        TRY(op, copy_segment(op, &table->segments[i], &copy));
        for (uint32_t k = 0; k < copy.n; k++) {
            const struct status_entry *entry = &copy.at[k];
            if (entry->standing != 0 && entry->ca == ca && entry->not_after >= now_s) {
                TRY(op, each(op, ctx, KW_SPAN_ARRAY(entry->serial), is_revoked(entry)));
            }
        }
    }
    return KW_OK;
}

/* --- figures ---------------------------------------------------------------------------------- */

enum { HOUR_S = 3600, DAY_S = 86400 };

struct count {
    struct store_stats *stats;
    int64_t now_s;
    uint8_t *with; /* a bit for each owner that has a certificate in force */
    uint32_t n_owners;
};

static void count_in_force(struct count *it, const struct status_entry *entry)
{
    int64_t left_s = entry->not_after - it->now_s;

    if (left_s < 0) {
        return;
    }
    it->stats->certs_active++;
    it->stats->ends_48h += left_s <= 48 * HOUR_S;
    it->stats->ends_7d += left_s <= 7 * DAY_S;
    it->stats->ends_14d += left_s <= 14 * DAY_S;
    if (entry->owner < it->n_owners) { /* a later one is counted the next time */
        it->with[entry->owner / 8] |= (uint8_t)(1U << entry->owner % 8);
    }
}

static void count_revoked(struct count *it, const struct status_entry *entry)
{
    int64_t since_s = entry->revoked - it->stats->weeks[0].start_s;

    it->stats->revoked_7d += entry->revoked > it->now_s - 7 * DAY_S;
    if (since_s >= 0 && since_s / ISO_WEEK_S < STATS_WEEKS) {
        it->stats->weeks[since_s / ISO_WEEK_S].revoked++;
    }
}

static void count_segment(struct count *it, const struct copy *copy)
{
    for (uint32_t k = 0; k < copy->n; k++) {
        const struct status_entry *entry = &copy->at[k];
        unsigned state = entry->standing >> REASON_BITS;
        if (state == CERT_STATE_VALID) {
            count_in_force(it, entry);
        } else if (state == CERT_STATE_REVOKED) {
            count_revoked(it, entry);
        }
    }
}

static kw_status count_all(struct kw_op *op, struct status_table *table, struct count *it)
{
    __attribute__((cleanup(copy_done))) struct copy copy = {0};

    for (unsigned i = 0; i < SEGMENTS; i++) {
        TRY(op, copy_segment(op, &table->segments[i], &copy));
        count_segment(it, &copy);
    }
    return KW_OK;
}

kw_status status_table_count(struct kw_op *op, struct status_table *table, int64_t online_ms,
                             struct store_stats *stats)
{
    struct store_stats counted = *stats;
    struct status_devices devices;
    unsigned fills = atomic_load(&table->fills);
    AUTO(kw_bytes) *with = NULL;

    ENSURE(op, atomic_load(&table->filled), KW_E_UNAVAILABLE, "the table is not filled");
    ENSURE(op, atomic_load(&table->other) == 0, KW_E_UNSUPPORTED,
           "serial numbers of other than %d octets", KW_SERIAL_BYTES);
    uint32_t n_owners = status_owners_n(&table->owners);
    TRY(op, kw_bytes_new(n_owners / 8 + 1, &with));
    memset(with->p, 0, n_owners / 8 + 1);
    struct count it = {&counted, stats->now_ms / 1000, with->p, n_owners};
    TRY(op, count_all(op, table, &it));
    status_owners_count(&table->owners, with->p, n_owners, stats->now_ms - online_ms, &devices);
    /* owners have other numbers in another filling, and nothing is held after doubt */
    ENSURE(op, atomic_load(&table->filled) && atomic_load(&table->fills) == fills, KW_E_UNAVAILABLE,
           "the table was emptied meanwhile");
    counted.devices_online = devices.online;
    counted.devices_offline = devices.offline;
    counted.devices_without = devices.without;
    *stats = counted;
    return KW_OK;
}
