/* What message brokers are told. */
#include "store/broker.h"
#include "store/store_internal.h"

enum { CLIENTS_FROM, CLIENTS_OF, CLIENT_ONE };

#define CLIENT                                                                                     \
    "SELECT c.row, o.text, n.text, b.fingerprint, c.state, c.not_after, d.state,"                  \
    " a.verdict, a.level, a.valid_until_ms FROM cert c"                                            \
    " JOIN owner o ON o.id = c.owner JOIN name n ON n.id = c.profile"                              \
    " JOIN cert_body b ON b.row = c.row LEFT JOIN device d ON d.owner = c.owner"                   \
    " LEFT JOIN attest a ON a.owner = c.owner"

static const char *const sql[] = {
    /* 1, 2: valid, superseded; of devices: registered, active. */
    [CLIENTS_FROM] = CLIENT " WHERE c.row > ?1 AND c.not_after >= ?2 AND c.state IN (1, 2)"
                            " AND (d.state IS NULL OR d.state IN (1, 2))"
                            " ORDER BY c.row LIMIT ?3",
    [CLIENTS_OF] = CLIENT " WHERE c.owner = (SELECT id FROM owner WHERE text = ?1)"
                          " AND c.not_after >= ?2 ORDER BY c.row",
    [CLIENT_ONE] = CLIENT " WHERE c.row = (SELECT row FROM cert_body WHERE fingerprint8 = ?1"
                          " AND fingerprint = ?2)",
};
static const struct store_statements statements = {STORE_NOUN_BROKER, KW_COUNT(sql), sql};

static kw_status read_one(struct kw_op *op, const struct store_rows *rows, struct store_client *ret)
{
    *ret = (struct store_client){
        .row = store_row_int(rows, 0),
        .state = (enum cert_state)store_row_int(rows, 4),
        .not_after = store_row_int(rows, 5),
        .device = (enum device_state)store_row_int(rows, 6),
        .verdict = (enum attest_verdict)store_row_int(rows, 7),
        .level = (enum attest_level)store_row_int(rows, 8),
        .trusted_until_ms = store_row_int(rows, 9),
    };
    TRY(op, store_row_text(op, rows, 1, ret->owner, sizeof(ret->owner)));
    TRY(op, store_row_text(op, rows, 2, ret->profile, sizeof(ret->profile)));
    return store_row_fixed(op, rows, 3, ret->fingerprint, sizeof(ret->fingerprint));
}

static kw_status walk(struct kw_op *op, struct store *store, unsigned number,
                      const struct store_value *args, size_t n_args, store_client_fn each,
                      void *ctx)
{
    AUTO(store_reader) *reader = NULL;
    AUTO(store_rows) *rows = NULL;
    struct store_client one;
    bool row = false;

    TRY(op, store_reader_take(op, store, &reader));
    TRY(op, store_query(op, reader->conn, &statements, number, args, n_args, &rows));
    for (;;) {
        TRY(op, store_next(op, rows, &row), "reading who may connect");
        if (!row) {
            return KW_OK;
        }
        TRY(op, read_one(op, rows, &one));
        TRY(op, each(op, ctx, &one));
    }
}

kw_status store_clients_from(struct kw_op *op, struct store *store, int64_t after, int64_t now_s,
                             unsigned max, store_client_fn each, void *ctx)
{
    return walk(op, store, CLIENTS_FROM, ARGS(V_INT(after), V_INT(now_s), V_INT(max)), each, ctx);
}

kw_status store_clients_of(struct kw_op *op, struct store *store, const char *owner, int64_t now_s,
                           store_client_fn each, void *ctx)
{
    return walk(op, store, CLIENTS_OF, ARGS(V_TEXT(owner), V_INT(now_s)), each, ctx);
}

kw_status store_client_by_fingerprint(struct kw_op *op, struct store *store,
                                      const uint8_t fingerprint[KW_HASH_BYTES],
                                      store_client_fn each, void *ctx)
{
    struct kw_span octets = KW_SPAN(fingerprint, KW_HASH_BYTES);

    return walk(op, store, CLIENT_ONE, ARGS(V_INT(store_key_head(octets)), V_BLOB(octets)), each,
                ctx);
}
