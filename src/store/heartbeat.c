#include "store/heartbeat.h"

#include "store/store_internal.h"

enum { BEAT_GET, BEAT_PUT, BEAT_FORGET };

#define OWNER_ID "(SELECT id FROM owner WHERE text = ?1)"
#define BEAT_PUT_SQL                                                                               \
    "INSERT INTO heartbeat (owner, counter, link, previous, at_ms) VALUES"                         \
    " (" OWNER_ID ", ?2, ?3, ?4, ?5) ON CONFLICT (owner) DO UPDATE SET"                            \
    " counter = ?2, link = ?3, previous = ?4, at_ms = ?5"

static const char *const sql[] = {
    [BEAT_GET] = "SELECT counter, link, previous FROM heartbeat WHERE owner = " OWNER_ID,
    [BEAT_PUT] = BEAT_PUT_SQL,
    [BEAT_FORGET] = "DELETE FROM heartbeat WHERE owner = " OWNER_ID,
};
static const struct store_statements statements = {STORE_NOUN_HEARTBEAT, KW_COUNT(sql), sql};

kw_status store_heartbeat_get_txn(struct kw_op *op, struct store_txn *txn, const char *device,
                                  struct heartbeat *ret)
{
    char owner[NAMES_TEXT_MAX] = "";
    struct heartbeat beat = {0};
    AUTO(store_rows) *rows = NULL;

    TRY(op, names_device_owner(op, device, owner));
    TRY(op, store_first(op, txn->conn, &statements, BEAT_GET, ARGS(V_TEXT(owner)), &rows),
        "the heartbeat of device '%s'", device);
    if (rows) {
        beat.counter = (uint64_t)store_row_int(rows, 0);
        TRY(op, store_row_fixed(op, rows, 1, beat.link, sizeof(beat.link)));
        TRY(op, store_row_fixed(op, rows, 2, beat.previous, sizeof(beat.previous)));
    }
    *ret = beat;
    return KW_OK;
}

kw_status store_heartbeat_put(struct kw_op *op, struct store_txn *txn, const char *device,
                              const struct heartbeat *beat, int64_t at_ms)
{
    char owner[NAMES_TEXT_MAX] = "";

    TRY(op, names_device_owner(op, device, owner));
    return store_run(op, txn->conn, &statements, BEAT_PUT,
                     ARGS(V_TEXT(owner), V_INT(beat->counter), V_BLOB(KW_SPAN_ARRAY(beat->link)),
                          V_BLOB(KW_SPAN_ARRAY(beat->previous)), V_INT(at_ms)));
}

kw_status store_heartbeat_forget(struct kw_op *op, struct store_txn *txn, const char *device)
{
    char owner[NAMES_TEXT_MAX] = "";

    TRY(op, names_device_owner(op, device, owner));
    return store_run(op, txn->conn, &statements, BEAT_FORGET, ARGS(V_TEXT(owner)));
}
