/* Exported logs: whole ones verify offline, and every single damage is found and named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "log_files.h"

static struct kw_op op;

static kw_status verify(const struct log_files *log, const char *vkey, struct export_result *ret)
{
    kw_op_init(&op, NULL, 0);
    return export_verify(&op, log->dir, vkey, ret);
}

static void test_whole_logs_verify(void **state)
{
    (void)state;
    static const struct {
        uint64_t size, n_tiles;
    } rows[] = {
        {0,     0  },
        {1,     1  },
        {255,   1  },
        {256,   2  }, /* the full tile of level 0, a partial one of level 1 */
        {257,   3  },
        {600,   4  },
        {65536, 258},
        {66000, 261},
    };
    static struct log_files log;
    struct export_result result;

    log_files_begin(&log);
    for (size_t i = 0; i < KW_COUNT(rows); i++) {
        log_files_add_many(&log, rows[i].size - log.edge.size);
        log_files_sign(&log);
        ok(&op, verify(&log, log.vkey, &result));
        assert_int_equal(result.head.size, rows[i].size);
        assert_string_equal(result.head.origin, LOG_ORIGIN);
        assert_int_equal(result.entries_checked, rows[i].size);
        assert_int_equal(result.tiles_checked, rows[i].n_tiles);
        ok(&op, verify(&log, /* vkey= */ NULL, &result));
    }
    log_files_end(&log);
}

static void path_in(const struct log_files *log, const char *name, char path[KW_PATH_BYTES])
{
    assert_true(kw_ok(os_path_join(NULL, path, KW_PATH_BYTES, log->dir, name)));
}

static void read_whole(const struct log_files *log, const char *name, struct kw_bytes **ret)
{
    char path[KW_PATH_BYTES];

    path_in(log, name, path);
    kw_op_init(&op, NULL, 0);
    ok(&op, os_file_read(&op, path, 1 << 20, ret));
}

/* What verification says of a file with one octet changed. */
static enum kw_code flip(const struct log_files *log, const char *name, size_t at, char words[512])
{
    AUTO(kw_bytes) *content = NULL;
    struct export_result result;

    read_whole(log, name, &content);
    content->p[at] ^= 1;
    write_plain(log->dir, name, kw_bytes_span(content));
    enum kw_code code = verify(log, log->vkey, &result).code;
    kw_op_message(&op, words, 512);
    content->p[at] ^= 1;
    write_plain(log->dir, name, kw_bytes_span(content));
    return code;
}

/* Of a log of 600 entries: which file, which of its octets, what is said. */
static const struct {
    const char *name;
    size_t at;
    enum kw_code code;
    const char *words;
} damages[] = {
    {"tile/entries/000",      10,   KW_E_INTEGRITY, "entry 0 does not fit its tile"  },
    {"tile/entries/001",      2000, KW_E_INTEGRITY, "does not fit its tile"          },
    {"tile/entries/002.p/88", 5,    KW_E_INTEGRITY, "entry 512 does not fit its tile"},
    {"tile/entries/000",      0,    KW_E_INTEGRITY, "bundle 0"                       },
    {"tile/0/000",            0,    KW_E_INTEGRITY, "entry 0 does not fit its tile"  },
    {"tile/0/001",            8191, KW_E_INTEGRITY, "entry 511 does not fit its tile"},
    {"tile/0/002.p/88",       32,   KW_E_INTEGRITY, "entry 513 does not fit its tile"},
    {"tile/1/000.p/2",        32,   KW_E_INTEGRITY, "entries 256 to 511 do not fit"  },
    {"checkpoint",            20,   KW_E_DENIED,    "signature"                      },
    {"checkpoint",            0,    KW_E_DENIED,    "signature"                      },
};

static void test_damage_is_found_and_named(void **state)
{
    (void)state;
    static struct log_files log;
    struct export_result result;
    char words[512];

    log_files_begin(&log);
    log_files_add_many(&log, 600);
    log_files_sign(&log);
    for (size_t i = 0; i < KW_COUNT(damages); i++) {
        assert_int_equal(flip(&log, damages[i].name, damages[i].at, words), damages[i].code);
        assert_non_null(strstr(words, damages[i].words));
    }
    ok(&op, verify(&log, log.vkey, &result));
    log_files_end(&log);
}

/* Entries and tiles changed together: only the root, which is signed, tells. */
static void test_consistent_forgery_needs_the_key(void **state)
{
    (void)state;
    static struct log_files log, forged;
    AUTO(kw_bytes) *checkpoint = NULL;
    struct export_result result;
    char words[512];

    log_files_begin(&log);
    log_files_begin(&forged);
    log_files_add_many(&log, 300);
    log_files_sign(&log);
    log_files_add(&forged, KW_SPAN("forged", 6));
    log_files_add_many(&forged, 299);
    log_files_sign(&forged);
    assert_int_equal(verify(&forged, log.vkey, &result).code, KW_E_DENIED);
    read_whole(&log, "checkpoint", &checkpoint);
    write_plain(forged.dir, "checkpoint", kw_bytes_span(checkpoint));
    assert_int_equal(verify(&forged, log.vkey, &result).code, KW_E_INTEGRITY);
    assert_non_null(strstr(kw_op_message(&op, words, sizeof(words)), "root"));
    log_files_end(&forged);
    log_files_end(&log);
}

static void test_missing_files(void **state)
{
    (void)state;
    static const char *const names[] = {"checkpoint",      "tile/entries/000",
                                        "tile/0/000",      "tile/1/000.p/1",
                                        "tile/0/001.p/44", "tile/entries/001.p/44"};
    static struct log_files log;
    struct export_result result;

    log_files_begin(&log);
    log_files_add_many(&log, 300);
    log_files_sign(&log);
    for (size_t i = 0; i < KW_COUNT(names); i++) {
        AUTO(kw_bytes) *content = NULL;
        char path[KW_PATH_BYTES];
        read_whole(&log, names[i], &content);
        path_in(&log, names[i], path);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(verify(&log, log.vkey, &result).code, KW_E_NOT_FOUND);
        write_plain(log.dir, names[i], kw_bytes_span(content));
    }
    char path[KW_PATH_BYTES];
    path_in(&log, "vkey", path);
    assert_int_equal(unlink(path), 0);
    ok(&op, verify(&log, log.vkey, &result));
    assert_int_equal(verify(&log, NULL, &result).code, KW_E_NOT_FOUND);
    write_plain(log.dir, "vkey", KW_SPAN("\n", 1));
    assert_int_equal(verify(&log, NULL, &result).code, KW_E_INPUT);
    log_files_end(&log);
}

static void test_files_of_wrong_length(void **state)
{
    (void)state;
    static const char *const names[] = {"tile/entries/000", "tile/0/000", "tile/1/000.p/1",
                                        "tile/0/001.p/44", "tile/entries/001.p/44"};
    static struct log_files log;
    struct export_result result;

    log_files_begin(&log);
    log_files_add_many(&log, 300);
    log_files_sign(&log);
    for (size_t i = 0; i < KW_COUNT(names); i++) {
        AUTO(kw_bytes) *content = NULL;
        read_whole(&log, names[i], &content);
        size_t len = content->len;
        write_plain(log.dir, names[i], KW_SPAN(content->p, len - 1));
        assert_int_equal(verify(&log, log.vkey, &result).code, KW_E_INTEGRITY);
        ok(&op, kw_bytes_append(content, KW_SPAN("\0\0", 2))); /* in a bundle: an empty entry */
        write_plain(log.dir, names[i], kw_bytes_span(content));
        enum kw_code code = verify(&log, log.vkey, &result).code;
        assert_true(code == KW_E_INTEGRITY || code == KW_E_TOO_LARGE);
        write_plain(log.dir, names[i], KW_SPAN(content->p, len));
    }
    ok(&op, verify(&log, log.vkey, &result));
    log_files_end(&log);
}

/* The log grew while it was exported: full files have taken the place of the partial ones. */
static void test_older_checkpoint_over_a_grown_log(void **state)
{
    (void)state;
    static struct log_files log;
    AUTO(kw_bytes) *old = NULL;
    struct export_result result;
    static const char *const replaced[] = {"tile/0/001.p/44", "tile/entries/001.p/44"};

    log_files_begin(&log);
    log_files_add_many(&log, 300);
    log_files_sign(&log);
    read_whole(&log, "checkpoint", &old);
    for (size_t i = 0; i < KW_COUNT(replaced); i++) {
        char path[KW_PATH_BYTES];
        path_in(&log, replaced[i], path);
        assert_int_equal(unlink(path), 0);
    }
    log_files_add_many(&log, 700);
    log_files_sign(&log);
    write_plain(log.dir, "checkpoint", kw_bytes_span(old));
    ok(&op, verify(&log, log.vkey, &result));
    assert_int_equal(result.entries_checked, 300);
    log_files_end(&log);
}

static void test_tile_reader_serves_proofs(void **state)
{
    (void)state;
    static struct log_files log;
    struct tlog_reader reader = {.read = export_tile_read, .ctx = log.dir};
    struct tlog_hash proof[TLOG_PROOF_MAX], root;
    unsigned n = 0;

    kw_op_init(&op, NULL, 0);
    log_files_begin(&log);
    log_files_add_many(&log, 900);
    log_files_sign(&log);
    ok(&op, tlog_root(&op, &reader, 900, &root));
    struct tlog_hash expected = tlog_edge_root(&log.edge);
    assert_memory_equal(&root, &expected, sizeof(root));
    struct tlog_hash leaf = tlog_leaf_hash(kw_span_text("{\"n\":0,\"pad\":\"\"}"));
    ok(&op, tlog_inclusion(&op, &reader, 900, 0, proof, &n));
    ok(&op, tlog_inclusion_verify(&leaf, 0, 900, proof, n, &root));
    assert_int_equal(export_tile_read(&op, log.dir, 0, 77, 256, proof).code, KW_E_NOT_FOUND);
    log_files_end(&log);
}

static kw_status note_entry(struct kw_op *the_op, void *ctx, unsigned i, struct kw_span entry)
{
    unsigned *n = ctx;

    ENSURE(the_op, i == *n, KW_E_INTERNAL, "entry %u after %u", i, *n);
    ENSURE(the_op, entry.len != 3, KW_E_CONFLICT, "no entry of three octets");
    ++*n;
    return KW_OK;
}

static void test_bundles(void **state)
{
    (void)state;
    static const uint8_t two[] = {0, 2, 'a', 'b', 0, 0};
    static const uint8_t three[] = {0, 1, 'a', 0, 3, 'a', 'b', 'c', 0, 0};
    static const uint8_t crowd[257 * 2];
    unsigned n = 0;

    assert_true(kw_ok(export_bundle_each(NULL, KW_SPAN(NULL, 0), note_entry, &n)));
    assert_int_equal(n, 0);
    assert_true(kw_ok(export_bundle_each(NULL, KW_SPAN_ARRAY(two), note_entry, &n)));
    assert_int_equal(n, 2);
    for (size_t len = 1; len < sizeof(two); len++) {
        n = 0;
        enum kw_code code = export_bundle_each(NULL, KW_SPAN(two, len), note_entry, &n).code;
        assert_int_equal(code, len == 4 ? KW_CODE_OK : KW_E_INTEGRITY);
    }
    n = 0;
    assert_int_equal(export_bundle_each(NULL, KW_SPAN_ARRAY(three), note_entry, &n).code,
                     KW_E_CONFLICT);
    assert_int_equal(n, 1);
    n = 0;
    assert_true(kw_ok(export_bundle_each(NULL, KW_SPAN(crowd, 512), note_entry, &n)));
    assert_int_equal(n, 256);
    n = 0;
    assert_int_equal(export_bundle_each(NULL, KW_SPAN(crowd, 514), note_entry, &n).code,
                     KW_E_INTEGRITY);
}

static void test_only_files_of_a_log_are_written(void **state)
{
    (void)state;
    static const char *const bad[] = {"",       "Checkpoint",     "../checkpoint", "tile/0/../../x",
                                      "/etc/x", "tile/0/000.p/0", "checkpoint/",   "tile",
                                      "vkey2"};
    static const char *const good[] = {"checkpoint", "vkey", "tile/0/x001/002.p/3",
                                       "tile/entries/000"};
    static struct log_files log;

    log_files_begin(&log);
    for (size_t i = 0; i < KW_COUNT(bad); i++) {
        kw_op_init(&op, NULL, 0);
        assert_int_equal(export_write(&op, log.dir, bad[i], KW_SPAN("x", 1)).code, KW_E_INPUT);
    }
    for (size_t i = 0; i < KW_COUNT(good); i++) {
        AUTO(kw_bytes) *content = NULL;
        kw_op_init(&op, NULL, 0);
        ok(&op, export_write(&op, log.dir, good[i], KW_SPAN("x", 1)));
        read_whole(&log, good[i], &content);
        assert_int_equal(content->len, 1);
    }
    log_files_end(&log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_logs_verify),
        cmocka_unit_test(test_damage_is_found_and_named),
        cmocka_unit_test(test_consistent_forgery_needs_the_key),
        cmocka_unit_test(test_missing_files),
        cmocka_unit_test(test_files_of_wrong_length),
        cmocka_unit_test(test_older_checkpoint_over_a_grown_log),
        cmocka_unit_test(test_tile_reader_serves_proofs),
        cmocka_unit_test(test_bundles),
        cmocka_unit_test(test_only_files_of_a_log_are_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
