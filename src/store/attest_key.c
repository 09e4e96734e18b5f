/* Keys that a device's attestation key certified. */
#include "store/attest.h"
#include "store/store_internal.h"

enum { KEY_PUT, KEY_GET, KEY_TRIM, KEY_DROP };

static const char *const sql[] = {
    [KEY_PUT] = "INSERT INTO attest_key (owner, key, at_ms) VALUES (?1, ?2, ?3)"
                " ON CONFLICT (owner, key) DO UPDATE SET at_ms = ?3",
    [KEY_GET] = "SELECT k.at_ms FROM attest_key k JOIN owner o ON o.id = k.owner"
                " WHERE o.text = ?1 AND k.key = ?2",
    [KEY_TRIM] = "DELETE FROM attest_key WHERE owner = ?1 AND key NOT IN (SELECT key"
                 " FROM attest_key WHERE owner = ?1 ORDER BY at_ms DESC, key LIMIT ?2)",
    [KEY_DROP] = "DELETE FROM attest_key WHERE owner = ?1",
};
static const struct store_statements statements = {STORE_NOUN_ATTEST_KEY, KW_COUNT(sql), sql};

static kw_status find_owner(struct kw_op *op, struct store_txn *txn, const char *device,
                            int64_t *ret)
{
    char text[NAMES_TEXT_MAX] = "";

    TRY(op, names_device_owner(op, device, text));
    TRY(op, names_find(op, txn, NAMES_OWNER, text, ret), "device '%s'", device);
    return KW_OK;
}

kw_status store_attest_key_put(struct kw_op *op, struct store_txn *txn, const char *device,
                               const uint8_t key[KW_HASH_BYTES], int64_t at_ms)
{
    int64_t owner = 0;

    TRY(op, find_owner(op, txn, device, &owner));
    TRY(op, store_run(op, txn->conn, &statements, KEY_PUT,
                      ARGS(V_INT(owner), V_BLOB(KW_SPAN(key, KW_HASH_BYTES)), V_INT(at_ms))));
    return store_run(op, txn->conn, &statements, KEY_TRIM,
                     ARGS(V_INT(owner), V_INT(STORE_ATTEST_KEYS)));
}

kw_status store_attest_key_at(struct kw_op *op, struct store *store, const char *device,
                              const uint8_t key[KW_HASH_BYTES], int64_t *ret_ms)
{
    char text[NAMES_TEXT_MAX] = "";
    AUTO(store_reader) *reader = NULL;
    AUTO(store_rows) *rows = NULL;

    TRY(op, names_device_owner(op, device, text));
    TRY(op, store_reader_take(op, store, &reader));
    TRY(op, store_first(op, reader->conn, &statements, KEY_GET,
                        ARGS(V_TEXT(text), V_BLOB(KW_SPAN(key, KW_HASH_BYTES))), &rows));
    *ret_ms = rows ? store_row_int(rows, 0) : 0;
    return KW_OK;
}

kw_status store_attest_key_drop(struct kw_op *op, struct store_txn *txn, const char *device)
{
    int64_t owner = 0;

    TRY(op, find_owner(op, txn, device, &owner));
    return store_run(op, txn->conn, &statements, KEY_DROP, ARGS(V_INT(owner)));
}
