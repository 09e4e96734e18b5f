/* Which certificate a device calls its own. */
#include "store/registration.h"
#include "store/store_internal.h"

enum { SAID_PUT, SAID_GET };

#define SAID_PUT_SQL                                                                               \
    "INSERT INTO device_said (owner, fingerprint, at_ms) VALUES"                                   \
    " ((SELECT id FROM owner WHERE text = ?1), ?2, ?3)"                                            \
    " ON CONFLICT (owner) DO UPDATE SET fingerprint = ?2, at_ms = ?3"

static const char *const sql[] = {
    [SAID_PUT] = SAID_PUT_SQL,
    [SAID_GET] = "SELECT s.fingerprint, s.at_ms FROM owner o JOIN device_said s ON s.owner = o.id"
                 " WHERE o.text = ?1",
};
static const struct store_statements statements = {STORE_NOUN_SAID, KW_COUNT(sql), sql};

kw_status store_device_said(struct kw_op *op, struct store_txn *txn, const char *device,
                            const uint8_t fingerprint[KW_HASH_BYTES], int64_t at_ms)
{
    char owner[NAMES_TEXT_MAX] = "";

    TRY(op, names_device_owner(op, device, owner));
    TRY(op,
        store_run(op, txn->conn, &statements, SAID_PUT,
                  ARGS(V_TEXT(owner), V_BLOB(KW_SPAN(fingerprint, KW_HASH_BYTES)), V_INT(at_ms))),
        "recording what device '%s' said", device);
    return KW_OK;
}

kw_status store_device_says(struct kw_op *op, struct store *store, const char *device,
                            uint8_t ret[KW_HASH_BYTES], int64_t *ret_at_ms)
{
    char owner[NAMES_TEXT_MAX] = "";
    AUTO(store_reader) *reader = NULL;
    AUTO(store_rows) *rows = NULL;

    TRY(op, names_device_owner(op, device, owner));
    TRY(op, store_reader_take(op, store, &reader));
    TRY(op, store_first(op, reader->conn, &statements, SAID_GET, ARGS(V_TEXT(owner)), &rows),
        "what device '%s' said", device);
    ENSURE(op, rows, KW_E_NOT_FOUND, "device '%s' named no certificate yet", device);
    *ret_at_ms = store_row_int(rows, 1);
    return store_row_fixed(op, rows, 0, ret, KW_HASH_BYTES);
}
