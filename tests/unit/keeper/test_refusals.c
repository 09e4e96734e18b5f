/* refusals.log: lines that a person can trust, and that nobody can make endless. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/keywright-keeper/refusals.h"
#include "os/files.h"
#include "unit/base/check.h"

enum { T0 = 1000000 };
#define UNIX_MS INT64_C(1795227762123) /* 2026-11-21T02:22:42.123Z */

static char dir[64];
static struct refusals refusals;

static int setup(void **state)
{
    (void)state;
    assert_true(KW_TEXT_SET(dir, "/tmp/kw-refusals-XXXXXX"));
    assert_non_null(mkdtemp(dir));
    refusals_open(&refusals, dir, T0);
    return 0;
}

static void path_of(char path[96], const char *name)
{
    (void)snprintf(path, 96, "%s/%s", dir, name);
}

static int teardown(void **state)
{
    char path[96];

    (void)state;
    refusals_close(&refusals);
    path_of(path, "refusals.log");
    (void)unlink(path); /* may be absent */
    path_of(path, "refusals.log.1");
    (void)unlink(path);
    return rmdir(dir);
}

static char *read_log(const char *name)
{
    struct kw_bytes *octets = NULL;
    char path[96];

    path_of(path, name);
    assert_ok(os_file_read(NULL, path, 8 << 20, &octets));
    char *text = calloc(1, octets->len + 1);
    assert_non_null(text);
    memcpy(text, octets->p, octets->len);
    kw_bytes_free(octets);
    return text;
}

static unsigned count_lines(const char *text)
{
    unsigned n = 0;

    for (; *text; text++) {
        n += *text == '\n';
    }
    return n;
}

static void note(const char *request_id, const char *key_id, const char *reason, int64_t ms)
{
    struct refusal refusal = {request_id, "SIGN_CERT", key_id, KW_E_DENIED, reason};

    refusals_note(&refusals, &refusal, UNIX_MS + ms, T0 + ms);
}

static void a_line_says_it_all(void **state)
{
    (void)state;
    note("4f1c", "issuing-1", "issuer: not this CA", 0);
    note("", "", "rule: none", 1);
    char *text = read_log("refusals.log");
    assert_string_equal(text, "2026-11-21T02:22:42.123Z 4f1c SIGN_CERT issuing-1 denied issuer: "
                              "not this CA\n"
                              "2026-11-21T02:22:42.124Z - SIGN_CERT - denied rule: none\n");
    free(text);
}

/* Columns stay columns whatever the gate calls its things. */
static void ids_cannot_forge_columns(void **state)
{
    (void)state;
    note("a b", "ca denied", "rule: none", 0);
    char *text = read_log("refusals.log");
    assert_non_null(strstr(text, " ? SIGN_CERT ? denied rule: none\n"));
    free(text);
}

static void the_same_again_is_counted(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        note("r", "ca", "issuer: no", i);
    }
    refusals_tick(&refusals, UNIX_MS + 2000, T0 + 2000, /* now= */ false);
    char *text = read_log("refusals.log");
    assert_int_equal(count_lines(text), 2);
    assert_non_null(strstr(text, "issuer: no (99 more)\n"));
    assert_int_equal(refusals.total, 100);
    assert_int_equal(refusals.unlogged, 0);
    free(text);
}

static void the_count_comes_before_another_line(void **state)
{
    (void)state;
    note("r", "ca", "issuer: no", 0);
    note("r", "ca", "issuer: no", 1);
    note("r", "ca", "serial: no", 2);
    char *text = read_log("refusals.log");
    assert_int_equal(count_lines(text), 3);
    const char *count = strstr(text, "issuer: no (1 more)\n");
    assert_non_null(count);
    assert_non_null(strstr(count, "serial: no\n"));
    free(text);
}

static void too_many_are_only_counted(void **state)
{
    char reason[32];

    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        (void)snprintf(reason, sizeof(reason), "reason %u", i);
        note("r", "ca", reason, 0);
    }
    assert_int_equal(refusals.total, 1000);
    assert_int_equal(refusals.unlogged, 1000 - REFUSALS_BURST);
    note("r", "ca", "later", 1000); /* a second later there is room again */
    char *text = read_log("refusals.log");
    assert_int_equal(count_lines(text), REFUSALS_BURST + 1);
    assert_non_null(strstr(text, "later\n"));
    free(text);
}

static void a_full_log_becomes_the_old_one(void **state)
{
    char path[96];

    (void)state;
    note("r", "ca", "first", 0);
    path_of(path, "refusals.log");
    assert_int_equal(truncate(path, REFUSALS_FILE_MAX), 0);
    refusals_close(&refusals);
    refusals_open(&refusals, dir, T0);
    note("r", "ca", "second", 0);
    char *old = read_log("refusals.log.1");
    char *text = read_log("refusals.log");
    assert_non_null(strstr(old, "first\n"));
    assert_int_equal(count_lines(text), 1);
    assert_non_null(strstr(text, "second\n"));
    free(old);
    free(text);
}

static void no_log_is_no_failure(void **state)
{
    static struct refusals none;
    struct refusal refusal = {"", "FRAME", "", KW_E_INPUT, "x"};

    (void)state;
    refusals_none(&none, T0);
    refusals_note(&none, &refusal, UNIX_MS, T0);
    assert_false(refusals_writable(&none));
    assert_int_equal(none.total, 1);
    assert_int_equal(none.unlogged, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_line_says_it_all, setup, teardown),
        cmocka_unit_test_setup_teardown(ids_cannot_forge_columns, setup, teardown),
        cmocka_unit_test_setup_teardown(the_same_again_is_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(the_count_comes_before_another_line, setup, teardown),
        cmocka_unit_test_setup_teardown(too_many_are_only_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_log_becomes_the_old_one, setup, teardown),
        cmocka_unit_test(no_log_is_no_failure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
