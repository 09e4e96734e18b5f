#include "seed.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "crypto/digest.h"
#include "store/query.h"

enum { FIRST = 500, SERIAL = 1, FINGERPRINT, PUBKEY, CSR, ENTRY = 300, TIME_OCTETS = 6 };
#define ISSUED_MS UINT64_C(1700000000000)

void seed_spread(uint64_t no, uint8_t kind, uint8_t ret[KW_HASH_BYTES])
{
    digest_sha256_two(KW_SPAN(&kind, 1), KW_SPAN(&no, sizeof(no)), ret);
}

/* As the keeper makes them: time, then random octets; one a millisecond. */
static void spread_serial(uint64_t no, uint8_t ret[KW_HASH_BYTES])
{
    seed_spread(no, SERIAL, ret);
    for (unsigned i = 0; i < TIME_OCTETS; i++) {
        ret[i] = (uint8_t)((ISSUED_MS + no) >> (8 * (TIME_OCTETS - 1 - i)));
    }
    ret[0] = (ret[0] & 0x3f) | 0x40;
}

void seed_device_id(const struct seed *seed, uint64_t no, char ret[KW_NAME_MAX])
{
    (void)snprintf(ret, KW_NAME_MAX, "D%llu", (unsigned long long)no / seed->certs_a_device);
}

void seed_cert(const struct seed *seed, uint64_t no, struct store_cert *ret)
{
    uint8_t hash[KW_HASH_BYTES];
    char id[KW_NAME_MAX];

    memset(ret, 0, offsetof(struct store_cert, der));
    spread_serial(no, hash);
    memcpy(ret->serial, hash, KW_SERIAL_BYTES);
    ret->serial_len = KW_SERIAL_BYTES;
    seed_spread(no, FINGERPRINT, ret->fingerprint);
    seed_spread(no, PUBKEY, ret->pubkey);
    seed_spread(no, CSR, ret->csr);
    KW_TEXT_SET(ret->ca, "devices");
    KW_TEXT_SET(ret->profile, "ldevid");
    seed_device_id(seed, no, id);
    (void)snprintf(ret->owner, sizeof(ret->owner), "device:%.80s", id);
    (void)snprintf(ret->subject, sizeof(ret->subject), "O=Example,CN=%.80s", id);
    ret->not_before = 1700000000;
    ret->not_after =
        seed->not_after + (seed->ends_a_second ? (int64_t)(no / seed->ends_a_second) : 0);
    ret->state = CERT_STATE_VALID;
    ret->issued_ms = (int64_t)ISSUED_MS;
    memcpy(ret->der, seed->der.p, seed->der.len);
    ret->der_len = seed->der.len;
}

static kw_status insert_device(struct kw_op *op, struct store_txn *txn, const struct seed *seed,
                               uint64_t no)
{
    struct store_device device = {.product = "lamp", .hw_type = "1.2.3", .state = DEVICE_ACTIVE};

    seed_device_id(seed, no, device.id);
    KW_TEXT_SET(device.serial, device.id);
    KW_TEXT_SET(device.batch, seed->batch);
    device.registered_ms = device.last_seen_ms = 1700000000000;
    return store_device_insert(op, txn, &device);
}

static kw_status insert_one(struct kw_op *op, struct store_txn *txn, const struct seed *seed,
                            uint64_t no, struct store_cert *cert)
{
    struct store_pubkey key = {.class_ = KEY_CLASS_DEVICE_LDEVID, .state = KEY_ACTIVE};
    char entry[ENTRY];

    seed_cert(seed, no, cert);
    memcpy(key.id, cert->pubkey, KW_HASH_BYTES);
    KW_TEXT_SET(key.owner, cert->owner);
    KW_TEXT_SET(key.profile, cert->profile);
    KW_TEXT_SET(key.alg, "ec-p256");
    KW_TEXT_SET(key.custody, "device");
    if (no % seed->certs_a_device == 0) {
        TRY(op, insert_device(op, txn, seed, no));
    }
    TRY(op, store_pubkey_insert(op, txn, &key));
    TRY(op, store_cert_insert(op, txn, cert));
    memset(entry, 'e', sizeof(entry));
    return seed->logged ? store_log_append(op, txn, KW_SPAN_ARRAY(entry)) : KW_OK;
}

struct range {
    const struct seed *seed;
    uint64_t from, n;
};

static kw_status insert_range(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    const struct range *range = ctx;
    struct store_cert cert;

    for (uint64_t i = 0; i < range->n; i++) {
        TRY(op, insert_one(op, txn, range->seed, range->from + i, &cert));
    }
    return KW_OK;
}

void seed_insert(const struct seed *seed, struct store *store, uint64_t from, uint64_t n)
{
    struct range range = {seed, from, n};
    struct kw_op op;

    bench_op(&op);
    bench_need(&op, store_change(&op, store, insert_range, &range), "seeding");
}

/* --- many, into a store that nobody has open -------------------------------------------------- */

struct bulk {
    const struct seed *seed;
    uint64_t from, n;
    sqlite3 *db;
};

static void need(struct bulk *bulk, int rc, const char *sql)
{
    if (rc != SQLITE_OK && rc != SQLITE_DONE) {
        bench_die("seeding: %s\n  %s", sqlite3_errmsg(bulk->db), sql);
    }
}

/* spread(NUMBER, KIND): as seed_spread(); of a serial number as seed_cert() shortens it. */
static void sql_spread(sqlite3_context *context, int n, sqlite3_value **values)
{
    uint8_t hash[KW_HASH_BYTES];
    uint8_t kind = (uint8_t)sqlite3_value_int(values[1]);
    uint64_t no = (uint64_t)sqlite3_value_int64(values[0]);

    (void)n;
    if (kind == SERIAL) {
        spread_serial(no, hash);
    } else {
        seed_spread(no, kind, hash);
    }
    sqlite3_result_blob(context, hash, kind == SERIAL ? KW_SERIAL_BYTES : KW_HASH_BYTES,
                        SQLITE_TRANSIENT);
}

/* head(OCTETS): as store_key_head() */
static void sql_head(sqlite3_context *context, int n, sqlite3_value **values)
{
    struct kw_span octets =
        KW_SPAN(sqlite3_value_blob(values[0]), (size_t)sqlite3_value_bytes(values[0]));

    (void)n;
    sqlite3_result_int64(context, store_key_head(octets));
}

/* The others are like the first one, but for what must differ. */
#define EACH(step)                                                                                 \
    " WITH RECURSIVE n (i) AS (SELECT :from UNION ALL SELECT i + " step " FROM n"                  \
    " WHERE i + " step " < :to) SELECT "
#define OWNER "(SELECT id FROM first_owner) + (i - :from) / :each"
#define ROW "(SELECT row FROM first_row) + i - :from"
#define DEVICE "'D' || (i / :each)"
/* clang-format off */
static const char *const bulk_sql[] = {
    "CREATE TEMP TABLE first_owner AS SELECT max(id) + 1 AS id FROM owner",
    "CREATE TEMP TABLE first_row AS SELECT max(row) + 1 AS row FROM cert",
    "INSERT INTO owner (id, text)"
    EACH(":each") OWNER ", 'device:' || " DEVICE " FROM n",
    "INSERT INTO subject (cn, text, owner)"
    EACH(":each") "lower(" DEVICE "), 'o=example,cn=' || lower(" DEVICE "), " OWNER " FROM n",
    "INSERT INTO device (owner, id, product, serial, hw_type, state, registered_ms, last_seen_ms,"
    " agent, root_of_trust, simulated, secret_expires_ms, secret_failures, firmware, batch)"
    EACH(":each") OWNER ", " DEVICE ", product, " DEVICE ", hw_type, state, registered_ms,"
    " last_seen_ms, agent, root_of_trust, simulated, secret_expires_ms, secret_failures, firmware,"
    " batch FROM n, device WHERE owner = (SELECT id FROM owner WHERE text = 'device:D0')",
    "INSERT INTO pubkey (id8, id, owner, profile, class, state, alg, custody, created_ms, state_ms)"
    EACH("1") "head(spread(i, :pubkey)), spread(i, :pubkey), " OWNER ", profile, class, state, alg,"
    " custody, created_ms, state_ms FROM n, pubkey WHERE id8 = head(spread(0, :pubkey))",
    "INSERT INTO cert (row, ca, serial8, serial, owner, csr4, profile, state, not_before,"
    " not_after, revoked_s, reason, issued_ms, shard)"
    EACH("1") ROW ", ca, head(spread(i, :serial)), spread(i, :serial), " OWNER ","
    " (head(spread(i, :csr)) >> 32) + 2147483648, profile, state, not_before,"
    " not_after + iif(:ends > 0, i / :ends, 0), revoked_s, reason, issued_ms, shard"
    " FROM n, cert WHERE serial8 = head(spread(0, :serial))",
    "INSERT INTO cert_body (row, fingerprint8, fingerprint, csr, pubkey, subject, der, owner)"
    EACH("1") ROW ", head(spread(i, :fingerprint)), spread(i, :fingerprint), spread(i, :csr),"
    " spread(i, :pubkey), 'O=Example,CN=' || " DEVICE ", der, 'device:' || " DEVICE
    " FROM n, cert_body WHERE fingerprint8 = head(spread(0, :fingerprint))",
    "INSERT INTO log (idx, entry)"
    EACH("1") "(SELECT max(idx) + 1 FROM log) + i - :from, entry FROM n, log"
    " WHERE :logged AND idx = 0",
    /* TALLY_DEVICES, _ACTIVE; TALLY_CERTS, _VALID, TALLY_PUBKEYS */
    "UPDATE tally SET n = n + (:to - :from + :each - 1) / :each WHERE kind IN (1, 2)",
    "UPDATE tally SET n = n + :to - :from WHERE kind IN (3, 4, 6)",
};
/* clang-format on */

static void bulk_run(struct bulk *bulk, const char *sql)
{
    const struct {
        const char *name;
        uint64_t value;
    } args[] = {
        {":from",        bulk->from                },
        {":to",          bulk->from + bulk->n      },
        {":each",        bulk->seed->certs_a_device},
        {":ends",        bulk->seed->ends_a_second },
        {":logged",      bulk->seed->logged        },
        {":serial",      SERIAL                    },
        {":fingerprint", FINGERPRINT               },
        {":pubkey",      PUBKEY                    },
        {":csr",         CSR                       },
    };
    sqlite3_stmt *stmt = NULL;

    need(bulk, sqlite3_prepare_v2(bulk->db, sql, -1, &stmt, NULL), sql);
    for (size_t i = 0; i < KW_COUNT(args); i++) {
        int at = sqlite3_bind_parameter_index(stmt, args[i].name);
        if (at > 0) {
            need(bulk, sqlite3_bind_int64(stmt, at, (sqlite3_int64)args[i].value), sql);
        }
    }
    need(bulk, sqlite3_step(stmt), sql);
    need(bulk, sqlite3_finalize(stmt), sql);
}

void seed_bulk(const struct seed *seed, const char *path, uint64_t from, uint64_t n)
{
    struct bulk bulk = {.seed = seed, .from = from, .n = n};
    const char *before = "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
                         "PRAGMA cache_size = -2000000; BEGIN";
    int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC;

    if (from % seed->certs_a_device != 0) {
        bench_die("seeding goes on with a whole device");
    }
    need(&bulk, sqlite3_open(path, &bulk.db), path);
    need(&bulk, sqlite3_create_function(bulk.db, "spread", 2, flags, NULL, sql_spread, NULL, NULL),
         "spread");
    need(&bulk, sqlite3_create_function(bulk.db, "head", 1, flags, NULL, sql_head, NULL, NULL),
         "head");
    need(&bulk, sqlite3_exec(bulk.db, before, NULL, NULL, NULL), before);
    for (size_t i = 0; i < KW_COUNT(bulk_sql); i++) {
        bulk_run(&bulk, bulk_sql[i]);
    }
    need(&bulk, sqlite3_exec(bulk.db, "COMMIT", NULL, NULL, NULL), "COMMIT");
    need(&bulk, sqlite3_close(bulk.db), path);
}

void seed_gate(const struct seed *seed, const struct bench_gate *gate, uint64_t n)
{
    char path[256];
    struct store *store = NULL;
    struct kw_op op;
    uint64_t first = n < FIRST ? n : FIRST;

    (void)snprintf(path, sizeof(path), "%s/store/keywright.db", gate->state);
    struct store_config config = {.path = path};
    bench_op(&op);
    bench_need(&op, store_open(&op, &config, &store), "store");
    seed_insert(seed, store, 0, first);
    store_close(store);
    if (n > first) {
        seed_bulk(seed, path, first, n - first);
    }
}
