/* Public keys that nobody may use: hashes from block lists. */
#include "store/registration.h"
#include "store/store_internal.h"

enum { BLOCKED_ADD, BLOCKED_FIND, BLOCKED_LIST, PUBKEY_LIKE };

/* The order of columns that read_row() takes. */
#define BLOCKED                                                                                    \
    "SELECT b.kind, b.id, n.text, b.added_ms FROM blocked_key b JOIN name n ON n.id = b.list"

static const char *const sql[] = {
    [BLOCKED_ADD] = "INSERT INTO blocked_key (kind, id, list, added_ms) VALUES (?1, ?2, ?3, ?4)"
                    " ON CONFLICT DO NOTHING",
    /* Not one WHERE with OR: SQLite would make a table to keep rows found twice apart. */
    [BLOCKED_FIND] = BLOCKED " WHERE b.kind = 1 AND b.id = ?1 UNION ALL " BLOCKED
                             " WHERE b.kind = 2 AND b.id = ?2 UNION ALL " BLOCKED
                             " WHERE b.kind = 3 AND b.id = ?3 LIMIT 1",
    [BLOCKED_LIST] = BLOCKED " WHERE (b.kind, b.id) > (?1, ?2) ORDER BY b.kind, b.id LIMIT ?3",
    [PUBKEY_LIKE] = "SELECT id FROM pubkey WHERE id8 = ?1 AND substr(id, 1, ?3) = ?2 LIMIT 1",
};
static const struct store_statements statements = {STORE_NOUN_BLOCKED, KW_COUNT(sql), sql};

kw_status store_blocked_add(struct kw_op *op, struct store_txn *txn,
                            const struct store_blocked *blocked, bool *ret_new)
{
    int64_t list = 0;

    TRY(op, names_id(op, txn, NAMES_NAME, blocked->list, &list));
    TRY(op,
        store_run(op, txn->conn, &statements, BLOCKED_ADD,
                  ARGS(V_INT(blocked->kind), V_BLOB(KW_SPAN(blocked->id, blocked->id_len)),
                       V_INT(list), V_INT(blocked->added_ms))),
        "recording a blocked key");
    *ret_new = txn->conn->driver->changed(txn->conn) == 1;
    return KW_OK;
}

static kw_status read_row(struct kw_op *op, const struct store_rows *rows,
                          struct store_blocked *ret)
{
    struct store_blocked blocked = {
        .kind = (enum blocked_kind)store_row_int(rows, 0),
        .added_ms = store_row_int(rows, 3),
    };

    TRY(op, store_row_upto(op, rows, 1, blocked.id, sizeof(blocked.id), &blocked.id_len));
    TRY(op, store_row_text(op, rows, 2, blocked.list, sizeof(blocked.list)));
    *ret = blocked;
    return KW_OK;
}

kw_status store_blocked_find(struct kw_op *op, struct store *store,
                             const struct kw_span names[BLOCKED_MODULUS], struct store_blocked *ret)
{
    AUTO(store_reader) *reader = NULL;
    AUTO(store_rows) *rows = NULL;

    TRY(op, store_reader_take(op, store, &reader));
    TRY(op,
        store_first(op, reader->conn, &statements, BLOCKED_FIND,
                    ARGS(V_BLOB(names[0]), V_BLOB(names[1]), V_BLOB(names[2])), &rows),
        "looking a key up in the block list");
    ENSURE(op, rows, KW_E_NOT_FOUND, "the key is not blocked");
    return read_row(op, rows, ret);
}

kw_status store_blocked_list(struct kw_op *op, struct store *store,
                             const struct store_blocked *after, unsigned max,
                             struct store_blocked *ret, unsigned *ret_n)
{
    static const struct store_blocked start;
    const struct store_blocked *from = after ? after : &start;
    AUTO(store_reader) *reader = NULL;
    AUTO(store_rows) *rows = NULL;
    bool row = false;
    unsigned n = 0;

    TRY(op, store_reader_take(op, store, &reader));
    TRY(op,
        store_query(op, reader->conn, &statements, BLOCKED_LIST,
                    ARGS(V_INT(from->kind), V_BLOB(KW_SPAN(from->id, from->id_len)), V_INT(max)),
                    &rows));
    for (; n < max; n++) {
        TRY(op, store_next(op, rows, &row), "listing blocked keys");
        if (!row) {
            break;
        }
        TRY(op, read_row(op, rows, &ret[n]));
    }
    *ret_n = n;
    return KW_OK;
}

kw_status store_pubkey_like(struct kw_op *op, struct store *store, struct kw_span head,
                            uint8_t ret[KW_HASH_BYTES])
{
    AUTO(store_reader) *reader = NULL;
    AUTO(store_rows) *rows = NULL;

    TRY(op, store_reader_take(op, store, &reader));
    TRY(op,
        store_first(op, reader->conn, &statements, PUBKEY_LIKE,
                    ARGS(V_INT(store_key_head(head)), V_BLOB(head), V_INT(head.len)), &rows),
        "looking for a public key");
    ENSURE(op, rows, KW_E_NOT_FOUND, "no such public key");
    return store_row_fixed(op, rows, 0, ret, KW_HASH_BYTES);
}
