/* Nonces that devices used. */
#include "store/attest.h"
#include "store/store_internal.h"

enum { NONCE_FIND, NONCE_INSERT, NONCE_NEWEST, NONCE_FORGET, NONCE_COUNT };
enum { OPEN_MAX = 64 }; /* of one device in a minute */

static const char *const sql[] = {
    [NONCE_FIND] = "SELECT 1 FROM attest_nonce WHERE owner = ?1 AND nonce = ?2",
    [NONCE_INSERT] = "INSERT INTO attest_nonce (owner, nonce, at_ms) VALUES (?1, ?2, ?3)",
    [NONCE_NEWEST] = "SELECT max(at_ms) FROM attest_nonce WHERE owner = ?1 AND at_ms < ?2",
    [NONCE_FORGET] = "DELETE FROM attest_nonce WHERE owner = ?1 AND at_ms < ?2",
    [NONCE_COUNT] = "SELECT count(*) FROM attest_nonce WHERE owner = ?1 AND at_ms < ?2",
};
static const struct store_statements statements = {STORE_NOUN_ATTEST_NONCE, KW_COUNT(sql), sql};

static kw_status number(struct kw_op *op, struct store_txn *txn, unsigned which, int64_t owner,
                        int64_t before_ms, int64_t *ret)
{
    AUTO(store_rows) *rows = NULL;

    TRY(op, store_first(op, txn->conn, &statements, which, ARGS(V_INT(owner), V_INT(before_ms)),
                        &rows));
    *ret = rows ? store_row_int(rows, 0) : 0; /* NULL is 0 */
    return KW_OK;
}

/* What is forgotten here must not be taken again: the caller keeps the floor. */
static kw_status forget(struct kw_op *op, struct store_txn *txn, int64_t owner, int64_t over_ms,
                        int64_t *ret_floor_ms)
{
    int64_t n = 0;

    TRY(op, number(op, txn, NONCE_COUNT, owner, INT64_MAX, &n));
    int64_t before_ms = n < OPEN_MAX ? over_ms : INT64_MAX;
    TRY(op, number(op, txn, NONCE_NEWEST, owner, before_ms, ret_floor_ms));
    return store_run(op, txn->conn, &statements, NONCE_FORGET,
                     ARGS(V_INT(owner), V_INT(before_ms)));
}

static kw_status is_used(struct kw_op *op, struct store_txn *txn, int64_t owner,
                         struct kw_span nonce, bool *ret)
{
    AUTO(store_rows) *rows = NULL;

    TRY(op, store_first(op, txn->conn, &statements, NONCE_FIND, ARGS(V_INT(owner), V_BLOB(nonce)),
                        &rows));
    *ret = rows != NULL;
    return KW_OK;
}

kw_status store_attest_nonce_use(struct kw_op *op, struct store_txn *txn, const char *device,
                                 struct kw_span nonce, int64_t at_ms, int64_t over_ms,
                                 bool *ret_first, int64_t *ret_floor_ms)
{
    char text[NAMES_TEXT_MAX] = "";
    int64_t owner = 0;
    bool used = false;

    TRY(op, names_device_owner(op, device, text));
    TRY(op, names_find(op, txn, NAMES_OWNER, text, &owner), "device '%s'", device);
    TRY(op, is_used(op, txn, owner, nonce, &used));
    if (!used) {
        TRY(op, forget(op, txn, owner, over_ms, ret_floor_ms));
        TRY(op, store_run(op, txn->conn, &statements, NONCE_INSERT,
                          ARGS(V_INT(owner), V_BLOB(nonce), V_INT(at_ms))));
    }
    *ret_first = !used;
    return KW_OK;
}
