#include "store/store_internal.h"

enum { DEVICE_INSERT, DEVICE_UPDATE, DEVICE_FIRMWARE, DEVICE_STATE, DEVICE_GET, DEVICE_LIST };

/* The order of columns that row_read() takes. */
#define DEVICE_COLUMNS                                                                             \
    "SELECT d.id, p.text, d.serial, h.text, d.state, d.registered_ms,"                             \
    " d.last_seen_ms, d.agent, d.root_of_trust, d.simulated, d.secret_hash, d.secret_expires_ms,"  \
    " d.secret_used_csr, d.secret_failures, d.firmware, b.text,"                                   \
    " d.renew_plan, a.verdict, a.level, a.simulated, a.valid_until_ms, a.reset_count,"             \
    " a.restart_count, coalesce(a.reason, 'no_round'), g.state, d.barred_ms, d.barred_reason"      \
    " FROM owner o JOIN device d ON d.owner = o.id JOIN name p ON p.id = d.product"                \
    " JOIN name h ON h.id = d.hw_type LEFT JOIN name b ON b.id = d.batch"                          \
    " LEFT JOIN batch g ON g.name = d.batch LEFT JOIN attest a ON a.owner = d.owner "

static const char *const sql[] = {
    [DEVICE_INSERT] = "INSERT INTO device (owner, product, serial, hw_type, state, registered_ms,"
                      " last_seen_ms, agent, root_of_trust, simulated, secret_hash,"
                      " secret_expires_ms, secret_used_csr, secret_failures, id, firmware, batch)"
                      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15,"
                      " ?16, ?17)",
    [DEVICE_UPDATE] = "UPDATE device SET state = ?2, last_seen_ms = ?3, agent = ?4,"
                      " root_of_trust = ?5, simulated = ?6, secret_hash = ?7,"
                      " secret_expires_ms = ?8, secret_used_csr = ?9, secret_failures = ?10"
                      " WHERE owner = ?1",
    /* Apart: it is in an index, which every other change of a device leaves alone. */
    [DEVICE_FIRMWARE] = "UPDATE device SET firmware = ?2 WHERE owner = ?1",
    [DEVICE_STATE] = "SELECT state, firmware FROM device WHERE owner = ?1",
    [DEVICE_GET] = DEVICE_COLUMNS "WHERE o.text = ?1",
    /* Behind 'device:' comes 'device;' in the order of octets. */
    [DEVICE_LIST] = DEVICE_COLUMNS "WHERE o.text > ?1 AND o.text < 'device;'"
                                   " ORDER BY o.text LIMIT ?2",
};
static const struct store_statements statements = {STORE_NOUN_DEVICE, KW_COUNT(sql), sql};

static kw_status check(struct kw_op *op, const struct store_device *device)
{
    ENSURE(op, device->state >= DEVICE_REGISTERED && device->state <= DEVICE_RETIRED, KW_E_INPUT,
           "%d is no state of a device", (int)device->state);
    return KW_OK;
}

kw_status store_device_insert(struct kw_op *op, struct store_txn *txn,
                              const struct store_device *device)
{
    char text[NAMES_TEXT_MAX] = "";
    int64_t owner = 0, product = 0, hw_type = 0, batch = 0;

    TRY(op, check(op, device));
    TRY(op, names_device_owner(op, device->id, text));
    if (device->batch[0] != '\0') {
        TRY(op, names_id(op, txn, NAMES_NAME, device->batch, &batch));
    }
    TRY(op, names_id(op, txn, NAMES_OWNER, text, &owner));
    TRY(op, names_id(op, txn, NAMES_NAME, device->product, &product));
    TRY(op, names_id(op, txn, NAMES_NAME, device->hw_type, &hw_type));
    TRY(op,
        store_run(op, txn->conn, &statements, DEVICE_INSERT,
                  ARGS(V_INT(owner), V_INT(product), V_TEXT(device->serial), V_INT(hw_type),
                       V_INT(device->state), V_INT(device->registered_ms),
                       V_INT(device->last_seen_ms), V_TEXT(device->agent),
                       V_TEXT(device->root_of_trust), V_INT(device->simulated),
                       store_value_hash(device->secret_hash), V_INT(device->secret_expires_ms),
                       store_value_hash(device->secret_used_csr), V_INT(device->secret_failures),
                       V_TEXT(device->id), V_TEXT(device->firmware),
                       device->batch[0] != '\0' ? V_INT(batch) : V_NULL)),
        "recording device '%s'", device->id);
    txn->tally[TALLY_DEVICES]++;
    txn->tally[TALLY_DEVICES_ACTIVE] += device->state == DEVICE_ACTIVE;
    return notice_device(op, txn, device);
}

/* A device before a change. */
struct before {
    int64_t owner;
    enum device_state state;
    char firmware[FIRMWARE_MAX];
};

static kw_status find(struct kw_op *op, struct store_txn *txn, const char *id, struct before *ret)
{
    char text[NAMES_TEXT_MAX] = "";
    AUTO(store_rows) *rows = NULL;

    TRY(op, names_device_owner(op, id, text));
    kw_status status = names_find(op, txn, NAMES_OWNER, text, &ret->owner);
    ENSURE(op, status.code != KW_E_NOT_FOUND, KW_E_NOT_FOUND, "no device '%s'", id);
    TRY(op, status);
    TRY(op, store_first(op, txn->conn, &statements, DEVICE_STATE, ARGS(V_INT(ret->owner)), &rows));
    ENSURE(op, rows, KW_E_NOT_FOUND, "no device '%s'", id);
    ret->state = (enum device_state)store_row_int(rows, 0);
    return store_row_text(op, rows, 1, ret->firmware, sizeof(ret->firmware));
}

kw_status store_device_update(struct kw_op *op, struct store_txn *txn,
                              const struct store_device *device)
{
    struct before before = {0};

    TRY(op, check(op, device));
    TRY(op, find(op, txn, device->id, &before));
    TRY(op,
        store_run(op, txn->conn, &statements, DEVICE_UPDATE,
                  ARGS(V_INT(before.owner), V_INT(device->state), V_INT(device->last_seen_ms),
                       V_TEXT(device->agent), V_TEXT(device->root_of_trust),
                       V_INT(device->simulated), store_value_hash(device->secret_hash),
                       V_INT(device->secret_expires_ms), store_value_hash(device->secret_used_csr),
                       V_INT(device->secret_failures))),
        "updating device '%s'", device->id);
    if (strcmp(before.firmware, device->firmware) != 0) {
        TRY(op,
            store_run(op, txn->conn, &statements, DEVICE_FIRMWARE,
                      ARGS(V_INT(before.owner), V_TEXT(device->firmware))),
            "updating device '%s'", device->id);
    }
    txn->tally[TALLY_DEVICES_ACTIVE] +=
        (device->state == DEVICE_ACTIVE) - (before.state == DEVICE_ACTIVE);
    return notice_device(op, txn, device);
}

static kw_status read_texts(struct kw_op *op, const struct store_rows *rows,
                            struct store_device *ret)
{
    TRY(op, store_row_text(op, rows, 0, ret->id, sizeof(ret->id)));
    TRY(op, store_row_text(op, rows, 1, ret->product, sizeof(ret->product)));
    TRY(op, store_row_text(op, rows, 2, ret->serial, sizeof(ret->serial)));
    TRY(op, store_row_text(op, rows, 3, ret->hw_type, sizeof(ret->hw_type)));
    TRY(op, store_row_text(op, rows, 7, ret->agent, sizeof(ret->agent)));
    TRY(op, store_row_text(op, rows, 14, ret->firmware, sizeof(ret->firmware)));
    TRY(op, store_row_text(op, rows, 15, ret->batch, sizeof(ret->batch)));
    return store_row_text(op, rows, 8, ret->root_of_trust, sizeof(ret->root_of_trust));
}

static kw_status read_attest(struct kw_op *op, const struct store_rows *rows,
                             struct store_device_attest *ret)
{
    char reason[32] = "";

    TRY(op, store_row_text(op, rows, 23, reason, sizeof(reason)));
    *ret = (struct store_device_attest){
        .verdict = (enum attest_verdict)store_row_int(rows, 17),
        .level = (enum attest_level)store_row_int(rows, 18),
        .simulated = store_row_int(rows, 19) != 0,
        .valid_until_ms = store_row_int(rows, 20),
        .reset_count = (uint32_t)store_row_int(rows, 21),
        .restart_count = (uint32_t)store_row_int(rows, 22),
        .reason = attest_reason_from_text(reason),
    };
    return KW_OK;
}

static kw_status row_read(struct kw_op *op, const struct store_rows *rows, struct store_device *ret)
{
    struct store_device device = {
        .state = (enum device_state)store_row_int(rows, 4),
        .registered_ms = store_row_int(rows, 5),
        .last_seen_ms = store_row_int(rows, 6),
        .simulated = store_row_int(rows, 9) != 0,
        .secret_expires_ms = store_row_int(rows, 11),
        .secret_failures = (uint32_t)store_row_int(rows, 13),
        .renew_plan = store_row_int(rows, 16),
        .batch_state = (enum batch_state)store_row_int(rows, 24),
        .barred_ms = store_row_int(rows, 25),
        .barred_reason = (int)store_row_int(rows, 26),
    };

    TRY(op, read_texts(op, rows, &device));
    TRY(op, read_attest(op, rows, &device.attest));
    TRY(op, store_row_fixed(op, rows, 10, device.secret_hash, sizeof(device.secret_hash)));
    TRY(op, store_row_fixed(op, rows, 12, device.secret_used_csr, sizeof(device.secret_used_csr)));
    *ret = device;
    return KW_OK;
}

static kw_status get(struct kw_op *op, struct store_conn *conn, const char *id,
                     struct store_device *ret)
{
    char text[NAMES_TEXT_MAX] = "";
    AUTO(store_rows) *rows = NULL;

    TRY(op, names_device_owner(op, id, text));
    TRY(op, store_first(op, conn, &statements, DEVICE_GET, ARGS(V_TEXT(text)), &rows),
        "reading device '%s'", id);
    ENSURE(op, rows, KW_E_NOT_FOUND, "no device '%s'", id);
    return row_read(op, rows, ret);
}

kw_status store_device_get(struct kw_op *op, struct store *store, const char *id,
                           struct store_device *ret)
{
    AUTO(store_reader) *reader = NULL;

    TRY(op, store_reader_take(op, store, &reader));
    return get(op, reader->conn, id, ret);
}

kw_status store_device_get_txn(struct kw_op *op, struct store_txn *txn, const char *id,
                               struct store_device *ret)
{
    return get(op, txn->conn, id, ret);
}

kw_status store_device_list(struct kw_op *op, struct store *store, const char *after, unsigned max,
                            struct store_device *ret, unsigned *ret_n)
{
    char text[NAMES_TEXT_MAX] = "device:";
    AUTO(store_reader) *reader = NULL;
    AUTO(store_rows) *rows = NULL;
    bool row = false;
    unsigned n = 0;

    if (after && after[0] != '\0') {
        TRY(op, names_device_owner(op, after, text));
    }
    TRY(op, store_reader_take(op, store, &reader));
    TRY(op, store_query(op, reader->conn, &statements, DEVICE_LIST, ARGS(V_TEXT(text), V_INT(max)),
                        &rows));
    for (; n < max; n++) {
        TRY(op, store_next(op, rows, &row), "listing devices");
        if (!row) {
            break;
        }
        TRY(op, row_read(op, rows, &ret[n]));
    }
    *ret_n = n;
    return KW_OK;
}
