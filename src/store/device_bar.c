/* Whether a device may enrol anew. The mark outlives the certificate for which it was set. */
#include "store/revoke_plan.h"
#include "store/store_internal.h"

enum { BAR, UNBAR, UNHOLD, OF_PLAN };

#define WHOSE " WHERE owner = (SELECT id FROM owner WHERE text = ?1)"

static const char *const sql[] = {
    /* A hold gives way to what is for ever; the first of those stays. */
    [BAR] = "UPDATE device SET barred_ms = ?2, barred_reason = ?3" WHOSE
            " AND (barred_ms = 0 OR barred_reason = 6)",
    [UNBAR] = "UPDATE device SET barred_ms = 0, barred_reason = 0" WHOSE,
    [UNHOLD] = "UPDATE device SET barred_ms = 0, barred_reason = 0" WHOSE
               " AND barred_reason = 6 AND NOT EXISTS (SELECT 1 FROM cert c JOIN cert_body b"
               " ON b.row = c.row WHERE c.owner = device.owner AND c.state = 3"
               " AND length(b.der) > 0)",
    /* Superseded ones and a CA's own compromise bar nobody; a compromised key always counts. */
    [OF_PLAN] = "SELECT o.text, d.state, d.barred_ms, d.barred_reason,"
                " EXISTS (SELECT 1 FROM cert e INDEXED BY cert_owner JOIN revoke_item i"
                " ON i.plan = ?1 AND i.row = e.row WHERE e.owner = c.owner AND e.row < c.row),"
                " EXISTS (SELECT 1 FROM cert e INDEXED BY cert_owner JOIN revoke_item i"
                " ON i.plan = ?1 AND i.row = e.row WHERE e.owner = c.owner AND e.state = 4),"
                " EXISTS (SELECT 1 FROM cert e INDEXED BY cert_owner WHERE e.owner = c.owner"
                " AND e.state = 4 AND (e.reason IN (1, 10) OR (e.reason NOT IN (2, 4)"
                " AND e.revoked_s >= d.barred_ms / 1000)) AND NOT EXISTS (SELECT 1 FROM"
                " revoke_item i WHERE i.plan = ?1 AND i.row = e.row))"
                " FROM cert c JOIN owner o ON o.id = c.owner JOIN device d ON d.owner = c.owner"
                " WHERE c.row = ?2",
};
static const struct store_statements statements = {STORE_NOUN_DEVICE_BAR, KW_COUNT(sql), sql};

_Static_assert(REVOKE_CERTIFICATE_HOLD == 6 && CERT_STATE_HELD == 3, "written out above");
_Static_assert(REVOKE_KEY_COMPROMISE == 1 && REVOKE_CA_COMPROMISE == 2 && REVOKE_SUPERSEDED == 4 &&
                   REVOKE_AA_COMPROMISE == 10 && CERT_STATE_REVOKED == 4,
               "written out above");

kw_status store_device_bar(struct kw_op *op, struct store_txn *txn, const char *owner, int reason,
                           int64_t at_ms)
{
    return store_run(op, txn->conn, &statements, BAR,
                     ARGS(V_TEXT(owner), V_INT(at_ms), V_INT(reason)));
}

kw_status store_device_unbar(struct kw_op *op, struct store_txn *txn, const char *owner)
{
    return store_run(op, txn->conn, &statements, UNBAR, ARGS(V_TEXT(owner)));
}

kw_status store_device_unbar_held(struct kw_op *op, struct store_txn *txn, const char *owner)
{
    return store_run(op, txn->conn, &statements, UNHOLD, ARGS(V_TEXT(owner)));
}

kw_status store_plan_bar_txn(struct kw_op *op, struct store_txn *txn, int64_t plan, int64_t row,
                             struct store_plan_bar *ret)
{
    AUTO(store_rows) *rows = NULL;

    *ret = (struct store_plan_bar){.owner = ""};
    TRY(op, store_first(op, txn->conn, &statements, OF_PLAN, ARGS(V_INT(plan), V_INT(row)), &rows));
    if (!rows) {
        return KW_OK;
    }
    ret->state = (enum device_state)store_row_int(rows, 1);
    ret->since_ms = store_row_int(rows, 2);
    ret->reason = (int)store_row_int(rows, 3);
    ret->seen = store_row_int(rows, 4) != 0;
    ret->by_it = store_row_int(rows, 5) != 0;
    ret->others = store_row_int(rows, 6) != 0;
    return store_row_text(op, rows, 0, ret->owner, sizeof(ret->owner));
}
