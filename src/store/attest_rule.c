/* The patience with failed rounds. */
#include "store/attest_policy.h"
#include "store/store_internal.h"

enum { RULE_PUT, RULE_DELETE, RULE_LIST, RULE_OF };

#define RULE_COLUMNS                                                                               \
    "SELECT r.product, r.failed, r.rounds, r.trusted_hours, r.fresh_minutes, r.changed_ms"         \
    " FROM attest_rule r "

static const char *const sql[] = {
    [RULE_PUT] = "INSERT OR REPLACE INTO attest_rule (product, failed, rounds, trusted_hours,"
                 " fresh_minutes, changed_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    [RULE_DELETE] = "DELETE FROM attest_rule WHERE product = ?1 RETURNING rounds",
    [RULE_LIST] = RULE_COLUMNS "WHERE ?1 IS NULL OR r.product > ?1 ORDER BY r.product LIMIT ?2",
    [RULE_OF] = RULE_COLUMNS "JOIN owner o ON o.text = ?1 JOIN device d ON d.owner = o.id"
                             " JOIN name p ON p.id = d.product WHERE r.product IN ('', p.text)"
                             " ORDER BY r.product DESC LIMIT 1",
};
static const struct store_statements statements = {STORE_NOUN_ATTEST_RULE, KW_COUNT(sql), sql};

kw_status store_rule_put(struct kw_op *op, struct store_txn *txn, const struct store_rule *rule)
{
    const struct attest_patience *p = &rule->patience;

    return store_run(op, txn->conn, &statements, RULE_PUT,
                     ARGS(V_TEXT(rule->product), V_INT(p->failed), V_INT(p->rounds),
                          V_INT(p->trusted_hours), V_INT(p->fresh_minutes),
                          V_INT(rule->changed_ms)));
}

kw_status store_rule_delete(struct kw_op *op, struct store_txn *txn, const char *product)
{
    AUTO(store_rows) *rows = NULL;

    TRY(op, store_first(op, txn->conn, &statements, RULE_DELETE, ARGS(V_TEXT(product)), &rows));
    ENSURE(op, rows, KW_E_NOT_FOUND, "there is no attestation policy of '%s'", product);
    return KW_OK;
}

static kw_status row_read(struct kw_op *op, const struct store_rows *rows, struct store_rule *ret)
{
    *ret = (struct store_rule){
        .patience = {.failed = (uint32_t)store_row_int(rows, 1),
                     .rounds = (uint32_t)store_row_int(rows, 2),
                     .trusted_hours = (uint32_t)store_row_int(rows, 3),
                     .fresh_minutes = (uint32_t)store_row_int(rows, 4)},
        .changed_ms = store_row_int(rows, 5),
    };
    return store_row_text(op, rows, 0, ret->product, sizeof(ret->product));
}

kw_status store_rule_list(struct kw_op *op, struct store *store, const char *after, unsigned max,
                          struct store_rule *ret, unsigned *ret_n)
{
    AUTO(store_reader) *reader = NULL;
    AUTO(store_rows) *rows = NULL;
    bool row = false;

    TRY(op, store_reader_take(op, store, &reader));
    TRY(op, store_query(op, reader->conn, &statements, RULE_LIST,
                        ARGS(after ? V_TEXT(after) : V_NULL, V_INT(max)), &rows));
    for (*ret_n = 0; *ret_n < max; (*ret_n)++) {
        TRY(op, store_next(op, rows, &row), "listing attestation policies");
        if (!row) {
            break;
        }
        TRY(op, row_read(op, rows, &ret[*ret_n]));
    }
    return KW_OK;
}

static kw_status rule_of(struct kw_op *op, struct store_conn *conn, const char *device,
                         struct attest_patience *ret)
{
    char owner[NAMES_TEXT_MAX] = "";
    struct store_rule rule = {.patience = ATTEST_PATIENCE_DEFAULT};
    AUTO(store_rows) *rows = NULL;

    TRY(op, names_device_owner(op, device, owner));
    TRY(op, store_first(op, conn, &statements, RULE_OF, ARGS(V_TEXT(owner)), &rows));
    if (rows) {
        TRY(op, row_read(op, rows, &rule));
    }
    *ret = rule.patience;
    return KW_OK;
}

kw_status store_rule_of(struct kw_op *op, struct store *store, const char *device,
                        struct attest_patience *ret)
{
    AUTO(store_reader) *reader = NULL;

    TRY(op, store_reader_take(op, store, &reader));
    return rule_of(op, reader->conn, device, ret);
}

kw_status store_rule_of_txn(struct kw_op *op, struct store_txn *txn, const char *device,
                            struct attest_patience *ret)
{
    return rule_of(op, txn->conn, device, ret);
}
