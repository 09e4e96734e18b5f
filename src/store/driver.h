/*
 * What a database has to offer, and nothing more: connections, transactions and cached statements.
 * The SQL itself stands once, in store/<noun>.c; sqlite/ is the first driver, PostgreSQL can follow
 * with its own column of texts where a statement differs.
 */
#ifndef STORE_DRIVER_H
#define STORE_DRIVER_H

#include "base/bytes.h"
#include "base/op.h"

struct store_driver;

/* Every noun has one table of statements; a connection keeps each statement prepared. */
enum store_noun {
    STORE_NOUN_NAME = 0,
    STORE_NOUN_DEVICE,
    STORE_NOUN_PUBKEY,
    STORE_NOUN_CERT,
    STORE_NOUN_CERT_LIST,
    STORE_NOUN_CERT_REVOKED,
    STORE_NOUN_STATUS,
    STORE_NOUN_BLOB,
    STORE_NOUN_LOG,
    STORE_NOUN_TALLY,
    STORE_NOUN_DATA_KEY,
    STORE_NOUN_RA_REQUEST,
    STORE_NOUN_BATCH,
    STORE_NOUN_BLOCKED,
    STORE_NOUN_SUSPENSION,
    STORE_NOUN_CONSUMER,
    STORE_NOUN_SAID,
    STORE_NOUN_STATION,
    STORE_NOUN_SUBJECT,
    STORE_NOUN_CERT_WHOLE,
    STORE_NOUN_CMP,
    STORE_NOUN_REVOKE_PLAN,
    STORE_NOUN_REVOKE_MORE,
    STORE_NOUN_STATS,
    STORE_NOUN_ATTEST,
    STORE_NOUN_ATTEST_CRL,
    STORE_NOUN_ATTEST_KEY,
    STORE_NOUN_ATTEST_NONCE,
    STORE_NOUN_ATTEST_POLICY,
    STORE_NOUN_ATTEST_ROOT,
    STORE_NOUN_ATTEST_RULE,
    STORE_NOUN_HEARTBEAT,
    STORE_NOUN_BROKER,
    STORE_NOUN_DEVICE_EVENT,
    STORE_NOUN_DEVICE_BAR,
    STORE_NOUN_MAX
};
enum { STORE_STATEMENTS_MAX = 12 }; /* of one noun */

struct store_statements {
    enum store_noun noun;
    unsigned n;
    const char *const *sql; /* ?1, ?2 … are the arguments */
};

enum store_type { STORE_NULL = 0, STORE_INT, STORE_TEXT, STORE_BLOB };

/* An argument of a statement; texts and octets are borrowed until the rows are finished. */
struct store_value {
    enum store_type type;
    int64_t number;
    struct kw_span bytes;
};

#define V_NULL                                                                                     \
    ((struct store_value){                                                                         \
        STORE_NULL, 0, {NULL, 0} \
    })
#define V_INT(i)                                                                                   \
    ((struct store_value){                                                                         \
        STORE_INT, (int64_t)(i), {NULL, 0} \
    })
#define V_TEXT(text) ((struct store_value){STORE_TEXT, 0, kw_span_text(text)})
#define V_BLOB(span) ((struct store_value){STORE_BLOB, 0, (span)})
/* The arguments and their number, as two arguments of store_query() or store_run(). */
#define ARGS(...)                                                                                  \
    (const struct store_value[]){__VA_ARGS__},                                                     \
        sizeof((const struct store_value[]){__VA_ARGS__}) / sizeof(struct store_value)
#define NO_ARGS NULL, 0

enum store_role { STORE_WRITER = 1, STORE_READER };

enum store_step {
    STORE_BEGIN = 0, /* for writing; waits for nobody */
    STORE_COMMIT,    /* durable; see commit of struct store_driver */
    STORE_ROLLBACK,
    STORE_SAVE, /* one savepoint deep */
    STORE_RELEASE,
    STORE_BACK, /* roll back to the savepoint and drop it */
    STORE_STEP_MAX
};

/* Drivers put their own behind it. */
struct store_conn {
    const struct store_driver *driver;
    uint64_t writes;     /* statements that have written, ever */
    enum kw_code broken; /* not 0: the transaction as a whole cannot go on, for this reason */
    int64_t deadline_ms; /* a reader gives up then (KW_E_TIMEOUT); 0 = never */
};

/* A statement under way; drivers put their own behind it. */
struct store_rows {
    struct store_conn *conn;
};

struct store_driver {
    unsigned version; /* of this struct: 1 */
    const char *name;
    /**
     * A writer makes the database where absent (private to this user), shuts other writing
     * processes out and migrates it; it must be there before the first reader.
     */
    kw_status (*connect)(struct kw_op *op, const char *where, enum store_role role,
                         struct store_conn **ret);
    void (*disconnect)(struct store_conn *conn);
    /**
     * One step of a transaction. A failed STORE_COMMIT has rolled back: any code but KW_E_UNSURE
     * says that nothing was changed, for certain, whatever happens next.
     */
    kw_status (*txn)(struct kw_op *op, struct store_conn *conn, enum store_step step);
    /* Several statements without arguments; migrations only. */
    kw_status (*exec)(struct kw_op *op, struct store_conn *conn, const char *sql);
    kw_status (*query)(struct kw_op *op, struct store_conn *conn,
                       const struct store_statements *table, unsigned number,
                       const struct store_value *args, size_t n_args, struct store_rows **ret);
    /* ret_row false: no further row. What a row lends out ends with the next call. */
    kw_status (*next)(struct kw_op *op, struct store_rows *rows, bool *ret_row);
    void (*finish)(struct store_rows *rows);
    int64_t (*get_int)(const struct store_rows *rows, unsigned column); /* 0 for NULL */
    struct kw_span (*get_bytes)(const struct store_rows *rows, unsigned column);
    /* The whole database as it is now into a new file, a few pages at a time, by a reader of its
     * own; commits go on meanwhile. Not synced. KW_E_CONFLICT the file is there. */
    kw_status (*backup)(struct kw_op *op, const char *where, const char *path);
    /* Reads the whole file. KW_E_INTEGRITY. */
    kw_status (*verify)(struct kw_op *op, const char *path);
    int64_t (*changed)(const struct store_conn *conn); /* rows that the last write touched */
};

extern const struct store_driver store_driver_sqlite;

static inline void store_rows_finish(struct store_rows *rows)
{
    rows->conn->driver->finish(rows);
}
KW_OWNED(store_rows, struct store_rows, store_rows_finish)

static inline void store_conn_close(struct store_conn *conn)
{
    conn->driver->disconnect(conn);
}
KW_OWNED(store_conn, struct store_conn, store_conn_close)

static inline kw_status store_query(struct kw_op *op, struct store_conn *conn,
                                    const struct store_statements *table, unsigned number,
                                    const struct store_value *args, size_t n_args,
                                    struct store_rows **ret)
{
    return conn->driver->query(op, conn, table, number, args, n_args, ret);
}

static inline kw_status store_next(struct kw_op *op, struct store_rows *rows, bool *ret_row)
{
    return rows->conn->driver->next(op, rows, ret_row);
}

static inline int64_t store_row_int(const struct store_rows *rows, unsigned column)
{
    return rows->conn->driver->get_int(rows, column);
}

static inline struct kw_span store_row_bytes(const struct store_rows *rows, unsigned column)
{
    return rows->conn->driver->get_bytes(rows, column);
}

#endif
