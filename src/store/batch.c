/* Batches of units. */
#include "store/registration.h"
#include "store/store_internal.h"

enum { BATCH_INSERT, BATCH_UPDATE, BATCH_GET, BATCH_LIST, BATCH_DEVICE };

/* The order of columns that row_read() takes. */
#define BATCH_COLUMNS                                                                              \
    "SELECT n.text, p.text, b.quota, b.state, b.opened_ms, b.closed_ms, b.checked, b.finding,"     \
    " b.units FROM batch b JOIN name n ON n.id = b.name JOIN name p ON p.id = b.product "

static const char *const sql[] = {
    [BATCH_INSERT] = "INSERT INTO batch (name, product, quota, state, opened_ms, closed_ms,"
                     " checked, finding, units) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    [BATCH_UPDATE] = "UPDATE batch SET quota = ?2, state = ?3, closed_ms = ?4, checked = ?5,"
                     " finding = ?6, units = ?7 WHERE name = (SELECT id FROM name WHERE text = ?1)",
    [BATCH_GET] = BATCH_COLUMNS "WHERE n.text = ?1",
    [BATCH_LIST] = BATCH_COLUMNS "WHERE n.text > ?1 AND (?2 = 0 OR b.state = ?2)"
                                 " ORDER BY n.text LIMIT ?3",
    /* By the index on batch: its own devices, in order of their numbers, are few enough to sort. */
    [BATCH_DEVICE] = "SELECT id FROM device WHERE batch = (SELECT id FROM name WHERE text = ?1)"
                     " AND id > ?2 ORDER BY id LIMIT 1",
};
static const struct store_statements statements = {STORE_NOUN_BATCH, KW_COUNT(sql), sql};
_Static_assert(KW_COUNT(sql) <= STORE_STATEMENTS_MAX, "room in every connection");

static kw_status read_row(struct kw_op *op, const struct store_rows *rows, struct store_batch *ret)
{
    struct store_batch batch = {
        .quota = (uint32_t)store_row_int(rows, 2),
        .state = (enum batch_state)store_row_int(rows, 3),
        .opened_ms = store_row_int(rows, 4),
        .closed_ms = store_row_int(rows, 5),
        .checked = (uint32_t)store_row_int(rows, 6),
        .units = (uint64_t)store_row_int(rows, 8),
    };

    TRY(op, store_row_text(op, rows, 0, batch.name, sizeof(batch.name)));
    TRY(op, store_row_text(op, rows, 1, batch.product, sizeof(batch.product)));
    TRY(op, store_row_text(op, rows, 7, batch.finding, sizeof(batch.finding)));
    *ret = batch;
    return KW_OK;
}

static kw_status get(struct kw_op *op, struct store_conn *conn, const char *name,
                     struct store_batch *ret)
{
    AUTO(store_rows) *rows = NULL;

    TRY(op, store_first(op, conn, &statements, BATCH_GET, ARGS(V_TEXT(name)), &rows),
        "reading batch '%s'", name);
    ENSURE(op, rows, KW_E_NOT_FOUND, "no batch '%s'", name);
    return read_row(op, rows, ret);
}

kw_status store_batch_insert(struct kw_op *op, struct store_txn *txn,
                             const struct store_batch *batch)
{
    int64_t name = 0, product = 0;

    TRY(op, names_id(op, txn, NAMES_NAME, batch->name, &name));
    TRY(op, names_id(op, txn, NAMES_NAME, batch->product, &product));
    TRY(op,
        store_run(op, txn->conn, &statements, BATCH_INSERT,
                  ARGS(V_INT(name), V_INT(product), V_INT(batch->quota), V_INT(batch->state),
                       V_INT(batch->opened_ms), V_INT(batch->closed_ms), V_INT(batch->checked),
                       V_TEXT(batch->finding), V_INT(batch->units))),
        "recording batch '%s'", batch->name);
    return KW_OK;
}

kw_status store_batch_update(struct kw_op *op, struct store_txn *txn,
                             const struct store_batch *batch)
{
    TRY(op,
        store_run(op, txn->conn, &statements, BATCH_UPDATE,
                  ARGS(V_TEXT(batch->name), V_INT(batch->quota), V_INT(batch->state),
                       V_INT(batch->closed_ms), V_INT(batch->checked), V_TEXT(batch->finding),
                       V_INT(batch->units))),
        "recording batch '%s'", batch->name);
    ENSURE(op, txn->conn->driver->changed(txn->conn) == 1, KW_E_NOT_FOUND, "no batch '%s'",
           batch->name);
    return KW_OK;
}

kw_status store_batch_get(struct kw_op *op, struct store *store, const char *name,
                          struct store_batch *ret)
{
    AUTO(store_reader) *reader = NULL;

    TRY(op, store_reader_take(op, store, &reader));
    return get(op, reader->conn, name, ret);
}

kw_status store_batch_get_txn(struct kw_op *op, struct store_txn *txn, const char *name,
                              struct store_batch *ret)
{
    return get(op, txn->conn, name, ret);
}

kw_status store_batch_list(struct kw_op *op, struct store *store, const char *after,
                           enum batch_state state, unsigned max, struct store_batch *ret,
                           unsigned *ret_n)
{
    AUTO(store_reader) *reader = NULL;
    AUTO(store_rows) *rows = NULL;
    bool row = false;
    unsigned n = 0;

    TRY(op, store_reader_take(op, store, &reader));
    TRY(op, store_query(op, reader->conn, &statements, BATCH_LIST,
                        ARGS(V_TEXT(after), V_INT(state), V_INT(max)), &rows));
    for (; n < max; n++) {
        TRY(op, store_next(op, rows, &row), "listing batches");
        if (!row) {
            break;
        }
        TRY(op, read_row(op, rows, &ret[n]));
    }
    *ret_n = n;
    return KW_OK;
}

kw_status store_batch_device_next(struct kw_op *op, struct store *store, const char *batch,
                                  const char *after, char ret[KW_NAME_MAX])
{
    AUTO(store_reader) *reader = NULL;
    AUTO(store_rows) *rows = NULL;

    TRY(op, store_reader_take(op, store, &reader));
    TRY(op,
        store_first(op, reader->conn, &statements, BATCH_DEVICE, ARGS(V_TEXT(batch), V_TEXT(after)),
                    &rows),
        "devices of batch '%s'", batch);
    ENSURE(op, rows, KW_E_NOT_FOUND, "no further device in batch '%s'", batch);
    return store_row_text(op, rows, 0, ret, KW_NAME_MAX);
}
