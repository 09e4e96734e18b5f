#include "sqlite_env.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

int place_setup(void **state)
{
    struct place *place = calloc(1, sizeof(*place));

    assert_non_null(place);
    (void)snprintf(place->dir, sizeof(place->dir), "/tmp/kw-sqlite-XXXXXX");
    assert_non_null(mkdtemp(place->dir));
    (void)snprintf(place->path, sizeof(place->path), "%s/store.db", place->dir);
    *state = place;
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

int place_teardown(void **state)
{
    struct place *place = *state;

    place_close(place);
    (void)nftw(place->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(place);
    return 0;
}

kw_status place_open(struct place *place)
{
    struct store_config config = {.path = place->path};

    kw_op_init(&place->op, "test", 0);
    return store_open(&place->op, &config, &place->store);
}

void place_close(struct place *place)
{
    if (place->store) {
        store_close(place->store);
        place->store = NULL;
    }
}

int place_sql(struct place *place, const char *sql, char *message)
{
    sqlite3 *db = NULL;
    char *text = NULL;

    assert_int_equal(sqlite3_open(place->path, &db), SQLITE_OK);
    (void)sqlite3_extended_result_codes(db, 1);
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_FKEY, 1, NULL);
    int rc = sqlite3_exec(db, sql, NULL, NULL, &text);
    if (message) {
        (void)snprintf(message, 200, "%s", text ? text : "");
    }
    sqlite3_free(text);
    (void)sqlite3_close(db);
    return rc;
}

static int take_number(void *ctx, int n, char **values, char **names)
{
    (void)names;
    *(int64_t *)ctx = n > 0 && values[0] ? strtoll(values[0], NULL, 10) : -1;
    return 0;
}

int64_t place_number(struct place *place, const char *sql)
{
    sqlite3 *db = NULL;
    int64_t number = -1;

    assert_int_equal(sqlite3_open(place->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, take_number, &number, NULL), SQLITE_OK);
    (void)sqlite3_close(db);
    return number;
}

struct pair {
    struct store_pubkey key;
    struct store_cert cert;
};

static kw_status insert_pair(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    struct pair *pair = ctx;

    TRY(op, store_pubkey_insert(op, txn, &pair->key));
    TRY(op, store_cert_insert(op, txn, &pair->cert));
    return store_log_append(op, txn, kw_span_text("an entry"));
}

kw_status place_insert(struct place *place, unsigned no)
{
    static struct pair pair;

    pair = (struct pair){
        .key = {.owner = "device:A",
                .profile = "p",
                .class_ = KEY_CLASS_DEVICE_IDEVID,
                .state = KEY_ACTIVE,
                .alg = "p256"},
        .cert = {.ca = "devices",
                .serial_len = KW_SERIAL_BYTES,
                .owner = "device:A",
                .profile = "p",
                .state = CERT_STATE_VALID,
                .der_len = 700},
    };
    for (unsigned i = 0; i < 4; i++) {
        uint8_t octet = (uint8_t)(no >> (24 - 8 * i));
        pair.key.id[i] = octet;
        pair.cert.serial[i + 1] = octet;
        pair.cert.fingerprint[i] = octet;
    }
    kw_op_init(&place->op, "test", 0);
    return store_change(&place->op, place->store, insert_pair, &pair);
}

struct store_counts place_counts(struct place *place)
{
    struct store_counts counts = {0};

    kw_op_init(&place->op, "test", 0);
    assert_ok(store_counts(&place->op, place->store, &counts));
    return counts;
}
