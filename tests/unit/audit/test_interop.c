/* Go's own transparency log code judges what ours wrote: tests/interop/tlog. Skips where go is not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <spawn.h>
#include <sys/wait.h>

#include "base/hex.h"
#include "log_files.h"

enum { SKIPPED = 77, ARGS_MAX = 80, HEX = 2 * KW_HASH_BYTES + 1 };

/* Exit status of the judge; its words go to our stderr. */
static int judge(const char *const args[])
{
    const char *argv[ARGS_MAX] = {NULL};
    char program[KW_PATH_BYTES];
    const char *root = getenv("KW_SOURCE_ROOT");
    posix_spawn_file_actions_t actions;
    int status = 0;
    pid_t pid = 0;

    if (!root) {
        skip(); /* not run by meson: where the judge lies is not known */
    }
    assert_true(
        kw_ok(os_path_join(NULL, program, sizeof(program), root, "tests/interop/tlog/judge")));
    argv[0] = program;
    for (unsigned i = 0; args[i]; i++) {
        argv[i + 1] = args[i];
    }
    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    assert_int_equal(posix_spawn_file_actions_adddup2(&actions, 2, 1), 0);
    /* posix_spawn() does not write to argv; its type is older than const. */
    char **plain = NULL;
    memcpy(&plain, &(const char **){argv}, sizeof(plain));
    assert_int_equal(posix_spawn(&pid, program, &actions, NULL, plain, environ), 0);
    assert_int_equal(posix_spawn_file_actions_destroy(&actions), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == SKIPPED) {
        skip();
    }
    return WEXITSTATUS(status);
}

/* Before anything is made that a skip would leave behind: without arguments it tells its usage. */
static void need_judge(void)
{
    assert_int_equal(judge((const char *[]){NULL}), 2);
}

static void test_go_accepts_our_exports(void **state)
{
    (void)state;
    need_judge();
    static const uint64_t sizes[] = {0, 1, 2, 255, 256, 257, 1000, 66000};
    static struct log_files log;

    log_files_begin(&log);
    for (size_t i = 0; i < KW_COUNT(sizes); i++) {
        log_files_add_many(&log, sizes[i] - log.edge.size);
        log_files_sign(&log);
        assert_int_equal(judge((const char *[]){"export", log.dir, NULL}), 0);
        assert_int_equal(judge((const char *[]){"export", log.dir, log.vkey, NULL}), 0);
    }
    log_files_end(&log);
}

/* A judge that always nods proves nothing. */
static void test_go_refuses_what_was_tampered_with(void **state)
{
    (void)state;
    need_judge();
    static struct log_files log, other;
    struct kw_op op;

    log_files_begin(&log);
    log_files_begin(&other);
    log_files_add_many(&log, 300);
    log_files_sign(&log);
    assert_int_equal(judge((const char *[]){"export", log.dir, other.vkey, NULL}), 1);
    AUTO(kw_bytes) *bundle = NULL;
    char path[KW_PATH_BYTES];
    kw_op_init(&op, NULL, 0);
    ok(&op, os_path_join(&op, path, sizeof(path), log.dir, "tile/entries/000"));
    ok(&op, os_file_read(&op, path, 1 << 20, &bundle));
    bundle->p[3] ^= 1;
    write_plain(log.dir, "tile/entries/000", kw_bytes_span(bundle));
    assert_int_equal(judge((const char *[]){"export", log.dir, NULL}), 1);
    log_files_end(&other);
    log_files_end(&log);
}

/* "record|tree SIZE ROOT NUMBER HASH proof…" */
static int judge_proof(const char *kind, uint64_t size, const struct tlog_hash *root,
                       uint64_t number, const struct tlog_hash *hash, const struct tlog_hash *proof,
                       unsigned n)
{
    static char hex[TLOG_PROOF_MAX + 2][HEX];
    const char *args[ARGS_MAX] = {NULL};
    char size_text[24], number_text[24];

    (void)snprintf(size_text, sizeof(size_text), "%ju", (uintmax_t)size);
    (void)snprintf(number_text, sizeof(number_text), "%ju", (uintmax_t)number);
    args[0] = kind;
    args[1] = size_text;
    args[2] = kw_hex(KW_SPAN_ARRAY(root->b), hex[0], HEX);
    args[3] = number_text;
    args[4] = kw_hex(KW_SPAN_ARRAY(hash->b), hex[1], HEX);
    for (unsigned i = 0; i < n; i++) {
        args[5 + i] = kw_hex(KW_SPAN_ARRAY(proof[i].b), hex[2 + i], HEX);
    }
    return judge(args);
}

static void test_go_accepts_our_proofs(void **state)
{
    (void)state;
    need_judge();
    static struct log_files log;
    struct tlog_reader reader = {.read = export_tile_read, .ctx = log.dir};
    struct tlog_hash proof[TLOG_PROOF_MAX], root, old_root;
    struct kw_op op;
    unsigned n = 0;

    kw_op_init(&op, NULL, 0);
    log_files_begin(&log);
    log_files_add_many(&log, 777);
    log_files_sign(&log);
    log_files_add_many(&log, 2223);
    log_files_sign(&log);
    ok(&op, tlog_root(&op, &reader, 777, &old_root));
    ok(&op, tlog_root(&op, &reader, 3000, &root));
    struct tlog_hash leaf = tlog_leaf_hash(kw_span_text("{\"n\":0,\"pad\":\"\"}"));
    ok(&op, tlog_inclusion(&op, &reader, 3000, 0, proof, &n));
    assert_int_equal(judge_proof("record", 3000, &root, 0, &leaf, proof, n), 0);
    assert_int_equal(judge_proof("record", 3000, &root, 1, &leaf, proof, n), 1);
    ok(&op, tlog_consistency(&op, &reader, 777, 3000, proof, &n));
    assert_int_equal(judge_proof("tree", 3000, &root, 777, &old_root, proof, n), 0);
    assert_int_equal(judge_proof("tree", 3000, &root, 776, &old_root, proof, n), 1);
    log_files_end(&log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_go_accepts_our_exports),
        cmocka_unit_test(test_go_refuses_what_was_tampered_with),
        cmocka_unit_test(test_go_accepts_our_proofs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
