/* Keys for data, as wrapped by the keeper. */
#include "store/store_internal.h"

enum { KEY_INSERT, KEY_ASK, KEY_REWRAP, KEY_GET, KEY_LIST, KEY_LIST_OLD, KEY_COUNT, KEY_NEXT_KEK };

/* The order of columns that row_read() takes. */
#define KEY_COLUMNS                                                                                \
    "SELECT id, kek, generation, context, wrapped, created_ms, rewrapped_ms, state, asked"         \
    " FROM data_key "

static const char *const sql[] = {
    [KEY_INSERT] = "INSERT INTO data_key (id, kek, generation, context, wrapped, created_ms,"
                   " rewrapped_ms, state, asked) VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?7, ?3)",
    [KEY_ASK] = "UPDATE data_key SET asked = ?2 WHERE id = ?1 AND asked < ?2",
    [KEY_REWRAP] =
        "UPDATE data_key SET generation = ?3, asked = ?3, wrapped = ?4, rewrapped_ms = ?5"
        " WHERE id = ?1 AND generation = ?2",
    [KEY_GET] = KEY_COLUMNS "WHERE id = ?1",
    [KEY_LIST] = KEY_COLUMNS "WHERE id > ?1 ORDER BY id LIMIT ?2",
    [KEY_LIST_OLD] = KEY_COLUMNS "WHERE kek = ?1 AND generation < ?2 AND (generation, id) >"
                                 " (?3, ?4) ORDER BY generation, id LIMIT ?5",
    [KEY_COUNT] = "SELECT count(*) FROM data_key WHERE kek = ?1 AND generation >= ?2"
                  " AND generation < ?3",
    [KEY_NEXT_KEK] = "SELECT kek FROM data_key WHERE kek > ?1 ORDER BY kek LIMIT 1",
};
static const struct store_statements statements = {STORE_NOUN_DATA_KEY, KW_COUNT(sql), sql};
_Static_assert(KW_COUNT(sql) <= STORE_STATEMENTS_MAX, "room in every connection");

static kw_status check_wrapped(struct kw_op *op, struct kw_span wrapped)
{
    ENSURE(op, wrapped.len > 0 && wrapped.len <= STORE_WRAPPED_MAX, KW_E_INPUT,
           "a wrapped key of %zu octets", wrapped.len);
    return KW_OK;
}

kw_status store_data_key_insert(struct kw_op *op, struct store_txn *txn,
                                const struct store_data_key *key)
{
    struct kw_span wrapped = KW_SPAN(key->wrapped, key->wrapped_len);

    ENSURE(op, key->id[0] != '\0' && key->kek[0] != '\0', KW_E_INPUT,
           "a data key needs an id and a key that wraps it");
    ENSURE(op, key->state >= KEY_PRE_ACTIVE && key->state < KEY_STATE_MAX, KW_E_INPUT,
           "%d is no state of a key", (int)key->state);
    TRY(op, check_wrapped(op, wrapped));
    TRY(op,
        store_run(op, txn->conn, &statements, KEY_INSERT,
                  ARGS(V_TEXT(key->id), V_TEXT(key->kek), V_INT(key->generation),
                       V_TEXT(key->context), V_BLOB(wrapped), V_INT(key->created_ms),
                       V_INT(key->state))),
        "recording data key '%s'", key->id);
    return KW_OK;
}

kw_status store_data_key_ask(struct kw_op *op, struct store_txn *txn, const char *id,
                             uint32_t generation, bool *ret_new)
{
    TRY(op, store_run(op, txn->conn, &statements, KEY_ASK, ARGS(V_TEXT(id), V_INT(generation))),
        "data key '%s'", id);
    *ret_new = txn->conn->driver->changed(txn->conn) == 1;
    return KW_OK;
}

kw_status store_data_key_rewrap(struct kw_op *op, struct store_txn *txn, const char *id,
                                uint32_t from, uint32_t to, struct kw_span wrapped, int64_t at_ms)
{
    TRY(op, check_wrapped(op, wrapped));
    TRY(op,
        store_run(op, txn->conn, &statements, KEY_REWRAP,
                  ARGS(V_TEXT(id), V_INT(from), V_INT(to), V_BLOB(wrapped), V_INT(at_ms))),
        "rewrapping data key '%s'", id);
    ENSURE(op, txn->conn->driver->changed(txn->conn) == 1, KW_E_CONFLICT,
           "data key '%s' is not under generation %u", id, from);
    return KW_OK;
}

static kw_status row_read(struct kw_op *op, const struct store_rows *rows,
                          struct store_data_key *ret)
{
    struct store_data_key key = {
        .generation = (uint32_t)store_row_int(rows, 2),
        .created_ms = store_row_int(rows, 5),
        .rewrapped_ms = store_row_int(rows, 6),
        .state = (enum key_state)store_row_int(rows, 7),
        .asked = (uint32_t)store_row_int(rows, 8),
    };

    TRY(op, store_row_text(op, rows, 0, key.id, sizeof(key.id)));
    TRY(op, store_row_text(op, rows, 1, key.kek, sizeof(key.kek)));
    TRY(op, store_row_text(op, rows, 3, key.context, sizeof(key.context)));
    TRY(op, store_row_upto(op, rows, 4, key.wrapped, sizeof(key.wrapped), &key.wrapped_len));
    *ret = key;
    return KW_OK;
}

kw_status store_data_key_get(struct kw_op *op, struct store *store, const char *id,
                             struct store_data_key *ret)
{
    AUTO(store_reader) *reader = NULL;
    AUTO(store_rows) *rows = NULL;

    TRY(op, store_reader_take(op, store, &reader));
    TRY(op, store_first(op, reader->conn, &statements, KEY_GET, ARGS(V_TEXT(id)), &rows),
        "reading data key '%s'", id);
    ENSURE(op, rows, KW_E_NOT_FOUND, "no data key '%s'", id);
    return row_read(op, rows, ret);
}

static kw_status read_page(struct kw_op *op, struct store_rows *rows, unsigned max,
                           struct store_data_key *ret, unsigned *ret_n)
{
    bool row = false;
    unsigned n = 0;

    for (; n < max; n++) {
        TRY(op, store_next(op, rows, &row), "listing data keys");
        if (!row) {
            break;
        }
        TRY(op, row_read(op, rows, &ret[n]));
    }
    *ret_n = n;
    return KW_OK;
}

kw_status store_data_key_list(struct kw_op *op, struct store *store, const char *after,
                              unsigned max, struct store_data_key *ret, unsigned *ret_n)
{
    AUTO(store_reader) *reader = NULL;
    AUTO(store_rows) *rows = NULL;

    TRY(op, store_reader_take(op, store, &reader));
    TRY(op, store_query(op, reader->conn, &statements, KEY_LIST, ARGS(V_TEXT(after), V_INT(max)),
                        &rows));
    return read_page(op, rows, max, ret, ret_n);
}

kw_status store_data_key_list_old(struct kw_op *op, struct store *store, const char *kek,
                                  uint32_t below, const struct store_data_key *after, unsigned max,
                                  struct store_data_key *ret, unsigned *ret_n)
{
    AUTO(store_reader) *reader = NULL;
    AUTO(store_rows) *rows = NULL;

    TRY(op, store_reader_take(op, store, &reader));
    TRY(op, store_query(op, reader->conn, &statements, KEY_LIST_OLD,
                        ARGS(V_TEXT(kek), V_INT(below), V_INT(after ? after->generation : 0),
                             V_TEXT(after ? after->id : ""), V_INT(max)),
                        &rows));
    return read_page(op, rows, max, ret, ret_n);
}

kw_status store_data_key_count(struct kw_op *op, struct store *store, const char *kek,
                               uint32_t from, uint32_t below, uint64_t *ret)
{
    AUTO(store_reader) *reader = NULL;
    AUTO(store_rows) *rows = NULL;

    TRY(op, store_reader_take(op, store, &reader));
    TRY(op,
        store_first(op, reader->conn, &statements, KEY_COUNT,
                    ARGS(V_TEXT(kek), V_INT(from), V_INT(below)), &rows),
        "counting data keys");
    ENSURE(op, rows, KW_E_INTERNAL, "counting gave no row");
    *ret = (uint64_t)store_row_int(rows, 0);
    return KW_OK;
}

kw_status store_data_key_next_kek(struct kw_op *op, struct store *store, const char *after,
                                  char ret[KW_NAME_MAX])
{
    AUTO(store_reader) *reader = NULL;
    AUTO(store_rows) *rows = NULL;

    TRY(op, store_reader_take(op, store, &reader));
    TRY(op, store_first(op, reader->conn, &statements, KEY_NEXT_KEK, ARGS(V_TEXT(after)), &rows),
        "keys that wrap data keys");
    ENSURE(op, rows, KW_E_NOT_FOUND, "no further key wraps data keys");
    return store_row_text(op, rows, 0, ret, KW_NAME_MAX);
}
