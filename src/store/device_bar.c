/* Whether a device may enrol anew. The mark outlives the certificate for which it was set. */
#include "store/store_internal.h"

enum { BAR, UNBAR, UNHOLD };

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
};
static const struct store_statements statements = {STORE_NOUN_DEVICE_BAR, KW_COUNT(sql), sql};

_Static_assert(REVOKE_CERTIFICATE_HOLD == 6 && CERT_STATE_HELD == 3, "written out above");

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
