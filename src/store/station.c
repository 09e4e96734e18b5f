/* Stations: registration authorities, and the products whose devices they may enrol. */
#include "store/store_internal.h"

enum { STATION_GRANT, STATION_END, STATION_MAY, STATION_SERIAL, STATION_LIST };

static const char *const sql[] = {
    [STATION_GRANT] = "INSERT INTO station_grant (station, product, granted_ms) VALUES (?1, ?2, ?3)"
                      " ON CONFLICT DO NOTHING",
    [STATION_END] = "DELETE FROM station_grant WHERE station = ?1 AND product = ?2",
    [STATION_MAY] = "SELECT 1 FROM name p JOIN station_grant g ON g.product = p.id"
                    " WHERE p.text = ?2 AND g.station = ?1",
    [STATION_SERIAL] = "SELECT d.id FROM station_grant g JOIN device d ON d.product = g.product"
                       " WHERE g.station = ?1 AND d.serial = ?2 LIMIT 2",
    [STATION_LIST] = "SELECT g.station, p.text, g.granted_ms FROM station_grant g"
                     " JOIN name p ON p.id = g.product WHERE (g.station, p.text) > (?1, ?2)"
                     " ORDER BY g.station, p.text LIMIT ?3",
};
static const struct store_statements statements = {STORE_NOUN_STATION, KW_COUNT(sql), sql};
_Static_assert(KW_COUNT(sql) <= STORE_STATEMENTS_MAX, "room in every connection");

kw_status store_station_grant(struct kw_op *op, struct store_txn *txn,
                              const struct store_grant *grant)
{
    int64_t product = 0;

    ENSURE(op, grant->station[0] != '\0' && grant->product[0] != '\0', KW_E_INPUT,
           "a grant names a station and a product");
    TRY(op, names_id(op, txn, NAMES_NAME, grant->product, &product));
    TRY(op,
        store_run(op, txn->conn, &statements, STATION_GRANT,
                  ARGS(V_TEXT(grant->station), V_INT(product), V_INT(grant->granted_ms))),
        "station '%s'", grant->station);
    ENSURE(op, txn->conn->driver->changed(txn->conn) == 1, KW_E_CONFLICT,
           "station '%s' may enrol product '%s' already", grant->station, grant->product);
    return KW_OK;
}

kw_status store_station_end(struct kw_op *op, struct store_txn *txn, const char *station,
                            const char *product)
{
    int64_t id = 0;
    kw_status status = names_find(op, txn, NAMES_NAME, product, &id);

    if (kw_ok(status)) {
        TRY(op,
            store_run(op, txn->conn, &statements, STATION_END, ARGS(V_TEXT(station), V_INT(id))),
            "station '%s'", station);
    }
    bool ended = kw_ok(status) && txn->conn->driver->changed(txn->conn) == 1;
    ENSURE(op, ended || (!kw_ok(status) && status.code != KW_E_NOT_FOUND), KW_E_NOT_FOUND,
           "station '%s' may not enrol product '%s' anyway", station, product);
    return status;
}

static kw_status may(struct kw_op *op, struct store_conn *conn, const char *station,
                     const char *product, bool *ret)
{
    AUTO(store_rows) *rows = NULL;

    TRY(op,
        store_first(op, conn, &statements, STATION_MAY, ARGS(V_TEXT(station), V_TEXT(product)),
                    &rows),
        "station '%s'", station);
    *ret = rows != NULL;
    return KW_OK;
}

kw_status store_station_may(struct kw_op *op, struct store *store, const char *station,
                            const char *product, bool *ret)
{
    AUTO(store_reader) *reader = NULL;

    TRY(op, store_reader_take(op, store, &reader));
    return may(op, reader->conn, station, product, ret);
}

kw_status store_station_may_txn(struct kw_op *op, struct store_txn *txn, const char *station,
                                const char *product, bool *ret)
{
    return may(op, txn->conn, station, product, ret);
}

kw_status store_station_device(struct kw_op *op, struct store *store, const char *station,
                               const char *serial, char ret_id[KW_NAME_MAX])
{
    AUTO(store_reader) *reader = NULL;
    AUTO(store_rows) *rows = NULL;
    bool another = false;

    TRY(op, store_reader_take(op, store, &reader));
    TRY(op,
        store_first(op, reader->conn, &statements, STATION_SERIAL,
                    ARGS(V_TEXT(station), V_TEXT(serial)), &rows),
        "serial number '%s'", serial);
    ENSURE(op, rows, KW_E_NOT_FOUND, "no device with serial number '%s'", serial);
    TRY(op, store_row_text(op, rows, 0, ret_id, KW_NAME_MAX));
    TRY(op, store_next(op, rows, &another), "serial number '%s'", serial);
    ENSURE(op, !another, KW_E_CONFLICT, "devices of several products have serial number '%s'",
           serial);
    return KW_OK;
}

static kw_status row_read(struct kw_op *op, const struct store_rows *rows, struct store_grant *ret)
{
    TRY(op, store_row_text(op, rows, 0, ret->station, sizeof(ret->station)));
    TRY(op, store_row_text(op, rows, 1, ret->product, sizeof(ret->product)));
    ret->granted_ms = store_row_int(rows, 2);
    return KW_OK;
}

kw_status store_station_list(struct kw_op *op, struct store *store, const struct store_grant *after,
                             unsigned max, struct store_grant *ret, unsigned *ret_n)
{
    AUTO(store_reader) *reader = NULL;
    AUTO(store_rows) *rows = NULL;
    bool row = false;
    unsigned n = 0;

    TRY(op, store_reader_take(op, store, &reader));
    TRY(op, store_query(op, reader->conn, &statements, STATION_LIST,
                        ARGS(V_TEXT(after ? after->station : ""),
                             V_TEXT(after ? after->product : ""), V_INT(max)),
                        &rows));
    for (; n < max; n++) {
        TRY(op, store_next(op, rows, &row), "listing stations");
        if (!row) {
            break;
        }
        TRY(op, row_read(op, rows, &ret[n]));
    }
    *ret_n = n;
    return KW_OK;
}
