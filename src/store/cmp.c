#include "store/cmp.h"

#include "store/store_internal.h"

enum { CMP_BEGIN, CMP_ANSWERED, CMP_END, CMP_GET, CMP_DUE, CMP_COUNT, CMP_OTHERS };

/* The order of columns that row_read() takes. */
#define CMP_COLUMNS                                                                                \
    "SELECT id, owner, protector, state, type, request_id, implicit, message, asked, profile,"     \
    " nonce, cert, deadline_ms, request, answer FROM cmp_transaction "

static const char *const sql[] = {
    [CMP_BEGIN] = "INSERT INTO cmp_transaction (id, owner, protector, state, type, request_id,"
                  " implicit, message, asked, profile, nonce, cert, deadline_ms, request)"
                  " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 0, ?12, ?13)",
    [CMP_ANSWERED] = "UPDATE cmp_transaction SET state = ?2, message = ?3, nonce = ?4, cert = ?5,"
                     " deadline_ms = ?6, answer = ?7 WHERE id = ?1",
    [CMP_END] = "DELETE FROM cmp_transaction WHERE id = ?1",
    [CMP_GET] = CMP_COLUMNS "WHERE id = ?1",
    [CMP_DUE] = CMP_COLUMNS "WHERE deadline_ms <= ?1 ORDER BY deadline_ms LIMIT ?2",
    [CMP_COUNT] = "SELECT (SELECT count(*) FROM cmp_transaction WHERE owner = ?1),"
                  " (SELECT count(*) FROM cmp_transaction)",
    [CMP_OTHERS] = "SELECT count(*) FROM cmp_transaction WHERE owner = ?1 AND id <> ?2"
                   " AND asked = ?3",
};
static const struct store_statements statements = {STORE_NOUN_CMP, KW_COUNT(sql), sql};
_Static_assert(KW_COUNT(sql) <= STORE_STATEMENTS_MAX, "room in every connection");

kw_status store_cmp_begin(struct kw_op *op, struct store_txn *txn, const struct store_cmp *it,
                          struct kw_span request)
{
    TRY(op,
        store_run(op, txn->conn, &statements, CMP_BEGIN,
                  ARGS(V_BLOB(KW_SPAN(it->id, it->id_len)), V_TEXT(it->owner),
                       V_BLOB(KW_SPAN_ARRAY(it->protector)), V_INT(it->state), V_INT(it->type),
                       V_INT(it->request_id), V_INT(it->implicit ? 1 : 0),
                       V_BLOB(KW_SPAN_ARRAY(it->message)), V_BLOB(KW_SPAN_ARRAY(it->asked)),
                       V_TEXT(it->profile), V_BLOB(KW_SPAN_ARRAY(it->nonce)),
                       V_INT(it->deadline_ms), V_BLOB(request))),
        "beginning a transaction");
    return KW_OK;
}

kw_status store_cmp_answered(struct kw_op *op, struct store_txn *txn, const struct store_cmp *it,
                             struct kw_span answer)
{
    TRY(op,
        store_run(op, txn->conn, &statements, CMP_ANSWERED,
                  ARGS(V_BLOB(KW_SPAN(it->id, it->id_len)), V_INT(it->state),
                       V_BLOB(KW_SPAN_ARRAY(it->message)), V_BLOB(KW_SPAN_ARRAY(it->nonce)),
                       V_INT(it->cert), V_INT(it->deadline_ms), V_BLOB(answer))),
        "recording an answer");
    ENSURE(op, txn->conn->driver->changed(txn->conn) == 1, KW_E_NOT_FOUND,
           "this transaction has ended");
    return KW_OK;
}

kw_status store_cmp_end(struct kw_op *op, struct store_txn *txn, struct kw_span id)
{
    TRY(op, store_run(op, txn->conn, &statements, CMP_END, ARGS(V_BLOB(id))),
        "ending a transaction");
    return KW_OK;
}

static kw_status row_read(struct kw_op *op, const struct store_rows *rows, struct store_cmp *ret)
{
    struct store_cmp it = {
        .state = (enum store_cmp_state)store_row_int(rows, 3),
        .type = (int)store_row_int(rows, 4),
        .request_id = store_row_int(rows, 5),
        .implicit = store_row_int(rows, 6) != 0,
        .cert = store_row_int(rows, 11),
        .deadline_ms = store_row_int(rows, 12),
    };

    TRY(op, store_row_upto(op, rows, 0, it.id, sizeof(it.id), &it.id_len));
    TRY(op, store_row_text(op, rows, 1, it.owner, sizeof(it.owner)));
    TRY(op, store_row_fixed(op, rows, 2, it.protector, sizeof(it.protector)));
    TRY(op, store_row_fixed(op, rows, 7, it.message, sizeof(it.message)));
    TRY(op, store_row_fixed(op, rows, 8, it.asked, sizeof(it.asked)));
    TRY(op, store_row_text(op, rows, 9, it.profile, sizeof(it.profile)));
    TRY(op, store_row_fixed(op, rows, 10, it.nonce, sizeof(it.nonce)));
    *ret = it;
    return KW_OK;
}

static kw_status copy_blob(struct kw_op *op, const struct store_rows *rows, unsigned column,
                           struct kw_bytes **ret)
{
    struct kw_span octets = store_row_bytes(rows, column);

    if (!ret || octets.len == 0) {
        return KW_OK;
    }
    TRY(op, kw_bytes_copy(octets, ret), "reading a transaction");
    return KW_OK;
}

kw_status store_cmp_get(struct kw_op *op, struct store *store, struct kw_span id,
                        struct store_cmp *ret, struct kw_bytes **ret_request,
                        struct kw_bytes **ret_answer)
{
    AUTO(store_reader) *reader = NULL;
    AUTO(store_rows) *rows = NULL;

    TRY(op, store_reader_take(op, store, &reader));
    TRY(op, store_first(op, reader->conn, &statements, CMP_GET, ARGS(V_BLOB(id)), &rows),
        "reading a transaction");
    ENSURE(op, rows, KW_E_NOT_FOUND, "there is no such transaction");
    TRY(op, row_read(op, rows, ret));
    TRY(op, copy_blob(op, rows, 13, ret_request));
    return copy_blob(op, rows, 14, ret_answer);
}

kw_status store_cmp_due(struct kw_op *op, struct store *store, int64_t now_ms, unsigned max,
                        struct store_cmp *ret, unsigned *ret_n)
{
    AUTO(store_reader) *reader = NULL;
    AUTO(store_rows) *rows = NULL;
    bool row = false;
    unsigned n = 0;

    TRY(op, store_reader_take(op, store, &reader));
    TRY(op, store_query(op, reader->conn, &statements, CMP_DUE, ARGS(V_INT(now_ms), V_INT(max)),
                        &rows));
    for (; n < max; n++) {
        TRY(op, store_next(op, rows, &row), "transactions that are due");
        if (!row) {
            break;
        }
        TRY(op, row_read(op, rows, &ret[n]));
    }
    *ret_n = n;
    return KW_OK;
}

kw_status store_cmp_count(struct kw_op *op, struct store *store, const char *owner,
                          uint64_t *ret_of_owner, uint64_t *ret_all)
{
    AUTO(store_reader) *reader = NULL;
    AUTO(store_rows) *rows = NULL;

    TRY(op, store_reader_take(op, store, &reader));
    TRY(op, store_first(op, reader->conn, &statements, CMP_COUNT, ARGS(V_TEXT(owner)), &rows),
        "counting transactions");
    ENSURE(op, rows, KW_E_INTERNAL, "counting gave no row");
    *ret_of_owner = (uint64_t)store_row_int(rows, 0);
    *ret_all = (uint64_t)store_row_int(rows, 1);
    return KW_OK;
}

kw_status store_cmp_others(struct kw_op *op, struct store *store, const struct store_cmp *it,
                           uint64_t *ret_n)
{
    AUTO(store_reader) *reader = NULL;
    AUTO(store_rows) *rows = NULL;

    TRY(op, store_reader_take(op, store, &reader));
    TRY(op,
        store_first(op, reader->conn, &statements, CMP_OTHERS,
                    ARGS(V_TEXT(it->owner), V_BLOB(KW_SPAN(it->id, it->id_len)),
                         V_BLOB(KW_SPAN_ARRAY(it->asked))),
                    &rows),
        "other transactions of a request");
    ENSURE(op, rows, KW_E_INTERNAL, "counting gave no row");
    *ret_n = (uint64_t)store_row_int(rows, 0);
    return KW_OK;
}
