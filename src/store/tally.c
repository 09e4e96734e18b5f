/* Running totals, for dashboards and /metrics. */
#include "store/store_internal.h"

enum { TALLY_ADD, TALLY_READ };
enum { KIND_LOG = 100 };

static const char *const sql[] = {
    [TALLY_ADD] = "UPDATE tally SET n = n + ?2 WHERE kind = ?1",
    /* One statement: one snapshot. */
    [TALLY_READ] = "SELECT kind, n FROM tally"
                   " UNION ALL SELECT 100, coalesce(max(idx) + 1, 0) FROM log",
};
static const struct store_statements statements = {STORE_NOUN_TALLY, KW_COUNT(sql), sql};

kw_status tally_write(struct kw_op *op, struct store_txn *txn)
{
    for (int kind = 0; kind < TALLY_MAX; kind++) {
        if (txn->tally[kind] == 0) {
            continue;
        }
        TRY(op, store_run(op, txn->conn, &statements, TALLY_ADD,
                          ARGS(V_INT(kind), V_INT(txn->tally[kind]))));
    }
    return KW_OK;
}

static uint64_t *place_of(struct store_counts *counts, int64_t kind)
{
    switch (kind) {
    case TALLY_DEVICES:
        return &counts->devices;
    case TALLY_DEVICES_ACTIVE:
        return &counts->devices_active;
    case TALLY_CERTS:
        return &counts->certs;
    case TALLY_CERTS_VALID:
        return &counts->certs_valid;
    case TALLY_CERTS_REVOKED:
        return &counts->certs_revoked;
    case TALLY_PUBKEYS:
        return &counts->pubkeys;
    case KIND_LOG:
        return &counts->log_entries;
    default:
        return NULL;
    }
}

kw_status store_counts(struct kw_op *op, struct store *store, struct store_counts *ret)
{
    struct store_counts counts = {0};
    AUTO(store_reader) *reader = NULL;
    AUTO(store_rows) *rows = NULL;
    bool row = false;

    TRY(op, store_reader_take(op, store, &reader));
    TRY(op, store_query(op, reader->conn, &statements, TALLY_READ, NO_ARGS, &rows));
    for (;;) {
        TRY(op, store_next(op, rows, &row), "counting");
        if (!row) {
            break;
        }
        uint64_t *place = place_of(&counts, store_row_int(rows, 0));
        if (place) {
            *place = (uint64_t)store_row_int(rows, 1);
        }
    }
    *ret = counts;
    return KW_OK;
}
