/* All certificates and owners in one walk: what a table in memory is filled with. */
#include "store/store_internal.h"

enum { STATUS_EACH, OWNER_EACH };

static const char *const sql[] = {
    [STATUS_EACH] = "SELECT a.text, p.text, c.owner, c.serial, c.state, c.not_after, c.revoked_s,"
                    " c.reason FROM cert c CROSS JOIN name a ON a.id = c.ca"
                    " CROSS JOIN name p ON p.id = c.profile",
    [OWNER_EACH] = "SELECT o.id, o.text, d.state FROM owner o LEFT JOIN device d ON d.owner = o.id",
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
        TRY(op,
            each(op, ctx, store_row_int(rows, 0), text, (enum device_state)store_row_int(rows, 2)));
    }
}

static struct store_standing read_one(const struct store_rows *rows)
{
    return (struct store_standing){
        .ca = store_row_bytes(rows, 0),
        .profile = store_row_bytes(rows, 1),
        .owner = store_row_int(rows, 2),
        .serial = store_row_bytes(rows, 3),
        .state = (enum cert_state)store_row_int(rows, 4),
        .not_after = store_row_int(rows, 5),
        .revoked_s = store_row_int(rows, 6),
        .reason = (int)store_row_int(rows, 7),
    };
}

kw_status store_standing_each(struct kw_op *op, struct store *store, store_standing_fn each,
                              void *ctx)
{
    AUTO(store_reader) *reader = NULL;
    AUTO(store_rows) *rows = NULL;
    bool row = false;

    TRY(op, store_reader_take(op, store, &reader));
    TRY(op, store_query(op, reader->conn, &statements, STATUS_EACH, NO_ARGS, &rows));
    for (;;) {
        TRY(op, store_next(op, rows, &row), "reading the status of certificates");
        if (!row) {
            return KW_OK;
        }
        const struct store_standing one = read_one(rows);
        TRY(op, each(op, ctx, &one));
    }
}
