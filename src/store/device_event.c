#include "store/device_event.h"

#include "store/store_internal.h"

enum { LOG_GET, LOG_PUT, LOG_FORGET, EVENT_PUT, EVENT_TRIM, EVENT_LIST_ };

#define OWNER_ID "(SELECT id FROM owner WHERE text = ?1)"
#define LOG_PUT_SQL                                                                                \
    "INSERT INTO device_log (owner, last, head, lost, breaks, unwritten) VALUES"                   \
    " (" OWNER_ID ", ?2, ?3, ?4, ?5, ?6) ON CONFLICT (owner) DO UPDATE SET"                        \
    " last = ?2, head = ?3, lost = ?4, breaks = ?5, unwritten = ?6"
#define EVENT_PUT_SQL                                                                              \
    "INSERT INTO device_event (owner, hash, came_ms, record) VALUES (" OWNER_ID ", ?2, ?3, ?4)"    \
    " ON CONFLICT (owner, hash) DO NOTHING"
#define EVENT_TRIM_SQL                                                                             \
    "DELETE FROM device_event WHERE owner = " OWNER_ID " AND id <= (SELECT id FROM device_event"   \
    " WHERE owner = " OWNER_ID " ORDER BY id DESC LIMIT 1 OFFSET ?2)"

static const char *const sql[] = {
    [LOG_GET] =
        "SELECT last, head, lost, breaks, unwritten FROM device_log WHERE owner = " OWNER_ID,
    [LOG_PUT] = LOG_PUT_SQL,
    [LOG_FORGET] = "UPDATE device_log SET head = NULL WHERE owner = " OWNER_ID,
    [EVENT_PUT] = EVENT_PUT_SQL,
    [EVENT_TRIM] = EVENT_TRIM_SQL,
    [EVENT_LIST_] = "SELECT id, came_ms, record FROM device_event WHERE owner = " OWNER_ID
                    " AND id > ?2 ORDER BY id LIMIT ?3",
};
static const struct store_statements statements = {STORE_NOUN_DEVICE_EVENT, KW_COUNT(sql), sql};

/* --- where each log ends ---------------------------------------------------------------------- */

static kw_status get_log(struct kw_op *op, struct store_conn *conn, const char *device,
                         struct store_device_log *ret)
{
    char owner[NAMES_TEXT_MAX] = "";
    struct store_device_log log = {0};
    AUTO(store_rows) *rows = NULL;
    unsigned n = 0;

    TRY(op, names_device_owner(op, device, owner));
    TRY(op, store_first(op, conn, &statements, LOG_GET, ARGS(V_TEXT(owner)), &rows),
        "the log of device '%s'", device);
    if (rows) {
        log.head.id = (uint64_t)store_row_int(rows, 0);
        TRY(op, store_row_upto(op, rows, 1, log.head.hash, sizeof(log.head.hash), &n));
        log.head.known = n == sizeof(log.head.hash);
        log.lost = (uint64_t)store_row_int(rows, 2);
        log.breaks = (uint64_t)store_row_int(rows, 3);
        log.unwritten = (uint64_t)store_row_int(rows, 4);
    }
    *ret = log;
    return KW_OK;
}

kw_status store_device_log_get(struct kw_op *op, struct store *store, const char *device,
                               struct store_device_log *ret)
{
    AUTO(store_reader) *reader = NULL;

    TRY(op, store_reader_take(op, store, &reader));
    return get_log(op, reader->conn, device, ret);
}

kw_status store_device_log_get_txn(struct kw_op *op, struct store_txn *txn, const char *device,
                                   struct store_device_log *ret)
{
    return get_log(op, txn->conn, device, ret);
}

kw_status store_device_log_put(struct kw_op *op, struct store_txn *txn, const char *device,
                               const struct store_device_log *log)
{
    struct kw_span hash = KW_SPAN(log->head.hash, sizeof(log->head.hash));
    char owner[NAMES_TEXT_MAX] = "";

    TRY(op, names_device_owner(op, device, owner));
    return store_run(op, txn->conn, &statements, LOG_PUT,
                     ARGS(V_TEXT(owner), V_INT(log->head.id), V_BLOB(hash), V_INT(log->lost),
                          V_INT(log->breaks), V_INT(log->unwritten)));
}

kw_status store_device_log_forget(struct kw_op *op, struct store_txn *txn, const char *device)
{
    char owner[NAMES_TEXT_MAX] = "";

    TRY(op, names_device_owner(op, device, owner));
    return store_run(op, txn->conn, &statements, LOG_FORGET, ARGS(V_TEXT(owner)));
}

/* --- events ----------------------------------------------------------------------------------- */

kw_status store_device_event_put(struct kw_op *op, struct store_txn *txn, const char *device,
                                 const uint8_t hash[KW_HASH_BYTES], struct kw_span record,
                                 int64_t came_ms)
{
    char owner[NAMES_TEXT_MAX] = "";

    TRY(op, names_device_owner(op, device, owner));
    return store_run(
        op, txn->conn, &statements, EVENT_PUT,
        ARGS(V_TEXT(owner), V_BLOB(KW_SPAN(hash, KW_HASH_BYTES)), V_INT(came_ms), V_BLOB(record)));
}

kw_status store_device_event_trim(struct kw_op *op, struct store_txn *txn, const char *device)
{
    char owner[NAMES_TEXT_MAX] = "";

    TRY(op, names_device_owner(op, device, owner));
    return store_run(op, txn->conn, &statements, EVENT_TRIM,
                     ARGS(V_TEXT(owner), V_INT(STORE_DEVICE_EVENTS_KEPT)));
}

static kw_status read_event(struct kw_op *op, const struct store_rows *rows,
                            struct store_device_event *ret)
{
    ret->id = store_row_int(rows, 0);
    ret->came_ms = store_row_int(rows, 1);
    return store_row_upto(op, rows, 2, ret->record, sizeof(ret->record), &ret->len);
}

kw_status store_device_event_list(struct kw_op *op, struct store *store, const char *device,
                                  int64_t after, unsigned max, struct store_device_event *ret,
                                  unsigned *ret_n)
{
    char owner[NAMES_TEXT_MAX] = "";
    AUTO(store_reader) *reader = NULL;
    AUTO(store_rows) *rows = NULL;
    bool row = false;
    unsigned n = 0;

    TRY(op, names_device_owner(op, device, owner));
    TRY(op, store_reader_take(op, store, &reader));
    TRY(op, store_query(op, reader->conn, &statements, EVENT_LIST_,
                        ARGS(V_TEXT(owner), V_INT(after), V_INT(max)), &rows));
    for (; n < max; n++) {
        TRY(op, store_next(op, rows, &row), "events of device '%s'", device);
        if (!row) {
            break;
        }
        TRY(op, read_event(op, rows, &ret[n]));
    }
    *ret_n = n;
    return KW_OK;
}
