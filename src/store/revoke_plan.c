#include "store/revoke_plan.h"

#include "store/store_internal.h"

enum {
    PLAN_INSERT,
    PLAN_ADD,
    PLAN_UPDATE,
    PLAN_GET,
    PLAN_NEXT,
    PLAN_ROWS,
    PLAN_HAS,
    PLAN_LAST_OF,
    PARTY_PUT,
    PARTY_LIST,
    RENEW_ASK,
    RENEW_COUNT,
};

#define PLAN_COLUMNS                                                                               \
    "SELECT id, state, reason, hold, replace_first, deadline_s, selection, summary, digest, n,"    \
    " created_ms, created_by, started_ms, started_by, ended_ms, overdue, last_row, done,"          \
    " passed_over, log_size, issued_since FROM revoke_plan"

static const char *const sql[] = {
    [PLAN_INSERT] = "INSERT INTO revoke_plan (state, reason, hold, replace_first, deadline_s,"
                    " selection, summary, digest, n, created_ms, created_by, started_ms,"
                    " started_by, ended_ms, overdue, last_row, done, passed_over, log_size)"
                    " VALUES (1, ?1, ?2, ?3, ?4, ?5, '', x'', 0, ?6, ?7, 0, '', 0, 0, 0, 0, 0, 0)"
                    " RETURNING id",
    [PLAN_ADD] = "INSERT INTO revoke_item (plan, row) VALUES (?1, ?2)",
    [PLAN_UPDATE] = "UPDATE revoke_plan SET state = ?2, started_ms = ?3, started_by = ?4,"
                    " ended_ms = ?5, overdue = ?6, last_row = ?7, done = ?8, passed_over = ?9,"
                    " log_size = ?10, issued_since = ?11 WHERE id = ?1",
    [PLAN_GET] = PLAN_COLUMNS " WHERE id = ?1",
    [PLAN_NEXT] = PLAN_COLUMNS " WHERE id > ?1 AND (1 << state) & ?2 ORDER BY id LIMIT 1",
    [PLAN_ROWS] = "SELECT row FROM revoke_item WHERE plan = ?1 AND row > ?2 ORDER BY row LIMIT ?3",
    [PLAN_HAS] = "SELECT 1 FROM revoke_item WHERE plan = ?1 AND row = ?2",
    [PLAN_LAST_OF] = "SELECT c.serial FROM revoke_item i JOIN cert c ON c.row = i.row"
                     " WHERE i.plan = ?1 AND c.state IN (3, 4)"
                     " AND c.ca = (SELECT id FROM name WHERE text = ?2)"
                     " ORDER BY i.row DESC LIMIT 1",
    [PARTY_PUT] = "INSERT INTO revoke_party (plan, party, at_ms) VALUES (?1, ?2, ?3)"
                  " ON CONFLICT DO NOTHING",
    [PARTY_LIST] = "SELECT party, at_ms FROM revoke_party WHERE plan = ?1 ORDER BY at_ms, party"
                   " LIMIT ?2",
    [RENEW_ASK] = "UPDATE device SET renew_plan = ?2"
                  " WHERE owner = (SELECT id FROM owner WHERE text = ?1)",
    [RENEW_COUNT] = "SELECT count(*) FROM device WHERE renew_plan = ?1",
};
static const struct store_statements statements = {STORE_NOUN_REVOKE_PLAN, KW_COUNT(sql), sql};
_Static_assert(KW_COUNT(sql) <= STORE_STATEMENTS_MAX, "room in every connection");

/* What makes the plan is written once, when it is whole. */
enum { PLAN_MAKE, CERT_BRIEF, OWNER_DEVICE, OWNER_ROWS, NAME_TEXT, SINCE, OPERATORS };
static const char *const more_sql[] = {
    [PLAN_MAKE] = "UPDATE revoke_plan SET state = ?2, summary = ?3, digest = ?4, n = ?5"
                  " WHERE id = ?1",
    [CERT_BRIEF] = "SELECT a.text, o.text, p.text, c.serial, b.pubkey, c.state, c.not_after,"
                   " c.revoked_s, length(b.der) > 0 FROM cert c JOIN cert_body b ON b.row = c.row"
                   " JOIN owner o ON o.id = c.owner JOIN name p ON p.id = c.profile"
                   " JOIN name a ON a.id = c.ca WHERE c.row = ?1",
    [OWNER_DEVICE] = "SELECT p.text, b.text FROM device d JOIN name p ON p.id = d.product"
                     " LEFT JOIN name b ON b.id = d.batch WHERE d.owner = ?1",
    [OWNER_ROWS] = "SELECT row FROM cert WHERE owner = ?1 AND state IN (1, 2) AND not_after > ?2"
                   " ORDER BY row DESC LIMIT ?3",
    [NAME_TEXT] = "SELECT text FROM name WHERE id = ?1",
    [OPERATORS] = "SELECT c.row FROM owner o JOIN cert c INDEXED BY cert_owner ON c.owner = o.id"
                  " WHERE o.text >= 'operator:' AND o.text < 'operator;' AND c.state = 1"
                  " AND c.not_after > ?1 LIMIT ?2",
    [SINCE] = "SELECT c.issued_ms, c.state, EXISTS (SELECT 1 FROM cert o INDEXED BY cert_owner"
              " JOIN revoke_item i ON i.plan = ?1 AND i.row = o.row WHERE o.owner = c.owner)"
              " FROM cert c ORDER BY c.row DESC LIMIT ?2",
};
static const struct store_statements more = {STORE_NOUN_REVOKE_MORE, KW_COUNT(more_sql), more_sql};

/* --- plans ------------------------------------------------------------------------------------ */

kw_status store_plan_insert(struct kw_op *op, struct store_txn *txn, struct store_plan *plan)
{
    AUTO(store_rows) *rows = NULL;

    TRY(op,
        store_first(op, txn->conn, &statements, PLAN_INSERT,
                    ARGS(V_INT(plan->reason), V_INT(plan->hold), V_INT(plan->replace_first),
                         V_INT(plan->deadline_s), V_TEXT(plan->selection), V_INT(plan->created_ms),
                         V_TEXT(plan->created_by)),
                    &rows),
        "recording a plan");
    ENSURE(op, rows, KW_E_INTERNAL, "a plan without a number");
    plan->id = store_row_int(rows, 0);
    plan->state = PLAN_GATHERING;
    return KW_OK;
}

kw_status store_plan_add(struct kw_op *op, struct store_txn *txn, int64_t plan,
                         const int64_t rows[], size_t n)
{
    for (size_t i = 0; i < n; i++) {
        TRY(op, store_run(op, txn->conn, &statements, PLAN_ADD, ARGS(V_INT(plan), V_INT(rows[i]))),
            "adding to plan %lld", (long long)plan);
    }
    return KW_OK;
}

static kw_status make(struct kw_op *op, struct store_txn *txn, const struct store_plan *plan)
{
    return store_run(op, txn->conn, &more, PLAN_MAKE,
                     ARGS(V_INT(plan->id), V_INT(plan->state), V_TEXT(plan->summary),
                          V_BLOB(KW_SPAN_ARRAY(plan->digest)), V_INT(plan->n)));
}

kw_status store_plan_update(struct kw_op *op, struct store_txn *txn, const struct store_plan *plan)
{
    struct store_plan before;

    TRY(op, store_plan_get_txn(op, txn, plan->id, &before));
    if (before.state == PLAN_GATHERING) {
        return make(op, txn, plan);
    }
    ENSURE(op, memcmp(before.digest, plan->digest, sizeof(before.digest)) == 0, KW_E_STATE,
           "a plan is not altered");
    return store_run(op, txn->conn, &statements, PLAN_UPDATE,
                     ARGS(V_INT(plan->id), V_INT(plan->state), V_INT(plan->started_ms),
                          V_TEXT(plan->started_by), V_INT(plan->ended_ms), V_INT(plan->overdue),
                          V_INT(plan->last_row), V_INT(plan->done), V_INT(plan->passed_over),
                          V_INT(plan->log_size), V_INT(plan->issued_since)));
}

static kw_status read_texts(struct kw_op *op, const struct store_rows *rows, struct store_plan *ret)
{
    TRY(op, store_row_text(op, rows, 6, ret->selection, sizeof(ret->selection)));
    TRY(op, store_row_text(op, rows, 7, ret->summary, sizeof(ret->summary)));
    TRY(op, store_row_fixed(op, rows, 8, ret->digest, sizeof(ret->digest)));
    TRY(op, store_row_text(op, rows, 11, ret->created_by, sizeof(ret->created_by)));
    return store_row_text(op, rows, 13, ret->started_by, sizeof(ret->started_by));
}

static kw_status read_plan(struct kw_op *op, const struct store_rows *rows, struct store_plan *ret)
{
    *ret = (struct store_plan){
        .id = store_row_int(rows, 0),
        .state = (enum plan_state)store_row_int(rows, 1),
        .reason = (int)store_row_int(rows, 2),
        .hold = store_row_int(rows, 3) != 0,
        .replace_first = store_row_int(rows, 4) != 0,
        .deadline_s = store_row_int(rows, 5),
        .n = (uint64_t)store_row_int(rows, 9),
        .created_ms = store_row_int(rows, 10),
        .started_ms = store_row_int(rows, 12),
        .ended_ms = store_row_int(rows, 14),
        .overdue = store_row_int(rows, 15) != 0,
        .last_row = store_row_int(rows, 16),
        .done = (uint64_t)store_row_int(rows, 17),
        .passed_over = (uint64_t)store_row_int(rows, 18),
        .log_size = (uint64_t)store_row_int(rows, 19),
        .issued_since = (uint64_t)store_row_int(rows, 20),
    };
    return read_texts(op, rows, ret);
}

static kw_status get(struct kw_op *op, struct store_conn *conn, int64_t id, struct store_plan *ret)
{
    AUTO(store_rows) *rows = NULL;

    TRY(op, store_first(op, conn, &statements, PLAN_GET, ARGS(V_INT(id)), &rows));
    ENSURE(op, rows, KW_E_NOT_FOUND, "no plan %lld", (long long)id);
    return read_plan(op, rows, ret);
}

kw_status store_plan_get(struct kw_op *op, struct store *store, int64_t id, struct store_plan *ret)
{
    AUTO(store_reader) *reader = NULL;

    TRY(op, store_reader_take(op, store, &reader));
    return get(op, reader->conn, id, ret);
}

kw_status store_plan_get_txn(struct kw_op *op, struct store_txn *txn, int64_t id,
                             struct store_plan *ret)
{
    return get(op, txn->conn, id, ret);
}

kw_status store_plan_next(struct kw_op *op, struct store *store, int64_t after, unsigned states,
                          struct store_plan *ret)
{
    AUTO(store_reader) *reader = NULL;
    AUTO(store_rows) *rows = NULL;

    TRY(op, store_reader_take(op, store, &reader));
    TRY(op, store_first(op, reader->conn, &statements, PLAN_NEXT, ARGS(V_INT(after), V_INT(states)),
                        &rows));
    ENSURE(op, rows, KW_E_NOT_FOUND, "no more plans");
    return read_plan(op, rows, ret);
}

static kw_status take_rows(struct kw_op *op, struct store_rows *rows, unsigned max, int64_t ret[],
                           unsigned *ret_n)
{
    bool row = true;

    for (*ret_n = 0; *ret_n < max; (*ret_n)++) {
        TRY(op, store_next(op, rows, &row));
        if (!row) {
            return KW_OK;
        }
        ret[*ret_n] = store_row_int(rows, 0);
    }
    return KW_OK;
}

kw_status store_plan_rows(struct kw_op *op, struct store *store, int64_t plan, int64_t after,
                          unsigned max, int64_t ret[], unsigned *ret_n)
{
    AUTO(store_reader) *reader = NULL;
    AUTO(store_rows) *rows = NULL;

    TRY(op, store_reader_take(op, store, &reader));
    TRY(op, store_query(op, reader->conn, &statements, PLAN_ROWS,
                        ARGS(V_INT(plan), V_INT(after), V_INT(max)), &rows));
    return take_rows(op, rows, max, ret, ret_n);
}

kw_status store_plan_has_txn(struct kw_op *op, struct store_txn *txn, int64_t plan, int64_t row,
                             bool *ret)
{
    AUTO(store_rows) *rows = NULL;

    TRY(op,
        store_first(op, txn->conn, &statements, PLAN_HAS, ARGS(V_INT(plan), V_INT(row)), &rows));
    *ret = rows != NULL;
    return KW_OK;
}

kw_status store_plan_last_of(struct kw_op *op, struct store *store, int64_t plan, const char *ca,
                             uint8_t serial[KW_SERIAL_MAX], uint32_t *ret_len)
{
    AUTO(store_reader) *reader = NULL;
    AUTO(store_rows) *rows = NULL;

    TRY(op, store_reader_take(op, store, &reader));
    TRY(op, store_first(op, reader->conn, &statements, PLAN_LAST_OF, ARGS(V_INT(plan), V_TEXT(ca)),
                        &rows));
    ENSURE(op, rows, KW_E_NOT_FOUND, "nothing of CA '%s'", ca);
    return store_row_upto(op, rows, 0, serial, KW_SERIAL_MAX, ret_len);
}

/* --- who enforces it -------------------------------------------------------------------------- */

kw_status store_plan_party(struct kw_op *op, struct store_txn *txn, int64_t plan, const char *party,
                           int64_t at_ms)
{
    return store_run(op, txn->conn, &statements, PARTY_PUT,
                     ARGS(V_INT(plan), V_TEXT(party), V_INT(at_ms)));
}

kw_status store_plan_parties(struct kw_op *op, struct store *store, int64_t plan, unsigned max,
                             struct store_party ret[], unsigned *ret_n)
{
    AUTO(store_reader) *reader = NULL;
    AUTO(store_rows) *rows = NULL;
    bool row = true;

    TRY(op, store_reader_take(op, store, &reader));
    TRY(op, store_query(op, reader->conn, &statements, PARTY_LIST, ARGS(V_INT(plan), V_INT(max)),
                        &rows));
    for (*ret_n = 0; *ret_n < max; (*ret_n)++) {
        TRY(op, store_next(op, rows, &row));
        if (!row) {
            return KW_OK;
        }
        TRY(op, store_row_text(op, rows, 0, ret[*ret_n].name, sizeof(ret[*ret_n].name)));
        ret[*ret_n].at_ms = store_row_int(rows, 1);
    }
    return KW_OK;
}

kw_status store_renew_ask(struct kw_op *op, struct store_txn *txn, const char *device, int64_t plan)
{
    char owner[NAMES_TEXT_MAX] = "";

    TRY(op, names_device_owner(op, device, owner));
    return store_run(op, txn->conn, &statements, RENEW_ASK,
                     ARGS(V_TEXT(owner), plan > 0 ? V_INT(plan) : V_NULL));
}

kw_status store_renew_count(struct kw_op *op, struct store *store, int64_t plan, uint64_t *ret)
{
    AUTO(store_reader) *reader = NULL;
    AUTO(store_rows) *rows = NULL;

    TRY(op, store_reader_take(op, store, &reader));
    TRY(op, store_first(op, reader->conn, &statements, RENEW_COUNT, ARGS(V_INT(plan)), &rows));
    *ret = rows ? (uint64_t)store_row_int(rows, 0) : 0;
    return KW_OK;
}

/* --- certificates, briefly -------------------------------------------------------------------- */

kw_status store_cert_brief(struct kw_op *op, struct store_conn *conn, int64_t row,
                           struct store_cert_brief *ret)
{
    AUTO(store_rows) *rows = NULL;

    TRY(op, store_first(op, conn, &more, CERT_BRIEF, ARGS(V_INT(row)), &rows));
    ENSURE(op, rows, KW_E_NOT_FOUND, "no certificate %lld", (long long)row);
    *ret = (struct store_cert_brief){.row = row,
                                     .state = (enum cert_state)store_row_int(rows, 5),
                                     .not_after = store_row_int(rows, 6),
                                     .revoked_s = store_row_int(rows, 7),
                                     .whole = store_row_int(rows, 8) != 0};
    TRY(op, store_row_text(op, rows, 0, ret->ca, sizeof(ret->ca)));
    TRY(op, store_row_text(op, rows, 1, ret->owner, sizeof(ret->owner)));
    TRY(op, store_row_text(op, rows, 2, ret->profile, sizeof(ret->profile)));
    TRY(op, store_row_upto(op, rows, 3, ret->serial, sizeof(ret->serial), &ret->serial_len));
    return store_row_fixed(op, rows, 4, ret->pubkey, sizeof(ret->pubkey));
}

kw_status store_cert_brief_txn(struct kw_op *op, struct store_txn *txn, int64_t row,
                               struct store_cert_brief *ret)
{
    return store_cert_brief(op, txn->conn, row, ret);
}

kw_status store_read(struct kw_op *op, struct store *store,
                     kw_status (*read)(struct kw_op *op, struct store_conn *conn, void *ctx),
                     void *ctx)
{
    AUTO(store_reader) *reader = NULL;

    TRY(op, store_reader_take(op, store, &reader));
    return read(op, reader->conn, ctx);
}

kw_status store_owner_device(struct kw_op *op, struct store_conn *conn, int64_t owner,
                             char product[KW_NAME_MAX], char batch[KW_NAME_MAX], bool *ret_device)
{
    AUTO(store_rows) *rows = NULL;

    TRY(op, store_first(op, conn, &more, OWNER_DEVICE, ARGS(V_INT(owner)), &rows));
    *ret_device = rows != NULL;
    if (!rows) {
        return KW_OK;
    }
    TRY(op, store_row_text(op, rows, 0, product, KW_NAME_MAX));
    return store_row_text(op, rows, 1, batch, KW_NAME_MAX);
}

kw_status store_owner_rows(struct kw_op *op, struct store_conn *conn, int64_t owner, int64_t now_s,
                           unsigned max, int64_t ret[], unsigned *ret_n)
{
    AUTO(store_rows) *rows = NULL;

    TRY(op, store_query(op, conn, &more, OWNER_ROWS, ARGS(V_INT(owner), V_INT(now_s), V_INT(max)),
                        &rows));
    return take_rows(op, rows, max, ret, ret_n);
}

kw_status store_operator_rows(struct kw_op *op, struct store_conn *conn, int64_t now_s,
                              unsigned max, int64_t ret[], unsigned *ret_n)
{
    AUTO(store_rows) *rows = NULL;

    TRY(op, store_query(op, conn, &more, OPERATORS, ARGS(V_INT(now_s), V_INT(max)), &rows));
    return take_rows(op, rows, max, ret, ret_n);
}

kw_status store_operator_rows_txn(struct kw_op *op, struct store_txn *txn, int64_t now_s,
                                  unsigned max, int64_t ret[], unsigned *ret_n)
{
    return store_operator_rows(op, txn->conn, now_s, max, ret, ret_n);
}

kw_status store_name_text(struct kw_op *op, struct store_conn *conn, int64_t id,
                          char ret[KW_NAME_MAX])
{
    AUTO(store_rows) *rows = NULL;

    TRY(op, store_first(op, conn, &more, NAME_TEXT, ARGS(V_INT(id)), &rows));
    ENSURE(op, rows, KW_E_NOT_FOUND, "no name %lld", (long long)id);
    return store_row_text(op, rows, 0, ret, KW_NAME_MAX);
}

/* --- issued meanwhile --------------------------------------------------------------------------
 */

kw_status store_plan_issued_since(struct kw_op *op, struct store *store,
                                  const struct store_plan *plan, unsigned most, uint64_t *ret)
{
    AUTO(store_reader) *reader = NULL;
    AUTO(store_rows) *rows = NULL;
    uint64_t n = 0;
    bool row = false;

    TRY(op, store_reader_take(op, store, &reader));
    TRY(op, store_query(op, reader->conn, &more, SINCE, ARGS(V_INT(plan->id), V_INT(most)), &rows));
    for (;;) {
        TRY(op, store_next(op, rows, &row), "what was issued since plan %lld", (long long)plan->id);
        if (!row || store_row_int(rows, 0) < plan->created_ms) {
            *ret = n;
            return KW_OK;
        }
        n += store_row_int(rows, 1) != CERT_STATE_REVOKED && store_row_int(rows, 2) != 0;
    }
}
