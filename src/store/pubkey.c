#include "store/store_internal.h"

enum { PUBKEY_INSERT, PUBKEY_SET_STATE, PUBKEY_GET, PUBKEY_LIST };

/* The order of columns that row_read() takes. */
#define PUBKEY_COLUMNS                                                                             \
    "SELECT k.id, o.text, p.text, k.class, k.state, a.text, c.text, k.created_ms, k.state_ms"      \
    " FROM pubkey k JOIN owner o ON o.id = k.owner JOIN name p ON p.id = k.profile"                \
    " JOIN name a ON a.id = k.alg JOIN name c ON c.id = k.custody "

static const char *const sql[] = {
    [PUBKEY_INSERT] = "INSERT INTO pubkey (id8, id, owner, profile, class, state, alg, custody,"
                      " created_ms, state_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    [PUBKEY_SET_STATE] = "UPDATE pubkey SET state = ?3, state_ms = ?4 WHERE id8 = ?1 AND id = ?2",
    [PUBKEY_GET] = PUBKEY_COLUMNS "WHERE k.id8 = ?1 AND k.id = ?2",
    [PUBKEY_LIST] = PUBKEY_COLUMNS "WHERE k.id8 >= ?1 AND (k.id8 > ?1 OR k.id > ?2)"
                                   " ORDER BY k.id8, k.id LIMIT ?3",
};
static const struct store_statements statements = {STORE_NOUN_PUBKEY, KW_COUNT(sql), sql};

#define ID_ARGS(id)                                                                                \
    V_INT(store_key_head(KW_SPAN(id, KW_HASH_BYTES))), V_BLOB(KW_SPAN(id, KW_HASH_BYTES))

static kw_status check(struct kw_op *op, const struct store_pubkey *key)
{
    ENSURE(op, key->class_ > KEY_CLASS_NONE && key->class_ < KEY_CLASS_MAX, KW_E_INPUT,
           "%d is no class of keys", (int)key->class_);
    ENSURE(op, key->state >= KEY_PRE_ACTIVE && key->state < KEY_STATE_MAX, KW_E_INPUT,
           "%d is no state of a key", (int)key->state);
    ENSURE(op, key->owner[0] != '\0', KW_E_INPUT, "a key needs an owner");
    return KW_OK;
}

kw_status store_pubkey_insert(struct kw_op *op, struct store_txn *txn,
                              const struct store_pubkey *key)
{
    int64_t owner = 0, profile = 0, alg = 0, custody = 0;

    TRY(op, check(op, key));
    TRY(op, names_id(op, txn, NAMES_OWNER, key->owner, &owner));
    TRY(op, names_id(op, txn, NAMES_NAME, key->profile, &profile));
    TRY(op, names_id(op, txn, NAMES_NAME, key->alg, &alg));
    TRY(op, names_id(op, txn, NAMES_NAME, key->custody, &custody));
    TRY(op,
        store_run(op, txn->conn, &statements, PUBKEY_INSERT,
                  ARGS(ID_ARGS(key->id), V_INT(owner), V_INT(profile), V_INT(key->class_),
                       V_INT(key->state), V_INT(alg), V_INT(custody), V_INT(key->created_ms),
                       V_INT(key->state_ms))),
        "recording the public key");
    txn->tally[TALLY_PUBKEYS]++;
    return KW_OK;
}

kw_status store_pubkey_set_state(struct kw_op *op, struct store_txn *txn,
                                 const uint8_t id[KW_HASH_BYTES], enum key_state state,
                                 int64_t at_ms)
{
    ENSURE(op, state >= KEY_PRE_ACTIVE && state < KEY_STATE_MAX, KW_E_INPUT,
           "%d is no state of a key", (int)state);
    TRY(op,
        store_run(op, txn->conn, &statements, PUBKEY_SET_STATE,
                  ARGS(ID_ARGS(id), V_INT(state), V_INT(at_ms))),
        "setting the state of a public key");
    ENSURE(op, txn->conn->driver->changed(txn->conn) == 1, KW_E_NOT_FOUND, "no such public key");
    return KW_OK;
}

static kw_status row_read(struct kw_op *op, const struct store_rows *rows, struct store_pubkey *ret)
{
    struct store_pubkey key = {
        .class_ = (enum key_class)store_row_int(rows, 3),
        .state = (enum key_state)store_row_int(rows, 4),
        .created_ms = store_row_int(rows, 7),
        .state_ms = store_row_int(rows, 8),
    };

    TRY(op, store_row_fixed(op, rows, 0, key.id, sizeof(key.id)));
    TRY(op, store_row_text(op, rows, 1, key.owner, sizeof(key.owner)));
    TRY(op, store_row_text(op, rows, 2, key.profile, sizeof(key.profile)));
    TRY(op, store_row_text(op, rows, 5, key.alg, sizeof(key.alg)));
    TRY(op, store_row_text(op, rows, 6, key.custody, sizeof(key.custody)));
    *ret = key;
    return KW_OK;
}

static kw_status get(struct kw_op *op, struct store_conn *conn, const uint8_t id[KW_HASH_BYTES],
                     struct store_pubkey *ret)
{
    AUTO(store_rows) *rows = NULL;

    TRY(op, store_first(op, conn, &statements, PUBKEY_GET, ARGS(ID_ARGS(id)), &rows),
        "reading a public key");
    ENSURE(op, rows, KW_E_NOT_FOUND, "no such public key");
    return row_read(op, rows, ret);
}

kw_status store_pubkey_get(struct kw_op *op, struct store *store, const uint8_t id[KW_HASH_BYTES],
                           struct store_pubkey *ret)
{
    AUTO(store_reader) *reader = NULL;

    TRY(op, store_reader_take(op, store, &reader));
    return get(op, reader->conn, id, ret);
}

kw_status store_pubkey_get_txn(struct kw_op *op, struct store_txn *txn,
                               const uint8_t id[KW_HASH_BYTES], struct store_pubkey *ret)
{
    return get(op, txn->conn, id, ret);
}

kw_status store_pubkey_list(struct kw_op *op, struct store *store,
                            const uint8_t after[KW_HASH_BYTES], unsigned max,
                            struct store_pubkey *ret, unsigned *ret_n)
{
    static const uint8_t start[KW_HASH_BYTES];
    const uint8_t *from = after ? after : start;
    AUTO(store_reader) *reader = NULL;
    AUTO(store_rows) *rows = NULL;
    bool row = false;
    unsigned n = 0;

    TRY(op, store_reader_take(op, store, &reader));
    TRY(op, store_query(op, reader->conn, &statements, PUBKEY_LIST, ARGS(ID_ARGS(from), V_INT(max)),
                        &rows));
    for (; n < max; n++) {
        TRY(op, store_next(op, rows, &row), "listing public keys");
        if (!row) {
            break;
        }
        TRY(op, row_read(op, rows, &ret[n]));
    }
    *ret_n = n;
    return KW_OK;
}
