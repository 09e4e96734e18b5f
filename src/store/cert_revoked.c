/* What goes into the CRLs. */
#include "store/store_internal.h"

enum { REVOKED_ALL, REVOKED_SHARD, SHARD_NEXT };

#define REVOKED_OF                                                                                 \
    "SELECT serial, revoked_s, reason, not_after, state FROM cert INDEXED BY cert_revoked"         \
    " WHERE state IN (3, 4) AND ca = (SELECT id FROM name WHERE text = ?1) AND not_after >= ?2"

static const char *const sql[] = {
    /* A held certificate is on the CRL as well (RFC 5280 section 5.3.1, certificateHold). */
    [REVOKED_ALL] = REVOKED_OF,
    [REVOKED_SHARD] = REVOKED_OF " AND shard = ?3",
    [SHARD_NEXT] =
        ("SELECT min(shard) FROM cert INDEXED BY cert_shard"
         " WHERE ca = (SELECT id FROM name WHERE text = ?1) AND shard > 0 AND shard > ?2"),
};
static const struct store_statements statements = {STORE_NOUN_CERT_REVOKED, KW_COUNT(sql), sql};

static struct store_revoked read_one(const struct store_rows *rows)
{
    bool held = store_row_int(rows, 4) == CERT_STATE_HELD;

    return (struct store_revoked){
        .serial = store_row_bytes(rows, 0),
        .revoked_s = store_row_int(rows, 1),
        .reason = held ? REVOKE_CERTIFICATE_HOLD : (int)store_row_int(rows, 2),
        .not_after = store_row_int(rows, 3),
    };
}

kw_status store_cert_revoked_each(struct kw_op *op, struct store *store, const char *ca, int shard,
                                  int64_t not_after_from, store_revoked_fn each, void *ctx)
{
    const struct store_value args[] = {V_TEXT(ca), V_INT(not_after_from), V_INT(shard)};
    bool all = shard == STORE_SHARD_ANY;
    AUTO(store_reader) *reader = NULL;
    AUTO(store_rows) *rows = NULL;
    bool row = false;

    TRY(op, store_reader_take(op, store, &reader));
    TRY(op, store_query(op, reader->conn, &statements, all ? REVOKED_ALL : REVOKED_SHARD, args,
                        KW_COUNT(args) - all, &rows));
    for (;;) {
        TRY(op, store_next(op, rows, &row), "reading revoked certificates of '%s'", ca);
        if (!row) {
            return KW_OK;
        }
        const struct store_revoked one = read_one(rows);
        TRY(op, each(op, ctx, &one));
    }
}

kw_status store_cert_shards(struct kw_op *op, struct store *store, const char *ca, unsigned max,
                            uint32_t *ret, unsigned *ret_n)
{
    AUTO(store_reader) *reader = NULL;
    int64_t after = 0;
    unsigned n = 0;

    TRY(op, store_reader_take(op, store, &reader));
    for (; n < max; n++) {
        AUTO(store_rows) *rows = NULL;
        TRY(op, store_first(op, reader->conn, &statements, SHARD_NEXT,
                            ARGS(V_TEXT(ca), V_INT(after)), &rows));
        after = rows ? store_row_int(rows, 0) : 0; /* min() of nothing is NULL: 0 */
        if (after == 0) {
            break;
        }
        ret[n] = (uint32_t)after;
    }
    *ret_n = n;
    return KW_OK;
}
