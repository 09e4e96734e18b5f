/* `keywright init`: whole or not at all, and nobody else's files are touched. */
#include <sys/stat.h>
#include <unistd.h>

#include "os/files.h"
#include "rig.h"

struct ceremony {
    char dir[64], state[96], offline[96], profiles[96], keeper[512], program[512];
};

static int setup(void **state)
{
    struct ceremony *it = calloc(1, sizeof(*it));
    char source[512], pattern[600];

    assert_non_null(it);
    (void)snprintf(it->dir, sizeof(it->dir), "/tmp/kw-service-XXXXXX");
    assert_non_null(mkdtemp(it->dir));
    (void)snprintf(it->state, sizeof(it->state), "%s/state", it->dir);
    (void)snprintf(it->offline, sizeof(it->offline), "%s/medium", it->dir);
    (void)snprintf(it->profiles, sizeof(it->profiles), "%s/profiles", it->dir);
    (void)rig_built("src/cmd/keywright/keywright", it->program);
    (void)rig_built("src/cmd/keywright-keeper/keywright-keeper", it->keeper);
    (void)snprintf(pattern, sizeof(pattern), "%s", rig_source("profiles", source));
    const char *const copy[] = {"/bin/cp", "-a", pattern, it->profiles, NULL};
    assert_int_equal(rig_run(copy), 0);
    *state = it;
    return 0;
}

static int teardown(void **state)
{
    const char *const argv[] = {"/bin/rm", "-rf", ((struct ceremony *)*state)->dir, NULL};

    (void)rig_run(argv);
    free(*state);
    return 0;
}

static int init(const struct ceremony *it, const char *option, const char *value)
{
    const char *const argv[] = {it->program, "init",       "--state",    it->state,  "--offline",
                                it->offline, "--profiles", it->profiles, "--keeper", it->keeper,
                                option,      value,        NULL};

    return rig_run(argv);
}

static bool exists(const char *dir, const char *name)
{
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    return os_file_exists(path);
}

static void put(const char *dir, const char *name, const char *text)
{
    char path[256];
    TEST_OP(op);

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    assert_ok(&op, os_dir_make(&op, dir, 0700));
    assert_ok(&op, os_file_write(&op, path, 0600, kw_span_text(text)));
}

/* A profile of a CA that is not there is found only after the root was made. */
static void fails_late(void **state)
{
    static const char *const made[] = {"root.key.sealed", "root.pem", "share-1.txt", "share-2.txt",
                                       "share-3.txt"};
    struct ceremony *it = *state;
    char work[128];

    put(it->offline, "holiday.jpg", "not ours");
    put(it->profiles, "zz.yaml",
        "name: zz\nca: nowhere\nsubject: device\nenrol: secret\nkey_class: device-ldevid\n"
        "validity_hours: 1\nkey_algs: [ec-p256]\nkey_usage: [digitalSignature]\n");
    assert_int_not_equal(init(it, "--operator", "admin"), 0);
    (void)snprintf(work, sizeof(work), "%s.init", it->state);
    assert_false(exists(work, ""));
    assert_false(exists(it->state, "keywright.yaml"));
    assert_true(exists(it->offline, "holiday.jpg"));
    for (unsigned i = 0; i < KW_COUNT(made); i++) {
        if (exists(it->offline, made[i])) {
            fail_msg("%s stays", made[i]);
        }
    }
    char bad[160];
    (void)snprintf(bad, sizeof(bad), "%s/zz.yaml", it->profiles);
    assert_int_equal(unlink(bad), 0);
    assert_int_equal(init(it, "--operator", "admin"), 0); /* the same folders again */
    assert_true(exists(it->state, "keywright.yaml") && exists(it->offline, "root.key.sealed"));
    assert_true(exists(it->offline, "holiday.jpg"));
}

/* A second ceremony over a finished one changes nothing. */
static void never_twice(void **state)
{
    struct ceremony *it = *state;
    struct stat before, after;
    char sealed[160];

    (void)snprintf(sealed, sizeof(sealed), "%s/root.key.sealed", it->offline);
    assert_int_equal(init(it, "--operator", "admin"), 0);
    assert_int_equal(stat(sealed, &before), 0);
    assert_int_not_equal(init(it, "--operator", "admin"), 0);
    (void)snprintf(it->state, sizeof(it->state), "%s/other", it->dir);
    assert_int_not_equal(init(it, "--operator", "admin"), 0); /* the root key is there already */
    assert_int_equal(stat(sealed, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
}

static void bad_options(void **state)
{
    static const char *const bad[][2] = {
        {"--ports",        "1,2"      },
        {"--ports",        "1,2,70000"},
        {"--shares",       "1,3"      },
        {"--shares",       "4,3"      },
        {"--shares",       "2,99"     },
        {"--user",         "a\"b"     },
        {"--listen",       "a\nb: c"  },
        {"--organization", ""         },
        {"--operator",     ""         },
        {"--organization", "a\"b"     }
    };
    struct ceremony *it = *state;

    for (unsigned i = 0; i < KW_COUNT(bad); i++) {
        if (init(it, bad[i][0], bad[i][1]) != 2) {
            fail_msg("%s %s", bad[i][0], bad[i][1]);
        }
        assert_false(exists(it->offline, "root.key.sealed"));
        assert_false(exists(it->state, "keywright.yaml"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(fails_late, setup, teardown),
        cmocka_unit_test_setup_teardown(never_twice, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_options, setup, teardown),
    };

    return cmocka_run_group_tests_name("init", tests, NULL, NULL);
}
