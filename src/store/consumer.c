/* Who follows the log, and how far each had come when. */
#include "store/registration.h"
#include "store/store_internal.h"

enum { CONSUMER_GET, CONSUMER_LIST, CONSUMER_ADD, CONSUMER_MOVE, ACK_ADD, ACK_DROP, ACK_PASSED };
enum { ACKS_KEPT = 20000 }; /* of one consumer: one a poll that brought news */

#define ACK_DROP_SQL                                                                               \
    "DELETE FROM consumer_ack WHERE consumer = ?1 AND cursor <= (SELECT cursor FROM consumer_ack"  \
    " WHERE consumer = ?1 ORDER BY cursor DESC LIMIT 1 OFFSET ?2)"

static const char *const sql[] = {
    [CONSUMER_GET] = "SELECT name, principal, cursor, at_ms, id FROM consumer WHERE name = ?1",
    [CONSUMER_LIST] = "SELECT name, principal, cursor, at_ms, id FROM consumer WHERE name > ?1"
                      " ORDER BY name LIMIT ?2",
    [CONSUMER_ADD] = "INSERT INTO consumer (name, principal, cursor, at_ms) VALUES (?1, ?2, ?3, ?4)"
                     " RETURNING id",
    [CONSUMER_MOVE] = "UPDATE consumer SET cursor = ?2, at_ms = ?3 WHERE id = ?1",
    [ACK_ADD] = "INSERT INTO consumer_ack (consumer, cursor, at_ms) VALUES (?1, ?2, ?3)"
                " ON CONFLICT DO NOTHING",
    [ACK_DROP] = ACK_DROP_SQL,
    [ACK_PASSED] = "SELECT a.at_ms FROM consumer c JOIN consumer_ack a ON a.consumer = c.id"
                   " WHERE c.name = ?1 AND a.cursor > ?2 ORDER BY a.cursor LIMIT 1",
};
static const struct store_statements statements = {STORE_NOUN_CONSUMER, KW_COUNT(sql), sql};
_Static_assert(KW_COUNT(sql) <= STORE_STATEMENTS_MAX, "room in every connection");

static kw_status read_row(struct kw_op *op, const struct store_rows *rows,
                          struct store_consumer *ret)
{
    struct store_consumer found = {
        .cursor = (uint64_t)store_row_int(rows, 2),
        .at_ms = store_row_int(rows, 3),
    };

    TRY(op, store_row_text(op, rows, 0, found.name, sizeof(found.name)));
    TRY(op, store_row_text(op, rows, 1, found.principal, sizeof(found.principal)));
    *ret = found;
    return KW_OK;
}

/* Its number; 0 where it is new. */
static kw_status find(struct kw_op *op, struct store_conn *conn, const char *name, int64_t *ret_id,
                      struct store_consumer *ret)
{
    AUTO(store_rows) *rows = NULL;

    TRY(op, store_first(op, conn, &statements, CONSUMER_GET, ARGS(V_TEXT(name)), &rows),
        "reading consumer '%s'", name);
    *ret_id = rows ? store_row_int(rows, 4) : 0;
    return rows ? read_row(op, rows, ret) : KW_OK;
}

static kw_status add(struct kw_op *op, struct store_txn *txn, const struct store_consumer *consumer,
                     int64_t *ret_id)
{
    AUTO(store_rows) *rows = NULL;

    TRY(op,
        store_first(op, txn->conn, &statements, CONSUMER_ADD,
                    ARGS(V_TEXT(consumer->name), V_TEXT(consumer->principal),
                         V_INT(consumer->cursor), V_INT(consumer->at_ms)),
                    &rows),
        "recording consumer '%s'", consumer->name);
    ENSURE(op, rows, KW_E_INTERNAL, "a consumer got no number");
    *ret_id = store_row_int(rows, 0);
    return KW_OK;
}

kw_status store_consumer_ack(struct kw_op *op, struct store_txn *txn,
                             const struct store_consumer *consumer)
{
    struct store_consumer before = {0};
    int64_t id = 0;

    TRY(op, find(op, txn->conn, consumer->name, &id, &before));
    ENSURE(op, id == 0 || strcmp(before.principal, consumer->principal) == 0, KW_E_DENIED,
           "consumer '%s' is another's", consumer->name);
    if (id != 0 && before.cursor >= consumer->cursor) {
        return KW_OK;
    }
    if (id == 0) {
        TRY(op, add(op, txn, consumer, &id));
    } else {
        TRY(op, store_run(op, txn->conn, &statements, CONSUMER_MOVE,
                          ARGS(V_INT(id), V_INT(consumer->cursor), V_INT(consumer->at_ms))));
    }
    TRY(op, store_run(op, txn->conn, &statements, ACK_ADD,
                      ARGS(V_INT(id), V_INT(consumer->cursor), V_INT(consumer->at_ms))));
    return store_run(op, txn->conn, &statements, ACK_DROP, ARGS(V_INT(id), V_INT(ACKS_KEPT)));
}

kw_status store_consumer_get(struct kw_op *op, struct store *store, const char *name,
                             struct store_consumer *ret)
{
    AUTO(store_reader) *reader = NULL;
    int64_t id = 0;

    TRY(op, store_reader_take(op, store, &reader));
    TRY(op, find(op, reader->conn, name, &id, ret));
    ENSURE(op, id != 0, KW_E_NOT_FOUND, "no consumer '%s'", name);
    return KW_OK;
}

kw_status store_consumer_list(struct kw_op *op, struct store *store, const char *after,
                              unsigned max, struct store_consumer *ret, unsigned *ret_n)
{
    AUTO(store_reader) *reader = NULL;
    AUTO(store_rows) *rows = NULL;
    bool row = false;
    unsigned n = 0;

    TRY(op, store_reader_take(op, store, &reader));
    TRY(op, store_query(op, reader->conn, &statements, CONSUMER_LIST,
                        ARGS(V_TEXT(after), V_INT(max)), &rows));
    for (; n < max; n++) {
        TRY(op, store_next(op, rows, &row), "listing consumers");
        if (!row) {
            break;
        }
        TRY(op, read_row(op, rows, &ret[n]));
    }
    *ret_n = n;
    return KW_OK;
}

kw_status store_consumer_passed(struct kw_op *op, struct store *store, const char *name,
                                uint64_t index, int64_t *ret_at_ms)
{
    AUTO(store_reader) *reader = NULL;
    AUTO(store_rows) *rows = NULL;

    TRY(op, store_reader_take(op, store, &reader));
    TRY(op,
        store_first(op, reader->conn, &statements, ACK_PASSED, ARGS(V_TEXT(name), V_INT(index)),
                    &rows),
        "what consumer '%s' has taken", name);
    ENSURE(op, rows, KW_E_NOT_FOUND, "consumer '%s' has not come so far", name);
    *ret_at_ms = store_row_int(rows, 0);
    return KW_OK;
}
