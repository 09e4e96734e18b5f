/* Requests for certificates that wait for an officer. */
#include "store/registration.h"
#include "store/store_internal.h"

enum {
    REQUEST_INSERT,
    REQUEST_UPDATE,
    REQUEST_GET,
    REQUEST_FIND,
    REQUEST_WAITING,
    REQUEST_LIST,
    REQUEST_LIST_DUE
};

/* The order of columns that row_read() takes. */
#define REQUEST_COLUMNS                                                                            \
    "SELECT r.id, o.text, p.text, r.sha256, r.key, r.subject, r.via, r.csr, r.state, r.opened_ms," \
    " r.lapses_ms, r.decided_ms, r.decided_by, r.reason FROM ra_request r"                         \
    " JOIN owner o ON o.id = r.owner JOIN name p ON p.id = r.profile "
#define OWNER_ID "(SELECT id FROM owner WHERE text = ?1)"

static const char *const sql[] = {
    [REQUEST_INSERT] = "INSERT INTO ra_request (owner, profile, sha256, key, subject, via, csr,"
                       " state, opened_ms, lapses_ms, decided_ms, decided_by, reason) VALUES"
                       " (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 0, '', '') RETURNING id",
    [REQUEST_UPDATE] = "UPDATE ra_request SET state = ?2, lapses_ms = ?3, decided_ms = ?4,"
                       " decided_by = ?5, reason = ?6,"
                       " csr = CASE WHEN ?2 IN (1, 2) THEN csr END WHERE id = ?1",
    [REQUEST_GET] = REQUEST_COLUMNS "WHERE r.id = ?1",
    [REQUEST_FIND] = REQUEST_COLUMNS "WHERE r.owner = " OWNER_ID " AND r.sha256 = ?2"
                                     " ORDER BY r.id DESC LIMIT 1",
    [REQUEST_WAITING] = "SELECT count(*) FROM (SELECT 1 FROM ra_request WHERE state = 1"
                        " AND (?1 IS NULL OR owner = " OWNER_ID ") LIMIT ?2)",
    [REQUEST_LIST] = REQUEST_COLUMNS "WHERE r.id > ?2 AND (?1 IS NULL OR r.owner = " OWNER_ID ")"
                                     " AND (?3 = 0 OR r.state = ?3) ORDER BY r.id LIMIT ?4",
    [REQUEST_LIST_DUE] = REQUEST_COLUMNS "WHERE r.state IN (1, 2) AND r.lapses_ms < ?1"
                                         " ORDER BY r.lapses_ms LIMIT ?2",
};
static const struct store_statements statements = {STORE_NOUN_RA_REQUEST, KW_COUNT(sql), sql};
_Static_assert(KW_COUNT(sql) <= STORE_STATEMENTS_MAX, "room in every connection");

kw_status store_ra_request_insert(struct kw_op *op, struct store_txn *txn,
                                  struct store_ra_request *request)
{
    struct kw_span csr = KW_SPAN(request->csr, request->csr_len);
    int64_t owner = 0, profile = 0;
    AUTO(store_rows) *rows = NULL;

    TRY(op, names_id(op, txn, NAMES_OWNER, request->owner, &owner));
    TRY(op, names_id(op, txn, NAMES_NAME, request->profile, &profile));
    TRY(op,
        store_first(op, txn->conn, &statements, REQUEST_INSERT,
                    ARGS(V_INT(owner), V_INT(profile), V_BLOB(KW_SPAN_ARRAY(request->sha256)),
                         V_BLOB(KW_SPAN_ARRAY(request->key)), V_TEXT(request->subject),
                         V_TEXT(request->via), csr.len ? V_BLOB(csr) : V_NULL,
                         V_INT(request->state), V_INT(request->opened_ms),
                         V_INT(request->lapses_ms)),
                    &rows),
        "recording a request");
    ENSURE(op, rows, KW_E_INTERNAL, "a request got no number");
    request->id = store_row_int(rows, 0);
    return KW_OK;
}

kw_status store_ra_request_update(struct kw_op *op, struct store_txn *txn,
                                  const struct store_ra_request *request)
{
    TRY(op,
        store_run(op, txn->conn, &statements, REQUEST_UPDATE,
                  ARGS(V_INT(request->id), V_INT(request->state), V_INT(request->lapses_ms),
                       V_INT(request->decided_ms), V_TEXT(request->decided_by),
                       V_TEXT(request->reason))),
        "recording what became of request %lld", (long long)request->id);
    ENSURE(op, txn->conn->driver->changed(txn->conn) == 1, KW_E_NOT_FOUND, "no request %lld",
           (long long)request->id);
    return KW_OK;
}

static kw_status read_texts(struct kw_op *op, const struct store_rows *rows,
                            struct store_ra_request *ret)
{
    TRY(op, store_row_text(op, rows, 1, ret->owner, sizeof(ret->owner)));
    TRY(op, store_row_text(op, rows, 2, ret->profile, sizeof(ret->profile)));
    TRY(op, store_row_text(op, rows, 5, ret->subject, sizeof(ret->subject)));
    TRY(op, store_row_text(op, rows, 6, ret->via, sizeof(ret->via)));
    TRY(op, store_row_text(op, rows, 12, ret->decided_by, sizeof(ret->decided_by)));
    return store_row_text(op, rows, 13, ret->reason, sizeof(ret->reason));
}

static kw_status row_read(struct kw_op *op, const struct store_rows *rows,
                          struct store_ra_request *ret)
{
    TRY(op, read_texts(op, rows, ret));
    TRY(op, store_row_fixed(op, rows, 3, ret->sha256, sizeof(ret->sha256)));
    TRY(op, store_row_fixed(op, rows, 4, ret->key, sizeof(ret->key)));
    TRY(op, store_row_upto(op, rows, 7, ret->csr, sizeof(ret->csr), &ret->csr_len));
    ret->id = store_row_int(rows, 0);
    ret->state = (enum ra_state)store_row_int(rows, 8);
    ret->opened_ms = store_row_int(rows, 9);
    ret->lapses_ms = store_row_int(rows, 10);
    ret->decided_ms = store_row_int(rows, 11);
    return KW_OK;
}

static kw_status get(struct kw_op *op, struct store_conn *conn, int64_t id,
                     struct store_ra_request *ret)
{
    AUTO(store_rows) *rows = NULL;

    TRY(op, store_first(op, conn, &statements, REQUEST_GET, ARGS(V_INT(id)), &rows),
        "reading request %lld", (long long)id);
    ENSURE(op, rows, KW_E_NOT_FOUND, "no request %lld", (long long)id);
    return row_read(op, rows, ret);
}

kw_status store_ra_request_get(struct kw_op *op, struct store *store, int64_t id,
                               struct store_ra_request *ret)
{
    AUTO(store_reader) *reader = NULL;

    TRY(op, store_reader_take(op, store, &reader));
    return get(op, reader->conn, id, ret);
}

kw_status store_ra_request_get_txn(struct kw_op *op, struct store_txn *txn, int64_t id,
                                   struct store_ra_request *ret)
{
    return get(op, txn->conn, id, ret);
}

static kw_status find(struct kw_op *op, struct store_conn *conn, const char *owner,
                      const uint8_t sha256[KW_HASH_BYTES], struct store_ra_request *ret)
{
    AUTO(store_rows) *rows = NULL;

    TRY(op,
        store_first(op, conn, &statements, REQUEST_FIND,
                    ARGS(V_TEXT(owner), V_BLOB(KW_SPAN(sha256, KW_HASH_BYTES))), &rows),
        "looking for a request");
    ENSURE(op, rows, KW_E_NOT_FOUND, "no such request of %s", owner);
    return row_read(op, rows, ret);
}

kw_status store_ra_request_find(struct kw_op *op, struct store *store, const char *owner,
                                const uint8_t sha256[KW_HASH_BYTES], struct store_ra_request *ret)
{
    AUTO(store_reader) *reader = NULL;

    TRY(op, store_reader_take(op, store, &reader));
    return find(op, reader->conn, owner, sha256, ret);
}

kw_status store_ra_request_find_txn(struct kw_op *op, struct store_txn *txn, const char *owner,
                                    const uint8_t sha256[KW_HASH_BYTES],
                                    struct store_ra_request *ret)
{
    return find(op, txn->conn, owner, sha256, ret);
}

kw_status store_ra_request_waiting_txn(struct kw_op *op, struct store_txn *txn, const char *owner,
                                       unsigned max, unsigned *ret)
{
    AUTO(store_rows) *rows = NULL;

    TRY(op,
        store_first(op, txn->conn, &statements, REQUEST_WAITING,
                    ARGS(owner ? V_TEXT(owner) : V_NULL, V_INT(max)), &rows),
        "counting requests");
    ENSURE(op, rows, KW_E_INTERNAL, "counting gave no row");
    *ret = (unsigned)store_row_int(rows, 0);
    return KW_OK;
}

static kw_status query_list(struct kw_op *op, struct store_conn *conn,
                            const struct store_ra_filter *filter, unsigned max,
                            struct store_rows **ret)
{
    if (filter->due_ms) {
        return store_query(op, conn, &statements, REQUEST_LIST_DUE,
                           ARGS(V_INT(filter->due_ms), V_INT(max)), ret);
    }
    return store_query(op, conn, &statements, REQUEST_LIST,
                       ARGS(filter->owner ? V_TEXT(filter->owner) : V_NULL, V_INT(filter->after),
                            V_INT(filter->state), V_INT(max)),
                       ret);
}

kw_status store_ra_request_list(struct kw_op *op, struct store *store,
                                const struct store_ra_filter *filter, unsigned max,
                                struct store_ra_request *ret, unsigned *ret_n)
{
    AUTO(store_reader) *reader = NULL;
    AUTO(store_rows) *rows = NULL;
    bool row = false;
    unsigned n = 0;

    TRY(op, store_reader_take(op, store, &reader));
    TRY(op, query_list(op, reader->conn, filter, max, &rows));
    for (; n < max; n++) {
        TRY(op, store_next(op, rows, &row), "listing requests");
        if (!row) {
            break;
        }
        TRY(op, row_read(op, rows, &ret[n]));
    }
    *ret_n = n;
    return KW_OK;
}
