#include "store/stats.h"

#include "model/iso_week.h"
#include "store/store_internal.h"

enum { ENDS, PROFILES, HOURS, ISSUED, STATE_AT, DEVICES, VALID };
enum { HOUR_S = 3600, DAY_S = 86400, HOUR_MS = 3600000, WEEK_HOURS = 168 };

/* Each reads one index or small table only (0007_search.sql, 0011_stats.sql, 0014_issued.sql). */
static const char *const sql[] = {
    [ENDS] = "SELECT count(*) FROM cert INDEXED BY cert_ends WHERE state = 1 AND not_after >= ?1"
             " AND not_after <= ?2",
    [PROFILES] = "SELECT c.profile, p.text, c.n FROM (SELECT profile, sum(n) AS n FROM issued"
                 " GROUP BY profile) c JOIN name p ON p.id = c.profile ORDER BY p.text",
    [HOURS] = "SELECT sum(n) FROM issued WHERE profile = ?1 AND hour >= ?2 AND hour < ?3",
    [ISSUED] = "SELECT count(*) FROM cert INDEXED BY cert_profile WHERE profile = ?1"
               " AND issued_ms >= ?2 AND issued_ms < ?3",
    [STATE_AT] = "SELECT count(*) FROM cert INDEXED BY cert_state WHERE state <> 1 AND state = 4"
                 " AND revoked_s >= ?1 AND revoked_s < ?2",
    [DEVICES] = "SELECT count(*), coalesce(sum(has), 0), coalesce(sum(has AND seen), 0) FROM"
                " (SELECT d.last_seen_ms > ?1 AS seen, EXISTS (SELECT 1 FROM cert c"
                " INDEXED BY cert_owner WHERE c.owner = d.owner AND c.state = 1"
                " AND c.not_after >= ?2) AS has FROM device d WHERE d.state <> 4)",
    [VALID] = "SELECT n FROM tally WHERE kind = 4",
};
static const struct store_statements statements = {STORE_NOUN_STATS, KW_COUNT(sql), sql};
_Static_assert(TALLY_CERTS_VALID == 4, "as in VALID");

static kw_status number(struct kw_op *op, struct store_conn *conn, unsigned which,
                        const struct store_value *args, size_t n_args, uint64_t *ret)
{
    AUTO(store_rows) *rows = NULL;

    TRY(op, store_first(op, conn, &statements, which, args, n_args, &rows));
    *ret = rows ? (uint64_t)store_row_int(rows, 0) : 0;
    return KW_OK;
}

/* The smaller side is counted: those that ended in force, of all that are in force by their state.
 */
static kw_status count_ends(struct kw_op *op, struct store_conn *conn, struct store_stats *ret)
{
    int64_t now_s = ret->now_ms / 1000;
    const struct {
        int64_t s;
        uint64_t *ret;
    } windows[] = {
        {48 * HOUR_S, &ret->ends_48h},
        {7 * DAY_S,   &ret->ends_7d },
        {14 * DAY_S,  &ret->ends_14d},
    };
    uint64_t valid = 0, ended = 0;

    for (unsigned i = 0; i < KW_COUNT(windows); i++) {
        TRY(op, number(op, conn, ENDS, ARGS(V_INT(now_s), V_INT(now_s + windows[i].s)),
                       windows[i].ret));
    }
    TRY(op, number(op, conn, VALID, NO_ARGS, &valid));
    TRY(op, number(op, conn, ENDS, ARGS(V_INT(INT64_MIN), V_INT(now_s - 1)), &ended));
    ret->certs_active = valid - ended;
    return KW_OK;
}

/* Whole hours are kept counts; of the one in which the 7 days begin, its later part is counted. */
static kw_status count_issued(struct kw_op *op, struct store_conn *conn, int64_t profile,
                              struct store_stats *ret, uint64_t *ret_7d)
{
    int64_t since_ms = ret->now_ms - 7 * DAY_S * INT64_C(1000) + 1;
    int64_t hour = (since_ms + HOUR_MS - 1) / HOUR_MS;
    uint64_t whole = 0, part = 0, n = 0;

    TRY(op, number(op, conn, HOURS, ARGS(V_INT(profile), V_INT(hour), V_INT(INT64_MAX)), &whole));
    TRY(op, number(op, conn, ISSUED, ARGS(V_INT(profile), V_INT(since_ms), V_INT(hour * HOUR_MS)),
                   &part));
    *ret_7d = whole + part;
    ret->issued_7d += *ret_7d;
    for (unsigned i = 0; i < STATS_WEEKS; i++) {
        hour = ret->weeks[i].start_s / HOUR_S;
        TRY(op, number(op, conn, HOURS, ARGS(V_INT(profile), V_INT(hour), V_INT(hour + WEEK_HOURS)),
                       &n));
        ret->weeks[i].issued += n;
    }
    return KW_OK;
}

/* Profiles beyond the table's end are in the sums all the same. */
static kw_status count_profiles(struct kw_op *op, struct store_conn *conn, struct store_stats *ret)
{
    AUTO(store_rows) *rows = NULL;
    uint64_t in_7d = 0;
    bool row = false;

    TRY(op, store_query(op, conn, &statements, PROFILES, NO_ARGS, &rows));
    for (;;) {
        TRY(op, store_next(op, rows, &row));
        if (!row) {
            return KW_OK;
        }
        TRY(op, count_issued(op, conn, store_row_int(rows, 0), ret, &in_7d));
        if (ret->n_profiles < STATS_PROFILES_MAX) {
            unsigned i = ret->n_profiles++;
            TRY(op, store_row_text(op, rows, 1, ret->profiles[i].name, KW_NAME_MAX));
            ret->profiles[i].issued = (uint64_t)store_row_int(rows, 2);
            ret->profiles[i].issued_7d = in_7d;
        }
    }
}

static kw_status count_revoked(struct kw_op *op, struct store_conn *conn, struct store_stats *ret)
{
    int64_t since_s = ret->now_ms / 1000 - 7 * DAY_S;

    TRY(op,
        number(op, conn, STATE_AT, ARGS(V_INT(since_s + 1), V_INT(INT64_MAX)), &ret->revoked_7d));
    for (unsigned i = 0; i < STATS_WEEKS; i++) {
        int64_t from_s = ret->weeks[i].start_s;
        TRY(op, number(op, conn, STATE_AT, ARGS(V_INT(from_s), V_INT(from_s + ISO_WEEK_S)),
                       &ret->weeks[i].revoked));
    }
    return KW_OK;
}

static kw_status count_devices(struct kw_op *op, struct store_conn *conn, int64_t online_ms,
                               struct store_stats *ret)
{
    AUTO(store_rows) *rows = NULL;

    TRY(op, store_first(op, conn, &statements, DEVICES,
                        ARGS(V_INT(ret->now_ms - online_ms), V_INT(ret->now_ms / 1000)), &rows));
    ENSURE(op, rows, KW_E_INTERNAL, "no count of devices");
    uint64_t all = (uint64_t)store_row_int(rows, 0), with = (uint64_t)store_row_int(rows, 1);
    ret->devices_without = all - with;
    ret->devices_online = (uint64_t)store_row_int(rows, 2);
    ret->devices_offline = with - ret->devices_online;
    return KW_OK;
}

void store_stats_begin(int64_t now_ms, struct store_stats *ret)
{
    int64_t week_s = iso_week_start(now_ms / 1000);

    *ret = (struct store_stats){.now_ms = now_ms};
    for (unsigned i = 0; i < STATS_WEEKS; i++) {
        ret->weeks[i].start_s = week_s - (int64_t)(STATS_WEEKS - 1 - i) * ISO_WEEK_S;
    }
}

kw_status store_stats_issued(struct kw_op *op, struct store *store, struct store_stats *stats)
{
    AUTO(store_reader) *reader = NULL;

    TRY(op, store_reader_take(op, store, &reader));
    TRY(op, count_profiles(op, reader->conn, stats), "counting what was issued");
    return KW_OK;
}

kw_status store_stats_standing(struct kw_op *op, struct store *store, int64_t online_ms,
                               struct store_stats *stats)
{
    AUTO(store_reader) *reader = NULL;

    TRY(op, store_reader_take(op, store, &reader));
    TRY(op, count_ends(op, reader->conn, stats), "counting what ends");
    TRY(op, count_revoked(op, reader->conn, stats), "counting what was revoked");
    TRY(op, count_devices(op, reader->conn, online_ms, stats), "counting devices");
    return KW_OK;
}
