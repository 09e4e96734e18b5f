/* The log's entries and the tiles of its tree. */
#include "store/store_internal.h"

enum { LOG_ADD, LOG_SIZE, LOG_EACH, TILE_PUT, TILE_GET };
enum {
    TILE_WIDTH = 256,
    TILE_LEVELS = 63,
    LEVEL_SHIFT = 56,
    LOG_BATCH_MAX = 32 << 20, /* a batch of 512 changes holds about 150 KiB of entries */
    LOG_KEPT_BYTES = 1 << 20  /* room that stays between batches */
};

#define TILE_PUT_SQL                                                                               \
    "INSERT INTO tile (place, hashes) VALUES (?1, ?2) ON CONFLICT (place) DO UPDATE SET hashes = ?2"

static const char *const sql[] = {
    [LOG_ADD] = "INSERT INTO log (idx, entry) VALUES (?1, ?2)",
    [LOG_SIZE] = "SELECT coalesce(max(idx) + 1, 0) FROM log",
    [LOG_EACH] = "SELECT idx, entry FROM log WHERE idx >= ?1 ORDER BY idx LIMIT ?2",
    [TILE_PUT] = TILE_PUT_SQL,
    [TILE_GET] = "SELECT hashes FROM tile WHERE place = ?1",
};
static const struct store_statements statements = {STORE_NOUN_LOG, KW_COUNT(sql), sql};

static size_t start_of(const struct log_buffer *log, unsigned i)
{
    return i == 0 ? 0 : log->ends[i - 1];
}

struct kw_span log_buffer_at(const struct log_buffer *log, unsigned i)
{
    size_t start = start_of(log, i);

    return KW_SPAN(log->octets->p + start, log->ends[i] - start);
}

void log_buffer_cut(struct log_buffer *log, unsigned n)
{
    if (log->octets) {
        log->octets->len = start_of(log, n);
    }
    log->n = n;
    if (n == 0 && log->octets && log->octets->cap > LOG_KEPT_BYTES) {
        log_buffer_free(log);
    }
}

void log_buffer_free(struct log_buffer *log)
{
    kw_bytes_free(log->octets);
    free(log->ends);
    *log = (struct log_buffer){0};
}

static kw_status make_room(struct kw_op *op, struct log_buffer *log)
{
    if (!log->octets) {
        TRY(op, kw_bytes_new(LOG_KEPT_BYTES / 4, &log->octets), "room for log entries");
    }
    if (log->n < log->cap) {
        return KW_OK;
    }
    unsigned cap = log->cap ? log->cap * 2 : 256;
    size_t *ends = realloc(log->ends, cap * sizeof(*ends));
    ENSURE(op, ends, KW_E_MEMORY, "no memory for log entries");
    log->ends = ends;
    log->cap = cap;
    return KW_OK;
}

kw_status store_log_append(struct kw_op *op, struct store_txn *txn, struct kw_span entry)
{
    struct log_buffer *log = &txn->log;

    ENSURE(op, txn->in_change, KW_E_INTERNAL, "log entries come from changes alone");
    ENSURE(op, entry.len > 0 && entry.len <= KW_LOG_ENTRY_MAX, KW_E_TOO_LARGE,
           "a log entry has 1 to %d octets, not %zu", KW_LOG_ENTRY_MAX, entry.len);
    TRY(op, make_room(op, log));
    ENSURE(op, log->octets->len + entry.len <= LOG_BATCH_MAX, KW_E_LIMIT,
           "too many log entries at once");
    TRY(op, kw_bytes_append(log->octets, entry), "room for log entries");
    log->ends[log->n++] = log->octets->len;
    return KW_OK;
}

kw_status log_write(struct kw_op *op, struct store_txn *txn)
{
    for (unsigned i = 0; i < txn->log.n; i++) {
        TRY(op, store_run(op, txn->conn, &statements, LOG_ADD,
                          ARGS(V_INT(txn->log_size + i), V_BLOB(log_buffer_at(&txn->log, i)))));
    }
    return KW_OK;
}

kw_status log_read_size(struct kw_op *op, struct store_conn *conn, uint64_t *ret)
{
    AUTO(store_rows) *rows = NULL;

    TRY(op, store_first(op, conn, &statements, LOG_SIZE, NO_ARGS, &rows), "reading the log's size");
    ENSURE(op, rows, KW_E_INTERNAL, "the log has no size");
    *ret = (uint64_t)store_row_int(rows, 0);
    return KW_OK;
}

kw_status store_log_size(struct kw_op *op, struct store *store, uint64_t *ret)
{
    AUTO(store_reader) *reader = NULL;

    TRY(op, store_reader_take(op, store, &reader));
    return log_read_size(op, reader->conn, ret);
}

kw_status store_log_size_txn(struct kw_op *op, struct store_txn *txn, uint64_t *ret)
{
    (void)op; /* kept in memory: cannot fail */
    *ret = txn->log_size;
    return KW_OK;
}

static kw_status place_of(struct kw_op *op, unsigned level, uint64_t index, int64_t *ret)
{
    ENSURE(op, level < TILE_LEVELS && index >> LEVEL_SHIFT == 0, KW_E_INPUT,
           "no tile at level %u, index %llu", level, (unsigned long long)index);
    *ret = (int64_t)((uint64_t)level << LEVEL_SHIFT | index);
    return KW_OK;
}

kw_status store_log_tile_put(struct kw_op *op, struct store_txn *txn, unsigned level,
                             uint64_t index, struct kw_span hashes)
{
    int64_t place = 0;

    ENSURE(op, txn->sealing, KW_E_INTERNAL, "tiles are written by the seal hook alone");
    ENSURE(op,
           hashes.len > 0 && hashes.len % KW_HASH_BYTES == 0 &&
               hashes.len <= (size_t)TILE_WIDTH * KW_HASH_BYTES,
           KW_E_INPUT, "a tile has 1 to %d hashes, not %zu octets", TILE_WIDTH, hashes.len);
    TRY(op, place_of(op, level, index, &place));
    TRY(op, store_run(op, txn->conn, &statements, TILE_PUT, ARGS(V_INT(place), V_BLOB(hashes))),
        "writing tile %u/%llu", level, (unsigned long long)index);
    return KW_OK;
}

kw_status store_log_tile_get(struct kw_op *op, struct store *store, unsigned level, uint64_t index,
                             struct kw_bytes **ret)
{
    AUTO(store_reader) *reader = NULL;
    AUTO(store_rows) *rows = NULL;
    int64_t place = 0;

    TRY(op, place_of(op, level, index, &place));
    TRY(op, store_reader_take(op, store, &reader));
    TRY(op, store_first(op, reader->conn, &statements, TILE_GET, ARGS(V_INT(place)), &rows),
        "reading tile %u/%llu", level, (unsigned long long)index);
    ENSURE(op, rows, KW_E_NOT_FOUND, "no tile %u/%llu", level, (unsigned long long)index);
    TRY(op, kw_bytes_copy(store_row_bytes(rows, 0), ret), "reading a tile");
    return KW_OK;
}

kw_status store_log_each(struct kw_op *op, struct store *store, uint64_t first, unsigned max,
                         kw_status (*each)(struct kw_op *op, void *ctx, uint64_t index,
                                           struct kw_span entry),
                         void *ctx)
{
    AUTO(store_reader) *reader = NULL;
    AUTO(store_rows) *rows = NULL;
    bool row = false;

    ENSURE(op, first <= INT64_MAX, KW_E_INPUT, "no log has entry %llu", (unsigned long long)first);
    TRY(op, store_reader_take(op, store, &reader));
    TRY(op, store_query(op, reader->conn, &statements, LOG_EACH, ARGS(V_INT(first), V_INT(max)),
                        &rows));
    for (;;) {
        TRY(op, store_next(op, rows, &row), "reading the log");
        if (!row) {
            return KW_OK;
        }
        TRY(op, each(op, ctx, (uint64_t)store_row_int(rows, 0), store_row_bytes(rows, 1)));
    }
}
