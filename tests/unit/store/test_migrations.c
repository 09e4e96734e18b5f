/* Stores that earlier schemas left, with a certificate in each. */
#include <stdio.h>

#include "sqlite_env.h"
#include "store/cert_find.h"
#include "store/migrations.h"

struct migration {
    int64_t version;
    const char *sql;
};

#include "migrations_sql.h"

/* Columns of the first schema; those that came later have defaults. Heads of zeros: see
 * store_key_head(). */
#define HEAD "-9223372036854775808"
static const char certificate[] =
    "INSERT INTO name (id, text) VALUES (1, 'devices'), (2, 'ldevid'), (3, 'p256'), (4, 'device');"
    "INSERT INTO owner (id, text) VALUES (1, 'server:a'), (2, 'device:A');"
    "INSERT INTO pubkey (id8, id, owner, profile, class, state, alg, custody, created_ms, state_ms)"
    " VALUES (" HEAD ", zeroblob(32), 2, 2, 3, 1, 3, 4, 0, 0);"
    "INSERT INTO cert (row, ca, serial8, serial, owner, csr4, profile, state, not_before,"
    " not_after, revoked_s, reason, issued_ms)"
    " VALUES (1, 1, " HEAD ", zeroblob(16), 2, 0, 2, 1, 1, 2000000000, 0, 0, 1000);"
    "INSERT INTO cert_body (row, fingerprint8, fingerprint, csr, pubkey, subject, der)"
    " VALUES (1, " HEAD ", zeroblob(32), NULL, zeroblob(32), 'CN=A', x'3000');";

static void run(sqlite3 *db, const char *sql)
{
    char *message = NULL;

    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK) {
        fail_msg("%s: %s", message, sql);
    }
}

static void make_old_store(struct place *place, size_t version)
{
    sqlite3 *db = NULL;
    char note[128] = "";

    assert_int_equal(sqlite3_open(place->path, &db), SQLITE_OK);
    run(db, "PRAGMA synchronous = OFF; BEGIN");
    for (size_t i = 0; i < version; i++) {
        run(db, migrations[i].sql);
    }
    (void)snprintf(note, sizeof(note),
                   "PRAGMA application_id = %d; INSERT INTO schema_version (version) VALUES (%zu)",
                   0x4b575254, version);
    run(db, note);
    run(db, certificate);
    run(db, "COMMIT");
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void assert_has_certificate(struct place *place)
{
    static const uint8_t zeros[KW_HASH_BYTES];
    const struct store_cert_filter by_serial = {.serial = KW_SPAN(zeros, KW_SERIAL_BYTES)},
                                   by_key = {.key = zeros}, by_owner = {.owner = "device:A"};
    const struct store_cert_filter *const ways[] = {&by_serial, &by_key, &by_owner};

    for (size_t i = 0; i < KW_COUNT(ways); i++) {
        static struct store_cert got;
        unsigned n = 0;
        assert_ok(store_cert_list(&place->op, place->store, ways[i], 1, &got, &n));
        assert_int_equal(n, 1);
        assert_string_equal(got.owner, "device:A");
        assert_string_equal(got.subject, "CN=A");
    }
}

static void older_stores_open_and_go_on(void **state)
{
    static const size_t versions[] = {1, KW_COUNT(migrations) / 2, KW_COUNT(migrations) - 1};
    struct place *place = *state;

    for (size_t i = 0; i < KW_COUNT(versions); i++) {
        (void)snprintf(place->path, sizeof(place->path), "%s/%zu.db", place->dir, versions[i]);
        make_old_store(place, versions[i]);
        assert_ok(place_open(place));
        assert_has_certificate(place);
        assert_ok(place_insert(place, 1));
        place_close(place);
        assert_int_equal(place_number(place, "SELECT version FROM schema_version"),
                         store_schema_newest());
        assert_int_equal(place_number(place, "SELECT count(*) FROM cert_body"), 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLACE_TEST(older_stores_open_and_go_on),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
