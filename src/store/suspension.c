/* Devices taken out of use for a while, and their certificates with them. */
#include "store/registration.h"
#include "store/store_internal.h"

enum { SUSPENSION_INSERT, SUSPENSION_GET, SUSPENSION_DELETE, CERTS, HOLD, HELD, FORGET, NEXT };

#define OWNER_ID "(SELECT id FROM owner WHERE text = ?1)"

static const char *const sql[] = {
    [SUSPENSION_INSERT] = "INSERT INTO suspension (owner, cause, reason, before, at_ms)"
                          " VALUES (" OWNER_ID ", ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
    [SUSPENSION_GET] = "SELECT cause, reason, before, at_ms FROM suspension"
                       " WHERE owner = " OWNER_ID,
    [SUSPENSION_DELETE] = "DELETE FROM suspension WHERE owner = " OWNER_ID,
    [CERTS] = "SELECT row, state, revoked_s FROM cert WHERE owner = " OWNER_ID
              " AND state IN (1, 2) AND row > ?2 ORDER BY row LIMIT 1",
    [HOLD] = "INSERT OR REPLACE INTO held_cert (cert, owner, before, before_s) VALUES"
             " (?2, " OWNER_ID ", ?3, ?4)",
    [HELD] = "SELECT h.cert, h.before, h.before_s, c.state FROM held_cert h"
             " JOIN cert c ON c.row = h.cert WHERE h.owner = " OWNER_ID
             " AND h.cert > ?2 ORDER BY h.cert LIMIT 1",
    [NEXT] = "SELECT o.text FROM suspension s JOIN owner o ON o.id = s.owner WHERE s.cause = ?1"
             " AND o.text > ?2 ORDER BY o.text LIMIT 1",
    [FORGET] = "DELETE FROM held_cert WHERE owner = " OWNER_ID,
};
static const struct store_statements statements = {STORE_NOUN_SUSPENSION, KW_COUNT(sql), sql};
_Static_assert(KW_COUNT(sql) <= STORE_STATEMENTS_MAX, "room in every connection");

kw_status store_suspension_insert(struct kw_op *op, struct store_txn *txn,
                                  const struct store_suspension *suspension)
{
    TRY(op,
        store_run(op, txn->conn, &statements, SUSPENSION_INSERT,
                  ARGS(V_TEXT(suspension->owner), V_TEXT(suspension->cause),
                       V_TEXT(suspension->reason), V_INT(suspension->before),
                       V_INT(suspension->at_ms))),
        "suspending %s", suspension->owner);
    ENSURE(op, txn->conn->driver->changed(txn->conn) == 1, KW_E_CONFLICT, "%s is suspended already",
           suspension->owner);
    return KW_OK;
}

kw_status store_suspension_get_txn(struct kw_op *op, struct store_txn *txn, const char *owner,
                                   struct store_suspension *ret)
{
    struct store_suspension found = {0};
    AUTO(store_rows) *rows = NULL;

    TRY(op, store_first(op, txn->conn, &statements, SUSPENSION_GET, ARGS(V_TEXT(owner)), &rows),
        "reading the suspension of %s", owner);
    ENSURE(op, rows, KW_E_NOT_FOUND, "%s is not suspended", owner);
    KW_TEXT_SET(found.owner, owner);
    TRY(op, store_row_text(op, rows, 0, found.cause, sizeof(found.cause)));
    TRY(op, store_row_text(op, rows, 1, found.reason, sizeof(found.reason)));
    found.before = (enum device_state)store_row_int(rows, 2);
    found.at_ms = store_row_int(rows, 3);
    *ret = found;
    return KW_OK;
}

kw_status store_suspension_delete(struct kw_op *op, struct store_txn *txn, const char *owner)
{
    TRY(op, store_run(op, txn->conn, &statements, SUSPENSION_DELETE, ARGS(V_TEXT(owner))),
        "ending the suspension of %s", owner);
    return store_run(op, txn->conn, &statements, FORGET, ARGS(V_TEXT(owner)));
}

/* One of the two queries for the next certificate; row 0: none. */
static kw_status next_cert(struct kw_op *op, struct store_txn *txn, unsigned number,
                           const char *owner, int64_t *row, int64_t ret[3])
{
    AUTO(store_rows) *rows = NULL;

    TRY(op,
        store_first(op, txn->conn, &statements, number, ARGS(V_TEXT(owner), V_INT(*row)), &rows),
        "certificates of %s", owner);
    *row = rows ? store_row_int(rows, 0) : 0;
    for (unsigned i = 0; rows && i < 3; i++) {
        ret[i] = number == HELD || i < 2 ? store_row_int(rows, i + 1) : 0;
    }
    return KW_OK;
}

kw_status store_suspension_hold(struct kw_op *op, struct store_txn *txn, const char *owner,
                                int64_t now_s, unsigned *ret_n)
{
    int64_t row = 0, was[3] = {0};

    *ret_n = 0;
    for (;;) {
        TRY(op, next_cert(op, txn, CERTS, owner, &row, was));
        if (row == 0) {
            return KW_OK;
        }
        TRY(op, store_run(op, txn->conn, &statements, HOLD,
                          ARGS(V_TEXT(owner), V_INT(row), V_INT(was[0]), V_INT(was[1]))));
        TRY(op,
            store_cert_set_state(op, txn, row, CERT_STATE_HELD, now_s, REVOKE_CERTIFICATE_HOLD));
        (*ret_n)++;
    }
}

kw_status store_suspension_release(struct kw_op *op, struct store_txn *txn, const char *owner,
                                   unsigned *ret_n)
{
    int64_t row = 0, was[3] = {0};

    *ret_n = 0;
    for (;;) {
        TRY(op, next_cert(op, txn, HELD, owner, &row, was));
        if (row == 0) {
            return KW_OK;
        }
        if (was[2] != CERT_STATE_HELD) {
            continue; /* revoked meanwhile, or released by itself */
        }
        bool superseded = was[0] == CERT_STATE_SUPERSEDED;
        TRY(op, store_cert_set_state(op, txn, row, (enum cert_state)was[0], was[1],
                                     superseded ? REVOKE_SUPERSEDED : REVOKE_UNSPECIFIED));
        (*ret_n)++;
    }
}

kw_status store_suspension_next(struct kw_op *op, struct store *store, const char *cause,
                                const char *after, char ret[KW_NAME_MAX])
{
    AUTO(store_reader) *reader = NULL;
    AUTO(store_rows) *rows = NULL;

    TRY(op, store_reader_take(op, store, &reader));
    TRY(op,
        store_first(op, reader->conn, &statements, NEXT, ARGS(V_TEXT(cause), V_TEXT(after)), &rows),
        "suspensions by %s", cause);
    ENSURE(op, rows, KW_E_NOT_FOUND, "no further suspension by %s", cause);
    return store_row_text(op, rows, 0, ret, KW_NAME_MAX);
}
