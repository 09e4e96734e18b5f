/* What is particular to the software root of trust: its key-encrypting key, its files, two
 * processes at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rot/rot.h"

static char top[64], dir[96], uri[256], kek[128];

static int setup(void **state)
{
    (void)state;
    (void)snprintf(top, sizeof(top), "/tmp/kw-rot-soft-XXXXXX");
    assert_non_null(mkdtemp(top));
    (void)snprintf(dir, sizeof(dir), "%s/a/b", top);
    (void)snprintf(uri, sizeof(uri), "soft:dir=%s", dir);
    (void)snprintf(kek, sizeof(kek), "%s/device.kek", dir);
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

static int teardown(void **state)
{
    (void)state;
    return nftw(top, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static enum kw_code open_code(struct rot **ret)
{
    struct kw_op op;
    kw_op_init(&op, "test", 0);
    return rot_open(&op, uri, ret).code;
}

static enum kw_code generate_code(struct rot *rot, const char *label)
{
    struct kw_op op;
    AUTO(rot_key) *key = NULL;
    kw_op_init(&op, "test", 0);
    return rot_key_generate(&op, rot, label, KEY_ALG_EC_P256, &key).code;
}

static enum kw_code load_code(struct rot *rot, const char *label)
{
    struct kw_op op;
    AUTO(rot_key) *key = NULL;
    kw_op_init(&op, "test", 0);
    return rot_key_load(&op, rot, label, &key).code;
}

static struct stat stat_of(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return st;
}

static void put(const char *path, const char *octets, size_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, octets, n), n);
    (void)close(fd);
}

static void files_are_private(void **state)
{
    char path[160];
    AUTO(rot) *rot = NULL;

    (void)state;
    assert_int_equal(open_code(&rot), KW_CODE_OK);
    assert_int_equal(generate_code(rot, "k"), KW_CODE_OK);
    (void)snprintf(path, sizeof(path), "%s/k.key", dir);
    assert_int_equal(stat_of(dir).st_mode & 0777, 0700);
    assert_int_equal(stat_of(path).st_mode & 0777, 0600);
    assert_int_equal(stat_of(kek).st_mode & 0777, 0600);
    assert_int_equal(stat_of(kek).st_size, 32);
}

static void a_lost_kek_is_never_made_anew(void **state)
{
    AUTO(rot) *rot = NULL;

    (void)state;
    assert_int_equal(open_code(&rot), KW_CODE_OK);
    rot_close(TAKE(rot));
    assert_int_equal(unlink(kek), 0); /* no key yet: nothing is lost */
    assert_int_equal(open_code(&rot), KW_CODE_OK);
    assert_int_equal(generate_code(rot, "k"), KW_CODE_OK);
    rot_close(TAKE(rot));
    assert_int_equal(unlink(kek), 0);
    assert_int_equal(open_code(&rot), KW_E_INTEGRITY);
    assert_int_not_equal(access(kek, F_OK), 0);
}

static void a_wrong_kek_opens_nothing(void **state)
{
    AUTO(rot) *rot = NULL;

    (void)state;
    assert_int_equal(open_code(&rot), KW_CODE_OK);
    assert_int_equal(generate_code(rot, "k"), KW_CODE_OK);
    rot_close(TAKE(rot));
    put(kek, "another key-encrypting key: 32 o", 32);
    assert_int_equal(open_code(&rot), KW_CODE_OK);
    assert_int_equal(load_code(rot, "k"), KW_E_INTEGRITY);
    rot_close(TAKE(rot));
    put(kek, "short", 5);
    assert_int_equal(open_code(&rot), KW_E_INTEGRITY);
    put(kek, "one octet too much for such a key", 33);
    assert_int_equal(open_code(&rot), KW_E_INTEGRITY);
    put(kek, "another key-encrypting key: 32 o", 32);
    assert_int_equal(chmod(kek, 0640), 0);
    assert_int_equal(open_code(&rot), KW_E_DENIED);
}

static void the_kek_may_lie_elsewhere(void **state)
{
    char elsewhere[128];
    AUTO(rot) *rot = NULL;

    (void)state;
    (void)snprintf(elsewhere, sizeof(elsewhere), "%s/platform.kek", top);
    (void)snprintf(uri, sizeof(uri), "soft:dir=%s,key=%s", dir, elsewhere);
    assert_int_equal(open_code(&rot), KW_CODE_OK);
    assert_int_equal(generate_code(rot, "k"), KW_CODE_OK);
    assert_int_equal(stat_of(elsewhere).st_size, 32);
    assert_int_not_equal(access(kek, F_OK), 0);
    rot_close(TAKE(rot));
    assert_int_equal(open_code(&rot), KW_CODE_OK);
    assert_int_equal(load_code(rot, "k"), KW_CODE_OK);
}

static void a_file_serves_its_own_label_only(void **state)
{
    char from[160], to[160];
    AUTO(rot) *rot = NULL;

    (void)state;
    assert_int_equal(open_code(&rot), KW_CODE_OK);
    assert_int_equal(generate_code(rot, "mine"), KW_CODE_OK);
    (void)snprintf(from, sizeof(from), "%s/mine.key", dir);
    (void)snprintf(to, sizeof(to), "%s/yours.key", dir);
    assert_int_equal(link(from, to), 0);
    assert_int_equal(load_code(rot, "mine"), KW_CODE_OK);
    assert_int_equal(load_code(rot, "yours"), KW_E_INTEGRITY);
}

static void leftovers_of_a_cut_are_erased(void **state)
{
    static const char *const names[] = {"k.gone", ".k.key.0123456789abcdef.tmp",
                                        ".device.kek.0123456789abcdef.tmp"};
    char paths[KW_COUNT(names)][160];
    AUTO(rot) *rot = NULL;

    (void)state;
    assert_int_equal(open_code(&rot), KW_CODE_OK);
    rot_close(TAKE(rot));
    for (size_t i = 0; i < KW_COUNT(names); i++) {
        (void)snprintf(paths[i], sizeof(paths[i]), "%s/%s", dir, names[i]);
        put(paths[i], "half", 4);
    }
    assert_int_equal(open_code(&rot), KW_CODE_OK);
    for (size_t i = 0; i < KW_COUNT(names); i++) {
        assert_int_not_equal(access(paths[i], F_OK), 0);
    }
}

/* The proof of a destruction looks at the disk: a second name of the file shows what became of it.
 */
static void destruction_overwrites(void **state)
{
    char path[160], other[160], proof[256];
    char octets[512];
    struct kw_op op;
    AUTO(rot) *rot = NULL;

    (void)state;
    assert_int_equal(open_code(&rot), KW_CODE_OK);
    assert_int_equal(generate_code(rot, "k"), KW_CODE_OK);
    (void)snprintf(path, sizeof(path), "%s/k.key", dir);
    (void)snprintf(other, sizeof(other), "%s/second-name", top);
    assert_int_equal(link(path, other), 0);
    kw_op_init(&op, "test", 0);
    assert_int_equal(rot_key_destroy(&op, rot, "k", proof, sizeof(proof)).code, KW_CODE_OK);
    int fd = open(other, O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, octets, sizeof(octets));
    (void)close(fd);
    assert_true(n > 100);
    for (ssize_t i = 0; i < n; i++) {
        assert_int_equal(octets[i], 0);
    }
}

/* Two processes want the same label at the same time: exactly one has it. */
static void one_of_two_processes_wins(void **state)
{
    enum { N = 6 };
    pid_t pids[N];
    unsigned n_ok = 0, n_conflict = 0;

    (void)state;
    for (unsigned i = 0; i < N; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            struct rot *rot = NULL;
            enum kw_code code = open_code(&rot); /* all of them make the folder and its key */
            code = code == KW_CODE_OK ? generate_code(rot, "k") : KW_E_INTERNAL;
            rot_close(rot);
            _exit((int)code);
        }
    }
    for (unsigned i = 0; i < N; i++) {
        int status = 0;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        n_ok += WIFEXITED(status) && WEXITSTATUS(status) == KW_CODE_OK ? 1 : 0;
        n_conflict += WIFEXITED(status) && WEXITSTATUS(status) == KW_E_CONFLICT ? 1 : 0;
    }
    assert_int_equal(n_ok, 1);
    assert_int_equal(n_conflict, N - 1);
}

#define ROW(function) {#function, function, setup, teardown, NULL}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(files_are_private),
        ROW(a_lost_kek_is_never_made_anew),
        ROW(a_wrong_kek_opens_nothing),
        ROW(the_kek_may_lie_elsewhere),
        ROW(a_file_serves_its_own_label_only),
        ROW(leftovers_of_a_cut_are_erased),
        ROW(destruction_overwrites),
        ROW(one_of_two_processes_wins),
    };
    return cmocka_run_group_tests_name("rot/soft", tests, NULL, NULL);
}
