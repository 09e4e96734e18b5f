/* Small documents that are replaced whole, and counters. */
#include "store/store_internal.h"

enum { BLOB_PUT, BLOB_GET, COUNTER_NEXT, COUNTER_RAISE };

#define BLOB_PUT_SQL                                                                               \
    "INSERT INTO blob (name, version, content) VALUES (?1, ?2, ?3) ON CONFLICT (name)"             \
    " DO UPDATE SET version = excluded.version, content = excluded.content"
#define COUNTER_NEXT_SQL                                                                           \
    "INSERT INTO counter (name, value) VALUES (?1, 1) ON CONFLICT (name)"                          \
    " DO UPDATE SET value = value + 1 RETURNING value"
#define COUNTER_RAISE_SQL                                                                          \
    "INSERT INTO counter (name, value) VALUES (?1, ?2) ON CONFLICT (name)"                         \
    " DO UPDATE SET value = max(value, excluded.value)"

static const char *const sql[] = {
    [BLOB_PUT] = BLOB_PUT_SQL,
    [BLOB_GET] = "SELECT version, content FROM blob WHERE name = ?1",
    [COUNTER_NEXT] = COUNTER_NEXT_SQL,
    [COUNTER_RAISE] = COUNTER_RAISE_SQL,
};
static const struct store_statements statements = {STORE_NOUN_BLOB, KW_COUNT(sql), sql};

kw_status store_blob_put(struct kw_op *op, struct store_txn *txn, const char *name,
                         uint64_t version, struct kw_span content)
{
    ENSURE(op, content.len <= KW_CRL_MAX, KW_E_TOO_LARGE, "'%s' has %zu octets", name, content.len);
    TRY(op,
        store_run(op, txn->conn, &statements, BLOB_PUT,
                  ARGS(V_TEXT(name), V_INT(version), V_BLOB(content))),
        "storing '%s'", name);
    return KW_OK;
}

kw_status store_blob_get(struct kw_op *op, struct store *store, const char *name,
                         uint64_t *ret_version, struct kw_bytes **ret)
{
    AUTO(store_reader) *reader = NULL;
    AUTO(store_rows) *rows = NULL;

    TRY(op, store_reader_take(op, store, &reader));
    TRY(op, store_first(op, reader->conn, &statements, BLOB_GET, ARGS(V_TEXT(name)), &rows),
        "reading '%s'", name);
    ENSURE(op, rows, KW_E_NOT_FOUND, "no '%s' is stored", name);
    TRY(op, kw_bytes_copy(store_row_bytes(rows, 1), ret), "reading '%s'", name);
    *ret_version = (uint64_t)store_row_int(rows, 0);
    return KW_OK;
}

kw_status store_counter_next(struct kw_op *op, struct store_txn *txn, const char *name,
                             uint64_t *ret)
{
    AUTO(store_rows) *rows = NULL;

    TRY(op, store_first(op, txn->conn, &statements, COUNTER_NEXT, ARGS(V_TEXT(name)), &rows),
        "counting '%s'", name);
    ENSURE(op, rows, KW_E_INTERNAL, "the counter '%s' gave no value", name);
    *ret = (uint64_t)store_row_int(rows, 0);
    return KW_OK;
}

kw_status store_counter_raise(struct kw_op *op, struct store_txn *txn, const char *name,
                              uint64_t least)
{
    TRY(op, store_run(op, txn->conn, &statements, COUNTER_RAISE, ARGS(V_TEXT(name), V_INT(least))),
        "raising the counter '%s'", name);
    return KW_OK;
}
