/* SQLite's online backup, from a reader that holds one snapshot: it never starts again. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/files.h"
#include "store/sqlite/internal.h"

enum { PAGES_A_STEP = 256 }; /* a MiB: between two steps the deadline is looked at */

static void close_db(sqlite3 *db)
{
    (void)sqlite3_close(db); /* has no statements */
}
KW_OWNED(sqlite3, sqlite3, close_db)

static kw_status make_file(struct kw_op *op, const char *path, sqlite3 **ret)
{
    OS_FD_AUTO int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

    ENSURE(op, fd >= 0,
           errno == EEXIST   ? KW_E_CONFLICT
           : errno == ENOSPC ? KW_E_FULL
                             : KW_E_IO,
           "making %s: %s", path, strerror(errno));
    int rc = sqlite3_open_v2(
        path, ret, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    ENSURE(op, rc == SQLITE_OK, KW_E_IO, "opening %s (%d)", path, rc);
    /* whoever sees it half-written throws it away */
    rc =
        sqlite3_exec(*ret, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF", NULL, NULL, NULL);
    ENSURE(op, rc == SQLITE_OK, KW_E_IO, "preparing %s (%d)", path, rc);
    return KW_OK;
}

static kw_status copy(struct kw_op *op, struct sqlite_conn *from, sqlite3 *to)
{
    sqlite3_backup *backup = sqlite3_backup_init(to, "main", from->db, "main");
    int rc = SQLITE_OK;
    bool late = false;

    ENSURE(op, backup, KW_E_MEMORY, "no memory for a copy of the store");
    while (rc == SQLITE_OK && !late) {
        rc = sqlite3_backup_step(backup, PAGES_A_STEP);
        late = op->deadline_ms != 0 && os_clock_mono_ms() >= op->deadline_ms;
    }
    int end = sqlite3_backup_finish(backup);
    if (rc == SQLITE_DONE && end == SQLITE_OK) {
        return KW_OK;
    }
    ENSURE(op, rc != SQLITE_OK, KW_E_TIMEOUT, "copying the store took too long");
    return FAIL(op, sqlite_code(rc, sqlite3_system_errno(to), sqlite3_errmsg(to)),
                "copying the store: %s", sqlite3_errstr(rc));
}

kw_status sqlite_backup(struct kw_op *op, const char *where, const char *path)
{
    AUTO(store_conn) *reader = NULL;
    AUTO(sqlite3) *to = NULL;
    int64_t version = 0;

    TRY(op, store_driver_sqlite.connect(op, where, STORE_READER, &reader));
    struct sqlite_conn *from = (struct sqlite_conn *)reader;
    TRY(op, make_file(op, path, &to));
    TRY(op, sqlite_exec(op, from, "BEGIN"));
    TRY(op, sqlite_number(op, from, "SELECT version FROM schema_version", &version)); /* now */
    TRY(op, copy(op, from, to));
    return sqlite_exec(op, from, "COMMIT");
}

/* The first thing that it complains of is told. */
static kw_status check(struct kw_op *op, struct sqlite_conn *conn)
{
    sqlite3_stmt *stmt = NULL;
    char said[96] = "nothing";
    int rc = sqlite3_prepare_v2(conn->db, "PRAGMA integrity_check(1)", -1, &stmt, NULL);

    if (rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(stmt, 0);
        (void)snprintf(said, sizeof(said), "%.90s", text ? text : "nothing");
    }
    (void)sqlite3_finalize(stmt); /* repeats the error of step */
    ENSURE(op, strcmp(said, "ok") == 0, KW_E_INTEGRITY, "the store is damaged: %s", said);
    return KW_OK;
}

kw_status sqlite_verify(struct kw_op *op, const char *path)
{
    AUTO(store_conn) *reader = NULL;
    int64_t id = 0;

    TRY(op, store_driver_sqlite.connect(op, path, STORE_READER, &reader));
    struct sqlite_conn *conn = (struct sqlite_conn *)reader;
    conn->base.deadline_ms = op->deadline_ms;
    kw_status status = sqlite_number(op, conn, "PRAGMA application_id", &id);
    ENSURE(op, kw_ok(status) && id == SQLITE_APPLICATION_ID, KW_E_INTEGRITY,
           "%s is no store of ours", path);
    return check(op, conn);
}
