/* Whose endorsement keys are believed. */
#include "store/attest.h"
#include "store/store_internal.h"

enum { ROOT_INSERT, ROOT_DELETE, ROOT_GET, ROOT_LIST };

#define ROOT_COLUMNS "SELECT id, kind, simulated, name, der, added_ms FROM attest_root "

static const char *const sql[] = {
    [ROOT_INSERT] = "INSERT INTO attest_root (id, kind, simulated, name, der, added_ms)"
                    " VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    [ROOT_DELETE] = "DELETE FROM attest_root WHERE id = ?1 RETURNING kind",
    [ROOT_GET] = ROOT_COLUMNS "WHERE id = ?1",
    [ROOT_LIST] = ROOT_COLUMNS "WHERE id > ?1 ORDER BY id LIMIT ?2",
};
static const struct store_statements statements = {STORE_NOUN_ATTEST_ROOT, KW_COUNT(sql), sql};

static kw_status row_read(struct kw_op *op, const struct store_rows *rows,
                          struct store_attest_root *ret)
{
    ret->kind = (enum store_root_kind)store_row_int(rows, 1);
    ret->simulated = store_row_int(rows, 2) != 0;
    ret->added_ms = store_row_int(rows, 5);
    TRY(op, store_row_fixed(op, rows, 0, ret->id, sizeof(ret->id)));
    TRY(op, store_row_text(op, rows, 3, ret->name, sizeof(ret->name)));
    return store_row_upto(op, rows, 4, ret->der, sizeof(ret->der), &ret->der_len);
}

kw_status store_attest_root_insert(struct kw_op *op, struct store_txn *txn,
                                   const struct store_attest_root *root)
{
    kw_status status = store_run(
        op, txn->conn, &statements, ROOT_INSERT,
        ARGS(V_BLOB(KW_SPAN_ARRAY(root->id)), V_INT(root->kind), V_INT(root->simulated),
             V_TEXT(root->name), V_BLOB(KW_SPAN(root->der, root->der_len)), V_INT(root->added_ms)));

    ENSURE(op, status.code != KW_E_CONFLICT, KW_E_CONFLICT, "'%s' is there already", root->name);
    TRY(op, status, "recording '%s'", root->name);
    return KW_OK;
}

kw_status store_attest_root_delete(struct kw_op *op, struct store_txn *txn,
                                   const uint8_t id[KW_HASH_BYTES])
{
    AUTO(store_rows) *rows = NULL;

    TRY(op, store_first(op, txn->conn, &statements, ROOT_DELETE,
                        ARGS(V_BLOB(KW_SPAN(id, KW_HASH_BYTES))), &rows));
    ENSURE(op, rows, KW_E_NOT_FOUND, "no such EK root or pinned EK");
    return KW_OK;
}

kw_status store_attest_root_get(struct kw_op *op, struct store *store,
                                const uint8_t id[KW_HASH_BYTES], struct store_attest_root *ret)
{
    AUTO(store_reader) *reader = NULL;
    AUTO(store_rows) *rows = NULL;

    TRY(op, store_reader_take(op, store, &reader));
    TRY(op, store_first(op, reader->conn, &statements, ROOT_GET,
                        ARGS(V_BLOB(KW_SPAN(id, KW_HASH_BYTES))), &rows));
    ENSURE(op, rows, KW_E_NOT_FOUND, "no such EK root or pinned EK");
    return row_read(op, rows, ret);
}

kw_status store_attest_root_list(struct kw_op *op, struct store *store, const uint8_t *after,
                                 unsigned max, struct store_attest_root *ret, unsigned *ret_n)
{
    struct kw_span from = after ? KW_SPAN(after, KW_HASH_BYTES) : KW_SPAN("", 0);
    AUTO(store_reader) *reader = NULL;
    AUTO(store_rows) *rows = NULL;
    bool row = false;
    unsigned n = 0;

    TRY(op, store_reader_take(op, store, &reader));
    TRY(op, store_query(op, reader->conn, &statements, ROOT_LIST, ARGS(V_BLOB(from), V_INT(max)),
                        &rows));
    for (; n < max; n++) {
        TRY(op, store_next(op, rows, &row), "listing EK roots");
        if (!row) {
            break;
        }
        TRY(op, row_read(op, rows, &ret[n]));
    }
    *ret_n = n;
    return KW_OK;
}
