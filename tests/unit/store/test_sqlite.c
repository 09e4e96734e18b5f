/* The file: whose it is, who may read it, what its schema forbids. */
#include "sqlite_env.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/sqlite/internal.h"

static void files_are_private(void **state)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};
    struct place *place = *state;
    char name[128];
    struct stat st;

    (void)umask(0);
    assert_ok(place_open(place));
    assert_ok(place_insert(place, 1));
    for (size_t i = 0; i < KW_COUNT(suffixes); i++) {
        (void)snprintf(name, sizeof(name), "%s%s", place->path, suffixes[i]);
        assert_int_equal(stat(name, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
    }
}

static void wide_open_file_is_closed(void **state)
{
    struct place *place = *state;
    struct stat st;

    assert_ok(place_open(place));
    place_close(place);
    assert_int_equal(chmod(place->path, 0644), 0);
    assert_ok(place_open(place));
    assert_int_equal(stat(place->path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
}

static void link_is_not_followed(void **state)
{
    struct place *place = *state;
    char target[96];

    (void)snprintf(target, sizeof(target), "%s/elsewhere", place->dir);
    assert_int_equal(symlink(target, place->path), 0);
    assert_fails(place_open(place), KW_E_IO);
    assert_int_equal(access(target, F_OK), -1);
}

static void second_process_is_shut_out(void **state)
{
    struct place *place = *state;
    struct store_config config = {.path = place->path};
    struct store *other = NULL;
    struct kw_op op;

    kw_op_init(&op, "test", 0);
    assert_ok(place_open(place));
    assert_fails(store_open(&op, &config, &other), KW_E_UNAVAILABLE);
    assert_ok(place_insert(place, 1));
    place_close(place);
    assert_ok(store_open(&op, &config, &other));
    store_close(other);
}

static void file_says_what_it_is(void **state)
{
    struct place *place = *state;

    assert_ok(place_open(place));
    place_close(place);
    assert_int_equal(place_number(place, "PRAGMA application_id"), 0x4b575254);
    assert_int_equal(place_number(place, "SELECT count(*) FROM schema_version"), 1);
    assert_true(place_number(place, "SELECT version FROM schema_version") >= 1);
    assert_int_equal(place_number(place, "PRAGMA page_size"), SQLITE_PAGE_BYTES);
}

static void newer_schema_is_refused_and_kept(void **state)
{
    struct place *place = *state;

    assert_ok(place_open(place));
    place_close(place);
    assert_int_equal(place_sql(place, "UPDATE schema_version SET version = 9999", NULL), SQLITE_OK);
    assert_fails(place_open(place), KW_E_UNSUPPORTED);
    assert_null(place->store);
    assert_int_equal(place_number(place, "SELECT version FROM schema_version"), 9999);
}

static void foreign_database_is_refused_and_kept(void **state)
{
    struct place *place = *state;

    assert_int_equal(place_sql(place, "CREATE TABLE theirs (x)", NULL), SQLITE_OK);
    assert_fails(place_open(place), KW_E_INTEGRITY);
    assert_int_equal(place_number(place, "SELECT count(*) FROM sqlite_schema"), 1);
    assert_int_equal(place_sql(place, "DROP TABLE theirs; PRAGMA application_id = 7", NULL),
                     SQLITE_OK);
    assert_fails(place_open(place), KW_E_INTEGRITY);
}

static void write_file(const struct place *place, const char *content, size_t len)
{
    int fd = open(place->path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, len), len);
    (void)close(fd);
}

static void what_is_no_database_is_refused_and_kept(void **state)
{
    static const char text[4096] = "not a database";
    struct place *place = *state;
    struct stat st;

    write_file(place, text, sizeof(text));
    assert_fails(place_open(place), KW_E_INTEGRITY);
    write_file(place, text, 14);
    assert_fails(place_open(place), KW_E_INTEGRITY);
    assert_int_equal(stat(place->path, &st), 0);
    assert_int_equal(st.st_size, 14);
    write_file(place, "", 0);
    assert_ok(place_open(place)); /* empty: ours to fill */
}

/* Overwrite pages behind the schema: reads say so instead of answering wrongly. */
static void damage_is_noticed(void **state)
{
    static const uint8_t junk[SQLITE_PAGE_BYTES] = {0x55, 0xaa};
    struct place *place = *state;
    unsigned bad = 0;

    assert_ok(place_open(place));
    for (unsigned no = 0; no < 200; no++) {
        assert_ok(place_insert(place, no));
    }
    place_close(place);
    int64_t pages = place_number(place, "PRAGMA page_count");
    int fd = open(place->path, O_WRONLY);
    assert_true(fd >= 0);
    for (int64_t page = pages / 2; page < pages; page++) {
        assert_int_equal(pwrite(fd, junk, sizeof(junk), page * SQLITE_PAGE_BYTES), sizeof(junk));
    }
    (void)close(fd);
    kw_status opened = place_open(place);
    if (!kw_ok(opened)) {
        assert_int_equal(opened.code, KW_E_INTEGRITY);
        return;
    }
    for (unsigned no = 0; no < 200; no++) {
        struct store_cert got;
        uint8_t fingerprint[KW_HASH_BYTES] = {0, 0, 0, (uint8_t)no};
        kw_status status = store_cert_by_fingerprint(&place->op, place->store, fingerprint, &got);
        assert_true(kw_ok(status) || status.code == KW_E_INTEGRITY);
        bad += status.code == KW_E_INTEGRITY;
    }
    assert_true(bad > 0);
}

/* What would rewrite history. */
static const char *const rewriting[] = {
    "DELETE FROM cert",
    "DELETE FROM cert_body WHERE row = 1",
    "DELETE FROM pubkey",
    "DELETE FROM device",
    "DELETE FROM log",
    "DELETE FROM name",
    "DELETE FROM owner",
    "DELETE FROM tile",
    "UPDATE cert SET state = 1 WHERE row = 2",
    "UPDATE cert SET state = 3 WHERE row = 2",
    "UPDATE cert SET serial = x'05'",
    "UPDATE cert SET owner = 2",
    "UPDATE device SET batch = 1",
    "UPDATE cert SET not_after = 0",
    "UPDATE cert_body SET der = x'00'",
    "UPDATE pubkey SET owner = 2",
    "UPDATE pubkey SET id = zeroblob(32)",
    "UPDATE pubkey SET class = 1",
    "UPDATE device SET id = 'B'",
    "UPDATE device SET serial = 'B'",
    "UPDATE log SET entry = x'00'",
    "UPDATE log SET idx = idx + 10",
    "UPDATE name SET text = 'x'",
    "UPDATE owner SET text = 'x'",
    "UPDATE tile SET hashes = x'00'",
    "PRAGMA recursive_triggers = ON; INSERT OR REPLACE INTO log (idx, entry) VALUES (0, x'00')",
};

#define CERT_AGAIN                                                                                 \
    "INSERT INTO cert (row, ca, serial8, serial, owner, csr4, profile, state, not_before,"         \
    " not_after, revoked_s, reason, issued_ms) SELECT 9, ca, serial8, serial, owner, csr4,"        \
    " profile, state, not_before, not_after, revoked_s, reason, issued_ms FROM cert WHERE row = 1"
#define BODY_AGAIN                                                                                 \
    "INSERT INTO cert_body SELECT 9, fingerprint8, fingerprint, csr, pubkey, subject, der, owner"  \
    " FROM cert_body WHERE row = 1"
#define PUBKEY_AGAIN                                                                               \
    "INSERT INTO pubkey SELECT 9, id8, id, owner, profile, class, state, alg, custody,"            \
    " created_ms, state_ms FROM pubkey WHERE row = 1"
#define DEVICE_AGAIN                                                                               \
    "INSERT INTO device (owner, id, product, serial, hw_type, state, registered_ms, last_seen_ms," \
    " agent, root_of_trust, simulated, secret_hash, secret_expires_ms, secret_used_csr,"           \
    " secret_failures) SELECT 99, id, product, serial, hw_type, state, registered_ms,"             \
    " last_seen_ms, agent, root_of_trust, simulated, secret_hash, secret_expires_ms,"              \
    " secret_used_csr, secret_failures FROM device"

/* What was given before. */
static const char *const repeating[] = {
    "INSERT INTO log (idx, entry) VALUES (0, x'00')",
    CERT_AGAIN,
    BODY_AGAIN,
    PUBKEY_AGAIN,
    DEVICE_AGAIN,
};

static void schema_refuses(struct place *place, const char *sql, enum kw_code want)
{
    char message[200] = "";
    int rc = place_sql(place, sql, message);

    if (rc == SQLITE_OK || sqlite_code(rc, 0, message) != want) {
        print_error("%s: %d %s\n", sql, rc, message);
        fail();
    }
}

static void schema_forbids_rewriting_history(void **state)
{
    struct place *place = *state;

    assert_ok(place_open(place));
    assert_ok(place_insert(place, 1));
    assert_ok(place_insert(place, 2));
    place_close(place);
    assert_int_equal(
        place_sql(
            place,
            "UPDATE cert SET state = 4, revoked_s = 5 WHERE row = 2;"
            "INSERT INTO owner VALUES (2, 'device:B'), (99, 'device:C');"
            "INSERT INTO tile VALUES (0, zeroblob(64));"
            "INSERT INTO device (owner, id, product, serial, hw_type, state, registered_ms,"
            " last_seen_ms, agent, root_of_trust, simulated, secret_hash, secret_expires_ms,"
            " secret_used_csr, secret_failures)"
            " SELECT 2, 'B', id, 's', id, 1, 0, 0, '', '', 0, NULL, 0, NULL, 0 FROM name LIMIT 1",
            NULL),
        SQLITE_OK);
    for (size_t i = 0; i < KW_COUNT(rewriting); i++) {
        schema_refuses(place, rewriting[i], KW_E_STATE);
    }
    for (size_t i = 0; i < KW_COUNT(repeating); i++) {
        schema_refuses(place, repeating[i], KW_E_CONFLICT);
    }
    schema_refuses(place, "UPDATE cert SET state = 9 WHERE row = 1", KW_E_INPUT);
    assert_ok(place_open(place));
    assert_int_equal(place_counts(place).certs, 2);
}

static const struct {
    int rc, os_errno;
    const char *message;
    enum kw_code code;
} mapped[] = {
    {SQLITE_CONSTRAINT_UNIQUE,     0,   "",            KW_E_CONFLICT   },
    {SQLITE_CONSTRAINT_PRIMARYKEY, 0,   "",            KW_E_CONFLICT   },
    {SQLITE_CONSTRAINT_TRIGGER,    0,   "conflict: x", KW_E_CONFLICT   },
    {SQLITE_CONSTRAINT_TRIGGER,    0,   "state: x",    KW_E_STATE      },
    {SQLITE_CONSTRAINT_CHECK,      0,   "",            KW_E_INPUT      },
    {SQLITE_FULL,                  0,   "",            KW_E_FULL       },
    {SQLITE_IOERR_FSYNC,           28,  "",            KW_E_FULL       }, /* ENOSPC */
    {SQLITE_IOERR_FSYNC,           5,   "",            KW_E_IO         }, /* EIO */
    {SQLITE_IOERR_WRITE,           122, "",            KW_E_FULL       }, /* EDQUOT */
    {SQLITE_IOERR_SHMSIZE,         0,   "",            KW_E_FULL       },
    {SQLITE_IOERR_NOMEM,           0,   "",            KW_E_MEMORY     },
    {SQLITE_IOERR_READ,            0,   "",            KW_E_IO         },
    {SQLITE_CORRUPT_INDEX,         0,   "",            KW_E_INTEGRITY  },
    {SQLITE_NOTADB,                0,   "",            KW_E_INTEGRITY  },
    {SQLITE_BUSY,                  0,   "",            KW_E_UNAVAILABLE},
    {SQLITE_BUSY_SNAPSHOT,         0,   "",            KW_E_UNAVAILABLE},
    {SQLITE_READONLY,              0,   "",            KW_E_IO         },
    {SQLITE_READONLY_DBMOVED,      0,   "",            KW_E_IO         },
    {SQLITE_INTERRUPT,             0,   "",            KW_E_TIMEOUT    },
    {SQLITE_NOMEM,                 0,   "",            KW_E_MEMORY     },
    {SQLITE_TOOBIG,                0,   "",            KW_E_TOO_LARGE  },
    {SQLITE_ERROR,                 0,   "",            KW_E_INTERNAL   },
    {SQLITE_MISUSE,                0,   "",            KW_E_INTERNAL   },
};

static void errors_have_their_codes(void **state)
{
    (void)state;
    for (size_t i = 0; i < KW_COUNT(mapped); i++) {
        assert_int_equal(sqlite_code(mapped[i].rc, mapped[i].os_errno, mapped[i].message),
                         mapped[i].code);
    }
}

/* Rows that a listing looks at in vain for longer than a millisecond. */
static void long_read_stops_at_its_deadline(void **state)
{
    static const char many[] =
        "INSERT INTO cert (row, ca, serial8, serial, owner, csr4, profile, state, not_before,"
        " not_after, revoked_s, reason, issued_ms)"
        " SELECT 1000 + i, ca, i, CAST(printf('%08d', i) AS BLOB), owner, 1,"
        " profile, 1, 0, 0, 0, 0, 0 FROM cert, (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL"
        " SELECT i + 1 FROM n WHERE i < 30000) SELECT i FROM n) WHERE row = 1";
    struct place *place = *state;
    struct store_cert got;
    struct store_cert_filter filter = {.ca = "p"}; /* a name, but of no CA */
    unsigned n = 7;

    assert_ok(place_open(place));
    assert_ok(place_insert(place, 1));
    place_close(place);
    assert_int_equal(place_sql(place, many, NULL), SQLITE_OK);
    assert_ok(place_open(place));
    assert_ok(store_cert_list(&place->op, place->store, &filter, 1, &got, &n));
    assert_int_equal(n, 0);
    kw_op_init(&place->op, "test", 1);
    assert_fails(store_cert_list(&place->op, place->store, &filter, 1, &got, &n), KW_E_TIMEOUT);
    assert_int_equal(place_counts(place).certs, 1); /* the connection is fit for the next */
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        PLACE_TEST(files_are_private),
        PLACE_TEST(wide_open_file_is_closed),
        PLACE_TEST(link_is_not_followed),
        PLACE_TEST(second_process_is_shut_out),
        PLACE_TEST(file_says_what_it_is),
        PLACE_TEST(newer_schema_is_refused_and_kept),
        PLACE_TEST(foreign_database_is_refused_and_kept),
        PLACE_TEST(what_is_no_database_is_refused_and_kept),
        PLACE_TEST(damage_is_noticed),
        PLACE_TEST(schema_forbids_rewriting_history),
        PLACE_TEST(long_read_stops_at_its_deadline),
        cmocka_unit_test(errors_have_their_codes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
