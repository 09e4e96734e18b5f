/* All certificates and owners in one walk: what a table in memory is filled with. */
#include "store/store_internal.h"

enum { STATUS_EACH, OWNER_EACH, NAME_TEXT };
enum { NAMES_KEPT = 64 };

static const char *const sql[] = {
    [STATUS_EACH] =
        "SELECT ca, profile, owner, serial, state, not_after, revoked_s, reason FROM cert",
    [OWNER_EACH] = ("SELECT o.id, o.text, d.state, d.last_seen_ms FROM owner o"
                    " LEFT JOIN device d ON d.owner = o.id"),
    [NAME_TEXT] = "SELECT text FROM name WHERE id = ?1",
};
static const struct store_statements statements = {STORE_NOUN_STATUS, KW_COUNT(sql), sql};

kw_status store_owner_each(struct kw_op *op, struct store *store, store_owner_fn each, void *ctx)
{
    AUTO(store_reader) *reader = NULL;
    AUTO(store_rows) *rows = NULL;
    char text[STORE_OWNER_MAX];
    bool row = false;

    TRY(op, store_reader_take(op, store, &reader));
    TRY(op, store_query(op, reader->conn, &statements, OWNER_EACH, NO_ARGS, &rows));
    for (;;) {
        TRY(op, store_next(op, rows, &row), "reading owners");
        if (!row) {
            return KW_OK;
        }
        TRY(op, store_row_text(op, rows, 1, text, sizeof(text)));
        TRY(op, each(op, ctx, store_row_int(rows, 0), text,
                     (enum device_state)store_row_int(rows, 2), store_row_int(rows, 3)));
    }
}

/* CAs and profiles are few: their names are read once a walk, not once a row. */
struct name_text {
    int64_t id; /* 0 = empty */
    char text[KW_NAME_MAX];
};

static kw_status name_of(struct kw_op *op, struct store_conn *conn,
                         struct name_text kept[NAMES_KEPT], int64_t id, struct kw_span *ret)
{
    struct name_text *name = &kept[(uint64_t)id % NAMES_KEPT];

    if (name->id != id) {
        AUTO(store_rows) *rows = NULL;
        TRY(op, store_first(op, conn, &statements, NAME_TEXT, ARGS(V_INT(id)), &rows));
        ENSURE(op, rows, KW_E_INTEGRITY, "no name %lld", (long long)id);
        TRY(op, store_row_text(op, rows, 0, name->text, sizeof(name->text)));
        name->id = id;
    }
    *ret = kw_span_text(name->text);
    return KW_OK;
}

/* Two names of one place in `kept` would overwrite each other: each has its own. */
static kw_status read_one(struct kw_op *op, struct store_conn *conn, const struct store_rows *rows,
                          struct name_text cas[NAMES_KEPT], struct name_text profiles[NAMES_KEPT],
                          struct store_standing *ret)
{
    *ret = (struct store_standing){
        .owner = store_row_int(rows, 2),
        .serial = store_row_bytes(rows, 3),
        .state = (enum cert_state)store_row_int(rows, 4),
        .not_after = store_row_int(rows, 5),
        .revoked_s = store_row_int(rows, 6),
        .reason = (int)store_row_int(rows, 7),
    };
    TRY(op, name_of(op, conn, cas, store_row_int(rows, 0), &ret->ca));
    return name_of(op, conn, profiles, store_row_int(rows, 1), &ret->profile);
}

static kw_status walk(struct kw_op *op, struct store_conn *conn, struct store_rows *rows,
                      store_standing_fn each, void *ctx)
{
    struct name_text cas[NAMES_KEPT] = {0}, profiles[NAMES_KEPT] = {0};
    struct store_standing one;
    bool row = false;

    for (;;) {
        TRY(op, store_next(op, rows, &row), "reading the status of certificates");
        if (!row) {
            return KW_OK;
        }
        TRY(op, read_one(op, conn, rows, cas, profiles, &one));
        TRY(op, each(op, ctx, &one));
    }
}

kw_status store_standing_each(struct kw_op *op, struct store *store, store_standing_fn each,
                              void *ctx)
{
    AUTO(store_reader) *reader = NULL;
    AUTO(store_rows) *rows = NULL;

    TRY(op, store_reader_take(op, store, &reader));
    TRY(op, store_query(op, reader->conn, &statements, STATUS_EACH, NO_ARGS, &rows));
    return walk(op, reader->conn, rows, each, ctx);
}
