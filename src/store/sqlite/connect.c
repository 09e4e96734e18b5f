/* Opening: the file and its lock, is it ours, is it current, settings. */
#include "store/sqlite/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/clock.h"
#include "store/migrations.h"

enum { PROGRESS_STEPS = 20000 }; /* about a millisecond of SQLite's machine */

static void configure_once(void)
{
    /* Its statistics take one global lock at every malloc. Refused where SQLite runs already. */
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    (void)sqlite3_config(SQLITE_CONFIG_URI, 0);
}

kw_status sqlite_exec(struct kw_op *op, struct sqlite_conn *conn, const char *sql)
{
    int rc = sqlite3_exec(conn->db, sql, NULL, NULL, NULL);

    return rc == SQLITE_OK ? KW_OK : sqlite_fail(op, conn, rc, "executing");
}

kw_status sqlite_number(struct kw_op *op, struct sqlite_conn *conn, const char *sql, int64_t *ret)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(conn->db, sql, -1, &stmt, NULL);

    if (rc == SQLITE_OK) {
        rc = sqlite3_step(stmt);
    }
    kw_status status = KW_OK;
    if (rc == SQLITE_ROW) {
        *ret = sqlite3_column_int64(stmt, 0);
    } else {
        status = rc == SQLITE_DONE ? FAIL(op, KW_E_INTEGRITY, "no row: %s", sql)
                                   : sqlite_fail(op, conn, rc, "reading");
    }
    (void)sqlite3_finalize(stmt); /* repeats the error of step */
    return status;
}

/* The file, readable by this user alone; SQLite gives -wal and -shm the same mode. */
static kw_status make_private(struct kw_op *op, const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    int why = errno;
    enum kw_code code = why == ENOSPC || why == EDQUOT ? KW_E_FULL : KW_E_IO;
    ENSURE(op, fd >= 0, code, "opening '%s': %s", path, strerror(why));

    struct stat st;
    bool fine = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && fchmod(fd, 0600) == 0;
    (void)close(fd); /* nothing was written */
    ENSURE(op, fine, KW_E_IO, "'%s' is not a file of our own", path);
    return KW_OK;
}

/* One writing process: what the committer keeps in memory must stay true. */
static kw_status lock_out_others(struct kw_op *op, struct sqlite_conn *conn, const char *path)
{
    char name[KW_PATH_BYTES] = "";
    int n = snprintf(name, sizeof(name), "%s.lock", path);
    ENSURE(op, n > 0 && (size_t)n < sizeof(name), KW_E_TOO_LARGE, "the path '%s' is too long",
           path);

    /* Not the database itself: closing a second descriptor of it would drop SQLite's locks. */
    conn->lock_fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    ENSURE(op, conn->lock_fd >= 0, errno == ENOSPC ? KW_E_FULL : KW_E_IO, "opening '%s': %s", name,
           strerror(errno));
    ENSURE(op, flock(conn->lock_fd, LOCK_EX | LOCK_NB) == 0, KW_E_UNAVAILABLE,
           "another process has '%s' open", path);
    return KW_OK;
}

static kw_status open_file(struct kw_op *op, struct sqlite_conn *conn, const char *path,
                           enum store_role role)
{
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_PRIVATECACHE |
                (role == STORE_WRITER ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY);
    int rc = sqlite3_open_v2(path, &conn->db, flags, NULL);

    if (rc != SQLITE_OK && conn->db) {
        return sqlite_fail(op, conn, rc, "opening");
    }
    ENSURE(op, rc == SQLITE_OK, KW_E_MEMORY, "no memory for a database connection");
    return KW_OK;
}

static int past_deadline(void *ctx)
{
    const struct sqlite_conn *conn = ctx;

    return conn->base.deadline_ms != 0 && os_clock_mono_ms() >= conn->base.deadline_ms;
}

static const struct {
    int option, on;
} defences[] = {
    {SQLITE_DBCONFIG_DEFENSIVE,             1},
    {SQLITE_DBCONFIG_TRUSTED_SCHEMA,        0},
    {SQLITE_DBCONFIG_ENABLE_FKEY,           1},
    {SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0},
    {SQLITE_DBCONFIG_DQS_DDL,               0},
    {SQLITE_DBCONFIG_DQS_DML,               0},
    {SQLITE_DBCONFIG_ENABLE_TRIGGER,        1},
};

kw_status sqlite_harden(struct kw_op *op, struct sqlite_conn *conn, enum store_role role)
{
    char cache[48] = "";

    for (size_t i = 0; i < KW_COUNT(defences); i++) {
        int rc = sqlite3_db_config(conn->db, defences[i].option, defences[i].on, NULL);
        ENSURE(op, rc == SQLITE_OK, KW_E_UNSUPPORTED, "SQLite lacks option %d", defences[i].option);
    }
    (void)sqlite3_busy_timeout(conn->db, SQLITE_BUSY_MS); /* cannot fail */
    /* recursive_triggers: INSERT OR REPLACE cannot delete behind the triggers' back.
     * No mmap: a disk error there is a SIGBUS, not an error code. */
    TRY(op, sqlite_exec(op, conn,
                        "PRAGMA recursive_triggers = ON; PRAGMA cell_size_check = ON;"
                        "PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0;"
                        "PRAGMA synchronous = FULL; PRAGMA secure_delete = OFF"));
    (void)snprintf(cache, sizeof(cache), "PRAGMA cache_size = -%d", /* always fits */
                   role == STORE_WRITER ? SQLITE_WRITER_CACHE_KIB : SQLITE_READER_CACHE_KIB);
    if (role == STORE_READER) {
        sqlite3_progress_handler(conn->db, PROGRESS_STEPS, past_deadline, conn);
    }
    return sqlite_exec(op, conn, cache);
}

/* Before anything is written: an empty file, or one of ours. */
static kw_status check_ours(struct kw_op *op, struct sqlite_conn *conn, bool *ret_empty)
{
    int64_t id = 0, things = 0;

    TRY(op, sqlite_number(op, conn, "PRAGMA application_id", &id));
    TRY(op, sqlite_number(op, conn, "SELECT count(*) FROM sqlite_schema", &things));
    *ret_empty = id == 0 && things == 0;
    ENSURE(op, *ret_empty || id == SQLITE_APPLICATION_ID, KW_E_INTEGRITY,
           "the file is a database of another program");
    return KW_OK;
}

static kw_status start_file(struct kw_op *op, struct sqlite_conn *conn, bool empty)
{
    char text[128] = "";

    if (empty) {
        (void)snprintf(text, sizeof(text), "PRAGMA page_size = %d", SQLITE_PAGE_BYTES); /* fits */
        TRY(op, sqlite_exec(op, conn, text));
    }
    TRY(op, sqlite_exec(op, conn, "PRAGMA journal_mode = WAL"));
    /* No checkpoint of its own: see checkpoint.c. */
    (void)snprintf(text, sizeof(text), /* always fits */
                   "PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = %d",
                   SQLITE_WAL_LIMIT_BYTES);
    return sqlite_exec(op, conn, text);
}

static kw_status bring_up_to_date(struct kw_op *op, struct sqlite_conn *conn, bool empty)
{
    char text[64] = "";
    int64_t version = 0;

    if (empty) {
        (void)snprintf(text, sizeof(text), "PRAGMA application_id = %d", SQLITE_APPLICATION_ID);
        TRY(op, sqlite_exec(op, conn, text));
    } else {
        TRY(op, sqlite_number(op, conn, "SELECT version FROM schema_version", &version));
    }
    return store_migrate(op, &conn->base, version);
}

/* All of it in one transaction: a crash leaves the old schema or the new one. */
static kw_status migrate(struct kw_op *op, struct sqlite_conn *conn, bool empty)
{
    TRY(op, sqlite_txn(op, &conn->base, STORE_BEGIN));
    kw_status status = bring_up_to_date(op, conn, empty);
    if (kw_ok(status)) {
        return sqlite_exec(op, conn, "COMMIT");
    }
    struct kw_op quiet;
    kw_op_init(&quiet, NULL, 0);
    (void)sqlite_txn(&quiet, &conn->base, STORE_ROLLBACK); /* closing the connection does as well */
    return status;
}

static void sqlite_disconnect(struct store_conn *base)
{
    struct sqlite_conn *conn = (struct sqlite_conn *)base;

    if (conn->checkpointer) {
        checkpointer_stop(conn->checkpointer);
    }
    for (unsigned i = 0; i < STORE_STEP_MAX; i++) {
        (void)sqlite3_finalize(conn->steps[i]); /* repeats an old error */
    }
    (void)sqlite3_finalize(conn->confirm);
    for (unsigned i = 0; i < STORE_NOUN_MAX; i++) {
        for (unsigned j = 0; j < STORE_STATEMENTS_MAX; j++) {
            (void)sqlite3_finalize(conn->rows[i][j].stmt);
        }
    }
    (void)sqlite3_close(conn->db); /* all statements are finalised; carries the WAL over */
    if (conn->lock_fd >= 0) {
        (void)close(conn->lock_fd); /* nothing was written */
    }
    free(conn);
}

static kw_status connect_writer(struct kw_op *op, struct sqlite_conn *conn, const char *path)
{
    bool empty = false;
    int64_t version = 0;

    TRY(op, lock_out_others(op, conn, path));
    TRY(op, make_private(op, path));
    TRY(op, open_file(op, conn, path, STORE_WRITER));
    TRY(op, sqlite_harden(op, conn, STORE_WRITER));
    TRY(op, check_ours(op, conn, &empty));
    if (!empty) {
        TRY(op, sqlite_number(op, conn, "SELECT version FROM schema_version", &version));
        ENSURE(op, version <= store_schema_newest(), KW_E_UNSUPPORTED,
               "its schema has version %lld, this program knows %lld", (long long)version,
               (long long)store_schema_newest());
    }
    TRY(op, start_file(op, conn, empty));
    TRY(op, migrate(op, conn, empty));
    return checkpointer_start(op, conn, path, &conn->checkpointer);
}

static kw_status sqlite_connect(struct kw_op *op, const char *where, enum store_role role,
                                struct store_conn **ret)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, configure_once); /* cannot fail */

    struct sqlite_conn *conn = calloc(1, sizeof(*conn));
    ENSURE(op, conn, KW_E_MEMORY, "no memory for a database connection");
    conn->base.driver = &store_driver_sqlite;
    conn->lock_fd = -1;
    AUTO(store_conn) *owner = &conn->base;
    if (role == STORE_WRITER) {
        TRY(op, connect_writer(op, conn, where), "opening the store '%s'", where);
    } else {
        TRY(op, open_file(op, conn, where, role), "opening the store '%s'", where);
        TRY(op, sqlite_harden(op, conn, role));
    }
    *ret = TAKE(owner);
    return KW_OK;
}

static kw_status sqlite_exec_many(struct kw_op *op, struct store_conn *base, const char *sql)
{
    return sqlite_exec(op, (struct sqlite_conn *)base, sql);
}

const struct store_driver store_driver_sqlite = {
    .version = 1,
    .name = "sqlite",
    .connect = sqlite_connect,
    .disconnect = sqlite_disconnect,
    .txn = sqlite_txn,
    .exec = sqlite_exec_many,
    .query = sqlite_query,
    .next = sqlite_next,
    .finish = sqlite_finish,
    .get_int = sqlite_get_int,
    .get_bytes = sqlite_get_bytes,
    .backup = sqlite_backup,
    .verify = sqlite_verify,
    .changed = sqlite_changed,
};
