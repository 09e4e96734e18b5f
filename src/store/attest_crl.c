/* What makers of TPMs took back. */
#include "store/attest.h"
#include "store/store_internal.h"

enum { CRL_GET, CRL_PUT, CRL_CLEAR, CRL_LIST, REVOKED_PUT, REVOKED_HAS, REVOKED_DEVICE };

static const char *const sql[] = {
    [CRL_GET] = "SELECT this_update FROM attest_crl WHERE issuer = ?1",
    [CRL_PUT] = "INSERT OR REPLACE INTO attest_crl (issuer, name, this_update, next_update, n,"
                " added_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    [CRL_CLEAR] = "DELETE FROM attest_revoked WHERE issuer = ?1",
    [CRL_LIST] = "SELECT issuer, name, this_update, next_update, n, added_ms FROM attest_crl"
                 " WHERE issuer > ?1 ORDER BY issuer LIMIT ?2",
    [REVOKED_PUT] = "INSERT OR IGNORE INTO attest_revoked (issuer, serial) VALUES (?1, ?2)",
    [REVOKED_HAS] = "SELECT 1 FROM attest_revoked WHERE issuer = ?1 AND serial = ?2",
    [REVOKED_DEVICE] = "SELECT d.id FROM attest a JOIN attest_revoked r ON r.issuer = a.ek_issuer"
                       " AND r.serial = a.ek_serial JOIN device d ON d.owner = a.owner"
                       " WHERE a.ek_issuer = ?1 AND d.id > ?2 ORDER BY d.id LIMIT 1",
};
static const struct store_statements statements = {STORE_NOUN_ATTEST_CRL, KW_COUNT(sql), sql};

kw_status store_ek_crl_put(struct kw_op *op, struct store_txn *txn, const struct store_ek_crl *crl)
{
    struct kw_span issuer = KW_SPAN_ARRAY(crl->issuer);
    AUTO(store_rows) *rows = NULL;

    TRY(op, store_first(op, txn->conn, &statements, CRL_GET, ARGS(V_BLOB(issuer)), &rows));
    ENSURE(op, !rows || store_row_int(rows, 0) < crl->this_update, KW_E_CONFLICT,
           "the CRL of '%s' that was added before is as new", crl->name);
    if (rows) {
        store_rows_finish(TAKE(rows));
    }
    TRY(op, store_run(op, txn->conn, &statements, CRL_CLEAR, ARGS(V_BLOB(issuer))));
    return store_run(op, txn->conn, &statements, CRL_PUT,
                     ARGS(V_BLOB(issuer), V_TEXT(crl->name), V_INT(crl->this_update),
                          V_INT(crl->next_update), V_INT(crl->n), V_INT(crl->added_ms)));
}

kw_status store_ek_revoked_put(struct kw_op *op, struct store_txn *txn,
                               const uint8_t issuer[KW_HASH_BYTES], struct kw_span serial)
{
    return store_run(op, txn->conn, &statements, REVOKED_PUT,
                     ARGS(V_BLOB(KW_SPAN(issuer, KW_HASH_BYTES)), V_BLOB(serial)));
}

kw_status store_ek_crl_list(struct kw_op *op, struct store *store, const uint8_t *after,
                            unsigned max, struct store_ek_crl *ret, unsigned *ret_n)
{
    struct kw_span from = after ? KW_SPAN(after, KW_HASH_BYTES) : KW_SPAN("", 0);
    AUTO(store_reader) *reader = NULL;
    AUTO(store_rows) *rows = NULL;
    bool row = false;

    TRY(op, store_reader_take(op, store, &reader));
    TRY(op, store_query(op, reader->conn, &statements, CRL_LIST, ARGS(V_BLOB(from), V_INT(max)),
                        &rows));
    for (*ret_n = 0; *ret_n < max; (*ret_n)++) {
        TRY(op, store_next(op, rows, &row), "listing CRLs of EK CAs");
        if (!row) {
            break;
        }
        struct store_ek_crl *at = &ret[*ret_n];
        *at = (struct store_ek_crl){.this_update = store_row_int(rows, 2),
                                    .next_update = store_row_int(rows, 3),
                                    .n = (unsigned)store_row_int(rows, 4),
                                    .added_ms = store_row_int(rows, 5)};
        TRY(op, store_row_fixed(op, rows, 0, at->issuer, sizeof(at->issuer)));
        TRY(op, store_row_text(op, rows, 1, at->name, sizeof(at->name)));
    }
    return KW_OK;
}

kw_status store_ek_is_revoked(struct kw_op *op, struct store *store,
                              const uint8_t issuer[KW_HASH_BYTES], struct kw_span serial, bool *ret)
{
    AUTO(store_reader) *reader = NULL;
    AUTO(store_rows) *rows = NULL;

    TRY(op, store_reader_take(op, store, &reader));
    TRY(op, store_first(op, reader->conn, &statements, REVOKED_HAS,
                        ARGS(V_BLOB(KW_SPAN(issuer, KW_HASH_BYTES)), V_BLOB(serial)), &rows));
    *ret = rows != NULL;
    return KW_OK;
}

kw_status store_ek_revoked_device(struct kw_op *op, struct store_txn *txn,
                                  const uint8_t issuer[KW_HASH_BYTES], const char *after,
                                  char ret[KW_NAME_MAX])
{
    AUTO(store_rows) *rows = NULL;

    *ret = 0;
    TRY(op, store_first(op, txn->conn, &statements, REVOKED_DEVICE,
                        ARGS(V_BLOB(KW_SPAN(issuer, KW_HASH_BYTES)), V_TEXT(after)), &rows));
    return rows ? store_row_text(op, rows, 0, ret, KW_NAME_MAX) : KW_OK;
}
