/* Statements: prepared once a connection, bound, stepped, reset. Transactions are statements too.
 */
#include "store/sqlite/internal.h"

static struct sqlite_conn *conn_of(struct store_conn *base)
{
    return (struct sqlite_conn *)base;
}

static struct sqlite_rows *rows_of(struct store_rows *base)
{
    return (struct sqlite_rows *)base;
}

static kw_status prepare(struct kw_op *op, struct sqlite_conn *conn, const char *sql,
                         sqlite3_stmt **ret)
{
    int rc = sqlite3_prepare_v3(conn->db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL);

    return rc == SQLITE_OK ? KW_OK : sqlite_fail(op, conn, rc, "preparing");
}

static int bind_one(sqlite3_stmt *stmt, int place, const struct store_value *value)
{
    switch (value->type) {
    case STORE_INT:
        return sqlite3_bind_int64(stmt, place, value->number);
    case STORE_TEXT:
        return sqlite3_bind_text64(stmt, place, (const char *)value->bytes.p, value->bytes.len,
                                   SQLITE_STATIC, SQLITE_UTF8);
    case STORE_BLOB:
        return sqlite3_bind_blob64(stmt, place,
                                   value->bytes.len ? value->bytes.p : (const void *)"",
                                   value->bytes.len, SQLITE_STATIC);
    case STORE_NULL:
        break;
    }
    return sqlite3_bind_null(stmt, place);
}

kw_status sqlite_query(struct kw_op *op, struct store_conn *base,
                       const struct store_statements *table, unsigned number,
                       const struct store_value *args, size_t n_args, struct store_rows **ret)
{
    struct sqlite_conn *conn = conn_of(base);
    ENSURE(op, number < table->n && number < STORE_STATEMENTS_MAX, KW_E_INTERNAL,
           "no statement %u of noun %d", number, (int)table->noun);
    struct sqlite_rows *rows = &conn->rows[table->noun][number];

    ENSURE(op, !rows->busy, KW_E_INTERNAL, "statement %u of noun %d is under way already", number,
           (int)table->noun);
    if (!rows->stmt) {
        TRY(op, prepare(op, conn, table->sql[number], &rows->stmt));
        rows->base.conn = base;
    }
    for (size_t i = 0; i < n_args; i++) {
        int rc = bind_one(rows->stmt, (int)i + 1, &args[i]);
        if (rc != SQLITE_OK) {
            return sqlite_fail(op, conn, rc, "binding");
        }
    }
    rows->busy = true;
    *ret = &rows->base;
    return KW_OK;
}

kw_status sqlite_next(struct kw_op *op, struct store_rows *base, bool *ret_row)
{
    struct sqlite_rows *rows = rows_of(base);
    int rc = sqlite3_step(rows->stmt);

    if (rc != SQLITE_DONE && rc != SQLITE_ROW) {
        return sqlite_fail(op, conn_of(base->conn), rc, "executing");
    }
    if (!sqlite3_stmt_readonly(rows->stmt)) {
        base->conn->writes++;
    }
    *ret_row = rc == SQLITE_ROW;
    return KW_OK;
}

void sqlite_finish(struct store_rows *base)
{
    struct sqlite_rows *rows = rows_of(base);

    (void)sqlite3_reset(rows->stmt); /* repeats the error that next() has told */
    rows->busy = false;
}

int64_t sqlite_get_int(const struct store_rows *base, unsigned column)
{
    return sqlite3_column_int64(((const struct sqlite_rows *)base)->stmt, (int)column);
}

struct kw_span sqlite_get_bytes(const struct store_rows *base, unsigned column)
{
    sqlite3_stmt *stmt = ((const struct sqlite_rows *)base)->stmt;
    const void *p = sqlite3_column_blob(stmt, (int)column);

    return KW_SPAN(p, p ? (size_t)sqlite3_column_bytes(stmt, (int)column) : 0);
}

int64_t sqlite_changed(const struct store_conn *base)
{
    return sqlite3_changes64(((const struct sqlite_conn *)base)->db);
}

static const char *const step_sql[] = {
    [STORE_BEGIN] = "BEGIN IMMEDIATE", [STORE_COMMIT] = "COMMIT",
    [STORE_ROLLBACK] = "ROLLBACK",     [STORE_SAVE] = "SAVEPOINT one",
    [STORE_RELEASE] = "RELEASE one",   [STORE_BACK] = "ROLLBACK TO one",
};
_Static_assert(KW_COUNT(step_sql) == STORE_STEP_MAX, "a text for every step");

static kw_status run(struct kw_op *op, struct sqlite_conn *conn, sqlite3_stmt **stmt,
                     const char *sql)
{
    if (!*stmt) {
        TRY(op, prepare(op, conn, sql, stmt));
    }
    int rc = sqlite3_step(*stmt);
    kw_status status = rc == SQLITE_DONE ? KW_OK : sqlite_fail(op, conn, rc, sql);
    (void)sqlite3_reset(*stmt); /* repeats the error of step */
    return status;
}

static kw_status rollback(struct kw_op *op, struct sqlite_conn *conn)
{
    if (sqlite3_get_autocommit(conn->db)) {
        return KW_OK; /* SQLite did it by itself */
    }
    return run(op, conn, &conn->steps[STORE_ROLLBACK], step_sql[STORE_ROLLBACK]);
}

/*
 * A commit that broke while syncing may have left its frames complete in the WAL, where a restart
 * after a crash would find and believe them. Writing anything over them settles that it did not
 * happen.
 */
static bool confirm_undone(struct sqlite_conn *conn)
{
    struct kw_op quiet;

    kw_op_init(&quiet, NULL, 0);
    return kw_ok(run(&quiet, conn, &conn->confirm, "UPDATE tally SET n = n + 1 WHERE kind = 0"));
}

static kw_status commit(struct kw_op *op, struct sqlite_conn *conn)
{
    kw_status status = run(op, conn, &conn->steps[STORE_COMMIT], step_sql[STORE_COMMIT]);

    if (kw_ok(status)) {
        checkpointer_committed(conn->checkpointer);
        return KW_OK;
    }
    int rc = sqlite3_extended_errcode(conn->db);
    struct kw_op quiet;
    kw_op_init(&quiet, NULL, 0);
    bool undone = kw_ok(rollback(&quiet, conn));
    /* SQLITE_FULL comes from a write: the frame that commits was never written whole. */
    if (undone && (rc == SQLITE_FULL || confirm_undone(conn))) {
        return status;
    }
    return FAIL(op, KW_E_UNSURE, "the commit broke (%d) and could not be settled", rc);
}

kw_status sqlite_txn(struct kw_op *op, struct store_conn *base, enum store_step step)
{
    struct sqlite_conn *conn = conn_of(base);

    if (step == STORE_COMMIT) {
        return commit(op, conn);
    }
    if (step == STORE_ROLLBACK) {
        return rollback(op, conn);
    }
    if (step == STORE_BEGIN) {
        base->broken = KW_CODE_OK;
    }
    TRY(op, run(op, conn, &conn->steps[step], step_sql[step]));
    if (step == STORE_BACK) {
        return run(op, conn, &conn->steps[STORE_RELEASE], step_sql[STORE_RELEASE]);
    }
    return KW_OK;
}
