/* The parts of the SQLite driver among themselves. */
#ifndef STORE_SQLITE_INTERNAL_H
#define STORE_SQLITE_INTERNAL_H

#include <sqlite3.h>

#include "store/driver.h"

enum {
    SQLITE_APPLICATION_ID = 0x4b575254, /* "KWRT" */
    SQLITE_PAGE_BYTES = 4096,           /* measured against 8192: less is written a random insert */
    SQLITE_WRITER_CACHE_KIB = 12288, /* a batch of 512 changes dirties about 8 MiB at 10 M rows */
    SQLITE_READER_CACHE_KIB = 1024,  /* dropped at every commit anyway */
    SQLITE_BUSY_MS = 5000,
    SQLITE_WAL_LIMIT_BYTES = 64 << 20, /* a WAL that grew beyond is cut when it starts again */
    SQLITE_CHECKPOINT_PAGES = 4096,    /* 16 MiB of WAL */
};

struct sqlite_rows {
    struct store_rows base;
    sqlite3_stmt *stmt; /* NULL until first used */
    bool busy;
};

struct checkpointer;

struct sqlite_conn {
    struct store_conn base;
    sqlite3 *db;
    int lock_fd;                         /* writer: held as long as it lives; -1 = none */
    struct checkpointer *checkpointer;   /* writer only */
    sqlite3_stmt *steps[STORE_STEP_MAX]; /* writer only */
    sqlite3_stmt *confirm;
    struct sqlite_rows rows[STORE_NOUN_MAX][STORE_STATEMENTS_MAX];
};

/* Note what SQLite last complained of. doing: "opening", "executing" … */
kw_status sqlite_fail(struct kw_op *op, struct sqlite_conn *conn, int rc, const char *doing);
/* The code for an extended result code; os_errno as sqlite3_system_errno(), message as errmsg. */
enum kw_code sqlite_code(int rc, int os_errno, const char *message);

/* One pragma or statement without result. */
kw_status sqlite_exec(struct kw_op *op, struct sqlite_conn *conn, const char *sql);
/* One number: a pragma or a SELECT. */
kw_status sqlite_number(struct kw_op *op, struct sqlite_conn *conn, const char *sql, int64_t *ret);
/* Set a fresh connection up: limits, defences, cache. */
kw_status sqlite_harden(struct kw_op *op, struct sqlite_conn *conn, enum store_role role);

kw_status sqlite_txn(struct kw_op *op, struct store_conn *base, enum store_step step);
kw_status sqlite_query(struct kw_op *op, struct store_conn *base,
                       const struct store_statements *table, unsigned number,
                       const struct store_value *args, size_t n_args, struct store_rows **ret);
kw_status sqlite_next(struct kw_op *op, struct store_rows *base, bool *ret_row);
void sqlite_finish(struct store_rows *base);
int64_t sqlite_get_int(const struct store_rows *base, unsigned column);
struct kw_span sqlite_get_bytes(const struct store_rows *base, unsigned column);
kw_status sqlite_backup(struct kw_op *op, const char *where, const char *path);
kw_status sqlite_verify(struct kw_op *op, const char *path);
int64_t sqlite_changed(const struct store_conn *base);

/*
 * The thread that carries pages from the WAL into the database while commits go on. The writer
 * itself carries over only what came in meanwhile, so that the WAL can start again from its top.
 */
kw_status checkpointer_start(struct kw_op *op, struct sqlite_conn *writer, const char *path,
                             struct checkpointer **ret);
/* After a commit, on the writer's thread. */
void checkpointer_committed(struct checkpointer *cp);
void checkpointer_stop(struct checkpointer *cp);

#endif
