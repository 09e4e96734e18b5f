/* Ways to certificates: what each filter finds, page by page, and that no way reads a whole table.
 */
#include <stdio.h>

#include "base/time.h"
#include "sqlite_env.h"
#include "store/cert_find.h"
#include "store/subject.h"

enum { N = 40, DEVICES = 10, ENDS = 2000000000 };

/* Certificate i of device i % DEVICES: "idevid" where i < DEVICES, then "ldevid". */
static void describe(unsigned i, struct store_cert *cert)
{
    memset(cert, 0, sizeof(*cert));
    KW_TEXT_SET(cert->ca, i < DEVICES ? "devices" : "devices.2");
    KW_TEXT_SET(cert->profile, i < DEVICES ? "idevid" : "ldevid");
    cert->serial_len = KW_SERIAL_BYTES;
    cert->serial[0] = 1;
    cert->serial[15] = (uint8_t)i;
    cert->pubkey[0] = cert->fingerprint[0] = (uint8_t)(i + 1);
    (void)snprintf(cert->owner, sizeof(cert->owner), "device:Dev-%02u", i % DEVICES);
    (void)snprintf(cert->subject, sizeof(cert->subject), "CN=Dev-%02u,O=Maker %s", i % DEVICES,
                   i % 2 ? "Odd" : "Even");
    cert->not_before = 1;
    cert->not_after = i < DEVICES ? KW_TIME_NEVER : ENDS + i;
    cert->issued_ms = 1000 + i / 2; /* two share a millisecond */
    cert->state = CERT_STATE_VALID;
    cert->der_len = 10;
}

static kw_status fill(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    static const char *const firmware[] = {"1.9.0", "1.10.2", "2.0.0-rc1", "2.0.0", ""};
    struct store_device device = {.product = "lamp", .hw_type = "1.2.3", .state = DEVICE_ACTIVE};
    struct store_pubkey key = {.profile = "p",
                               .class_ = KEY_CLASS_DEVICE_LDEVID,
                               .state = KEY_ACTIVE,
                               .alg = "a",
                               .custody = "c"};
    struct store_cert cert;

    (void)ctx;
    for (unsigned i = 0; i < DEVICES; i++) {
        (void)snprintf(device.id, sizeof(device.id), "Dev-%02u", i);
        (void)snprintf(device.serial, sizeof(device.serial), "S%02u", DEVICES - i);
        (void)snprintf(device.batch, sizeof(device.batch), "B-%u", i % 3);
        KW_TEXT_SET(device.firmware, firmware[i % 5]);
        TRY(op, store_device_insert(op, txn, &device));
    }
    for (unsigned i = 0; i < N; i++) {
        describe(i, &cert);
        memcpy(key.id, cert.pubkey, sizeof(key.id));
        KW_TEXT_SET(key.owner, cert.owner);
        TRY(op, store_pubkey_insert(op, txn, &key));
        TRY(op, store_cert_insert(op, txn, &cert));
    }
    return KW_OK;
}

static void fill_place(struct place *place)
{
    assert_ok(place_open(place));
    kw_op_init(&place->op, "test", 0);
    assert_ok(store_change(&place->op, place->store, fill, NULL));
}

struct found {
    char text[400];
    unsigned n, pages;
};

static kw_status note(struct kw_op *op, void *ctx, struct store_conn *conn,
                      const struct store_cert_ref *ref)
{
    struct found *found = ctx;
    size_t len = strlen(found->text);
    struct store_cert cert;

    TRY(op, store_cert_whole(op, conn, ref, &cert));
    ENSURE(op, cert.row == ref->row && cert.state == ref->state, KW_E_INTEGRITY, "another one");
    (void)snprintf(found->text + len, sizeof(found->text) - len, "%s%d", len ? " " : "",
                   (int)ref->row - 1);
    found->n++;
    return KW_OK;
}

/* In pages of three, and in one: the same, in the same order, nothing twice. */
static void assert_finds(struct place *place, struct store_cert_filter filter, const char *want)
{
    struct found pages = {0}, once = {0};
    struct store_cert_cursor next = {0};

    kw_op_init(&place->op, "test", 0);
    do {
        filter.after_row = next.row;
        filter.after_s = next.s;
        assert_ok(store_cert_find(&place->op, place->store, &filter, 3, note, &pages, &next));
        pages.pages++;
    } while (next.row > 0 && pages.pages < 2 * N);
    filter.after_row = filter.after_s = 0;
    assert_ok(store_cert_find(&place->op, place->store, &filter, 1000, note, &once, &next));
    assert_int_equal(next.row, 0);
    assert_string_equal(once.text, want);
    assert_string_equal(pages.text, want);
}

static void each_way_finds_its_own(void **state)
{
    struct place *place = *state;
    struct store_cert sample;
    uint8_t unknown[KW_HASH_BYTES] = {0xee};

    fill_place(place);
    describe(13, &sample);
    struct kw_span serial = KW_SPAN(sample.serial, sample.serial_len);
    /* clang-format off */
    const struct {
        struct store_cert_filter filter;
        const char *want;
    } rows[] = {
        {{.serial = serial}, "13" },
        {{.serial = serial, .ca = "devices"}, "" },
        {{.serial = serial, .product = "lamp", .batch = "B-0"}, "13" },
        {{.serial = serial, .batch = "B-1"}, "" },
        {{.key = sample.pubkey}, "13" },
        {{.key = sample.pubkey, .batch = "B-1"}, "" },
        {{.key = unknown}, "" },
        {{.owner = "device:Dev-03"}, "3 13 23 33" },
        {{.owner = "device:Dev-03", .profile = "idevid"}, "3" },
        {{.owner = "device:Dev-03", .firmware = "2.*"}, "3 13 23 33" },
        {{.owner = "device:Dev-03", .firmware = "1.*"}, "" },
        {{.batch = "B-2"}, "2 12 22 32 5 15 25 35 8 18 28 38"},
        {{.batch = "B-2", .profile = "idevid", .product = "lamp"}, "2 5 8" },
        {{.batch = "B-9"}, "" },
        {{.product = "lamp", .profile = "idevid"}, "9 8 7 6 5 4 3 2 1 0" },
        {{.product = "lamp", .profile = "idevid", .firmware = "2.*"}, "8 7 3 2" },
        {{.product = "lamp", .profile = "idevid", .firmware_below = "2.0.0"}, "7 6 5 2 1 0" },
        {{.product = "lamp",
          .profile = "idevid",
          .firmware_from = "1.10",
          .firmware_below = "2.0.0"},
         "7 6 2 1" },
        {{.subject = "dev-0", .profile = "idevid"}, "0 1 2 3 4 5 6 7 8 9" },
        {{.subject = "DEV-07"}, "7 17 27 37" },
        {{.subject = "Dev-07x"}, "" },
        {{.subject = "maker"}, "" },
        {{.subject = "*MAKER ODD", .profile = "idevid"}, "1 3 5 7 9" },
        {{.subject = "*even", .batch = "B-2", .profile = "idevid"}, "2 8" },
        {{.subject = "*-07,o"}, "7 17 27 37" },
        {{.profile = "idevid"}, "0 1 2 3 4 5 6 7 8 9" },
        {{.ca = "devices"}, "0 1 2 3 4 5 6 7 8 9" },
        {{.ca = "nowhere"}, "" },
        {{.state = CERT_STATE_VALID, .expires_from = ENDS + 20, .expires_before = ENDS + 25},
         "20 21 22 23 24" },
        {{.state = CERT_STATE_REVOKED}, "" },
    };
    /* clang-format on */
    for (size_t i = 0; i < KW_COUNT(rows); i++) {
        assert_finds(place, rows[i].filter, rows[i].want);
    }
    struct store_cert_filter lone = {.firmware = "2.*"};
    struct store_cert_cursor next;
    assert_fails(store_cert_find(&place->op, place->store, &lone, 1, note, NULL, &next),
                 KW_E_INPUT);
}

struct step {
    int64_t row;
    enum cert_state state;
    int64_t at_s;
};

static kw_status put(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    const struct step *step = ctx;

    return store_cert_set_state(op, txn, step->row, step->state, step->at_s,
                                step->state == CERT_STATE_REVOKED ? REVOKE_KEY_COMPROMISE : 0);
}

static void set(struct place *place, unsigned i, enum cert_state state, int64_t at_s)
{
    struct step step = {.row = i + 1, .state = state, .at_s = at_s};

    kw_op_init(&place->op, "test", 0);
    assert_ok(store_change(&place->op, place->store, put, &step));
}

static void states_are_found_by_their_time(void **state)
{
    struct place *place = *state;

    fill_place(place);
    set(place, 30, CERT_STATE_REVOKED, 100);
    set(place, 5, CERT_STATE_REVOKED, 300);
    set(place, 7, CERT_STATE_REVOKED, 200);
    set(place, 6, CERT_STATE_REVOKED, 200);
    set(place, 9, CERT_STATE_REVOKED, 200);
    set(place, 11, CERT_STATE_SUPERSEDED, 0);
    assert_finds(place, (struct store_cert_filter){.state = CERT_STATE_REVOKED}, "30 6 7 9 5");
    assert_finds(place, (struct store_cert_filter){.state = CERT_STATE_SUPERSEDED}, "11");
    /* as the sweep of superseded ones does: what was found leaves the state, and the next goes on
     */
    struct store_cert_filter filter = {.state = CERT_STATE_REVOKED, .after_row = 8, .after_s = 200};
    struct found found = {0};
    struct store_cert_cursor next;
    assert_ok(store_cert_find(&place->op, place->store, &filter, 9, note, &found, &next));
    assert_string_equal(found.text, "9 5");
}

static struct store_cert standing(struct place *place, unsigned i)
{
    struct store_cert sample, got;

    describe(i, &sample);
    kw_op_init(&place->op, "test", 0);
    assert_ok(store_cert_by_fingerprint(&place->op, place->store, sample.fingerprint, &got));
    return got;
}

static void a_hold_goes_back_to_what_was(void **state)
{
    struct place *place = *state;

    fill_place(place);
    set(place, 0, CERT_STATE_HELD, 100);
    set(place, 0, CERT_STATE_VALID, 0);
    assert_int_equal(standing(place, 0).state, CERT_STATE_VALID);
    set(place, 1, CERT_STATE_SUPERSEDED, 50);
    set(place, 1, CERT_STATE_HELD, 100);
    set(place, 1, CERT_STATE_HELD, 110); /* once more: it still remembers */
    set(place, 1, CERT_STATE_VALID, 0);
    struct store_cert got = standing(place, 1);
    assert_int_equal(got.state, CERT_STATE_SUPERSEDED);
    assert_int_equal(got.revoked_s, 50);
    assert_int_equal(got.reason, REVOKE_SUPERSEDED);
    /* one that is revoked at last was not good since the hold */
    set(place, 1, CERT_STATE_HELD, 120);
    set(place, 1, CERT_STATE_REVOKED, 500);
    got = standing(place, 1);
    assert_int_equal(got.state, CERT_STATE_REVOKED);
    assert_int_equal(got.revoked_s, 120);
    assert_int_equal(got.reason, REVOKE_KEY_COMPROMISE);
    assert_int_equal(place_counts(place).certs_valid, N - 1);
    assert_int_equal(place_counts(place).certs_revoked, 1);
}

/* --- how they are read ------------------------------------------------------------------------ */

/* SQLite's words for the ways; "SCAN c" on the table itself is only for PATH_ALL, in order of row.
 */
static void no_way_reads_what_it_does_not_need(void **state)
{
    static const struct {
        enum cert_path path;
        const char *uses;
    } rows[] = {
        {PATH_SERIAL,       "USING INDEX cert_serial8"          },
        {PATH_KEY,          "USING COVERING INDEX pubkey_id8"   },
        {PATH_OWNER,        "USING INDEX cert_owner"            },
        {PATH_BATCH,        "USING INDEX device_batch"          },
        {PATH_PRODUCT,      "sqlite_autoindex_device_1"         },
        {PATH_SUBJECT,      "SEARCH s USING PRIMARY KEY"        },
        {PATH_SUBJECT_PART, "SEARCH s USING PRIMARY KEY"        },
        {PATH_ENDS,         "USING INDEX cert_ends"             },
        {PATH_STATE,        "USING INDEX cert_state"            },
        {PATH_PROFILE,      "USING INDEX cert_profile"          },
        {PATH_ALL,          "SEARCH c USING INTEGER PRIMARY KEY"},
    };
    struct place *place = *state;
    sqlite3 *db = NULL;

    fill_place(place);
    place_close(place);
    assert_int_equal(sqlite3_open(place->path, &db), SQLITE_OK);
    for (size_t i = 0; i < KW_COUNT(rows); i++) {
        char *explain = sqlite3_mprintf("EXPLAIN QUERY PLAN %s", cert_path_sql(rows[i].path));
        char plan[2000] = "";
        sqlite3_stmt *stmt = NULL;
        assert_int_equal(sqlite3_prepare_v2(db, explain, -1, &stmt, NULL), SQLITE_OK);
        while (sqlite3_step(stmt) == SQLITE_ROW) {
            size_t len = strlen(plan);
            (void)snprintf(plan + len, sizeof(plan) - len, "%s\n", sqlite3_column_text(stmt, 3));
        }
        if (!strstr(plan, rows[i].uses) || strstr(plan, "SCAN") ||
            strstr(plan, "USE TEMP B-TREE FOR ORDER BY")) {
            /* few rows of one owner or serial number may be sorted; a table may not */
            bool few = rows[i].path >= PATH_SERIAL && rows[i].path <= PATH_OWNER;
            if (!few || !strstr(plan, rows[i].uses) || strstr(plan, "SCAN")) {
                fail_msg("way %d:\n%s", (int)rows[i].path, plan);
            }
        }
        sqlite3_finalize(stmt);
        sqlite3_free(explain);
    }
    sqlite3_close(db);
}

static void subjects_are_taken_apart(void **state)
{
    static const struct {
        const char *subject, *asked;
        bool matches;
    } rows[] = {
        {"CN=Lamp 1,O=Maker",   "lamp",      true },
        {"O=Maker,CN=Lamp 1",   "LAMP 1",    true },
        {"O=Maker,CN=Lamp 1",   "maker",     false},
        {"O=Maker,CN=Lamp 1",   "*maker,c",  true },
        {"O=Maker",             "o=mak",     true },
        {"CN=\xc3\x84lter,O=M", "\xc3\x84l", true },
        {"CN=x",                "xy",        false},
    };

    (void)state;
    for (size_t i = 0; i < KW_COUNT(rows); i++) {
        if (subject_matches(rows[i].subject, rows[i].asked) != rows[i].matches) {
            fail_msg("'%s' and '%s'", rows[i].subject, rows[i].asked);
        }
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        PLACE_TEST(each_way_finds_its_own),         PLACE_TEST(states_are_found_by_their_time),
        PLACE_TEST(a_hold_goes_back_to_what_was),   PLACE_TEST(no_way_reads_what_it_does_not_need),
        cmocka_unit_test(subjects_are_taken_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
