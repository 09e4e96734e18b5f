/* Makes exported logs in throw-away folders, as a server would have written them. */
#ifndef TESTS_AUDIT_LOG_FILES_H
#define TESTS_AUDIT_LOG_FILES_H

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/export.h"
#include "os/files.h"

#define LOG_ORIGIN "log.example/test"

struct log_files {
    char dir[128];
    struct privkey *key;
    char vkey[CHECKPOINT_VKEY_MAX];
    struct tlog_edge edge;
    struct kw_bytes *bundle; /* of entries that are not in a full bundle yet */
};

static inline void ok(struct kw_op *op, kw_status status)
{
    char text[512];

    if (!kw_ok(status)) {
        fail_msg("%s: %s", kw_code_text(status.code), kw_op_message(op, text, sizeof(text)));
    }
}

/* Not export_write(): its fsync for each of thousands of files would be all that the test does. */
static inline void write_plain(const char *dir, const char *name, struct kw_span content)
{
    char path[KW_PATH_BYTES];
    char folder[KW_PATH_BYTES];
    struct kw_op op;

    kw_op_init(&op, NULL, 0);
    ok(&op, os_path_join(&op, path, sizeof(path), dir, name));
    memcpy(folder, path, sizeof(path));
    *strrchr(folder, '/') = '\0';
    ok(&op, os_dir_make(&op, folder, 0755));
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(content.p, 1, content.len, file), content.len);
    assert_int_equal(fclose(file), 0);
}

static inline void write_tile(const char *dir, int level, uint64_t index, unsigned width,
                              struct kw_span content)
{
    char name[KW_PATH_BYTES];

    assert_true(kw_ok(tlog_tile_path(level, index, width, name, sizeof(name))));
    write_plain(dir, name, content);
}

static inline kw_status log_files_full_tile(struct kw_op *op, void *ctx, unsigned level,
                                            uint64_t index,
                                            const struct tlog_hash hashes[TLOG_TILE_WIDTH])
{
    (void)op;
    write_tile(ctx, (int)level, index, TLOG_TILE_WIDTH, KW_SPAN(hashes, 256 * sizeof(*hashes)));
    return KW_OK;
}

static inline void log_files_begin(struct log_files *log)
{
    struct kw_op op;

    kw_op_init(&op, NULL, 0);
    memset(log, 0, sizeof(*log));
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(log->dir, sizeof(log->dir), "%s/kw-log-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(log->dir));
    tlog_edge_init(&log->edge);
    ok(&op, kw_bytes_new(4096, &log->bundle));
    ok(&op, privkey_generate(&op, KEY_ALG_ED25519, &log->key));
    ok(&op,
       checkpoint_vkey(&op, LOG_ORIGIN, privkey_public(log->key), log->vkey, sizeof(log->vkey)));
}

static inline void log_files_add(struct log_files *log, struct kw_span entry)
{
    struct kw_op op;
    uint8_t length[2] = {(uint8_t)(entry.len >> 8), (uint8_t)entry.len};

    kw_op_init(&op, NULL, 0);
    ok(&op, kw_bytes_append(log->bundle, KW_SPAN(length, 2)));
    ok(&op, kw_bytes_append(log->bundle, entry));
    struct tlog_hash leaf = tlog_leaf_hash(entry);
    ok(&op, tlog_edge_append(&op, &log->edge, &leaf, log_files_full_tile, log->dir));
    if (log->edge.size % 256 == 0) {
        write_tile(log->dir, -1, log->edge.size / 256 - 1, 256, kw_bytes_span(log->bundle));
        log->bundle->len = 0;
    }
}

/* Entries of differing lengths, empty ones among them, none like another that is not empty. */
static inline void log_files_add_many(struct log_files *log, uint64_t n)
{
    char text[96];

    for (uint64_t i = 0; i < n; i++) {
        uint64_t at = log->edge.size;
        int len = snprintf(text, sizeof(text), "{\"n\":%ju,\"pad\":\"%.*s\"}", (uintmax_t)at,
                           (int)(at % 40), "........................................");
        log_files_add(log, KW_SPAN(text, at % 37 == 5 ? 0 : (size_t)len));
    }
}

/* Write what is partial, the checkpoint over it, and the key. May be called again after more
 * entries. */
static inline void log_files_sign(struct log_files *log)
{
    struct kw_op op;
    AUTO(kw_bytes) *note = NULL;
    struct checkpoint cp = {.origin = LOG_ORIGIN, .size = log->edge.size};
    char line[CHECKPOINT_VKEY_MAX + 2];

    kw_op_init(&op, NULL, 0);
    for (unsigned level = 0; level < TLOG_LEVELS_MAX; level++) {
        unsigned width = log->edge.width[level];
        if (width > 0) {
            write_tile(log->dir, (int)level, log->edge.size >> 8 * (level + 1), width,
                       KW_SPAN(log->edge.tile[level], width * sizeof(struct tlog_hash)));
        }
    }
    if (log->edge.width[0] > 0) {
        write_tile(log->dir, -1, log->edge.size / 256, log->edge.width[0],
                   kw_bytes_span(log->bundle));
    }
    cp.root = tlog_edge_root(&log->edge);
    ok(&op, checkpoint_sign(&op, &cp, log->key, &note));
    write_plain(log->dir, "checkpoint", kw_bytes_span(note));
    (void)snprintf(line, sizeof(line), "%s\n", log->vkey);
    write_plain(log->dir, "vkey", kw_span_text(line));
}

/* Not by following links, and only below the folder that log_files_begin() made. */
static inline void remove_tree(const char *path)
{
    DIR *dir = opendir(path);

    assert_non_null(dir);
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        char child[KW_PATH_BYTES];
        struct stat st;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        assert_true(kw_ok(os_path_join(NULL, child, sizeof(child), path, entry->d_name)));
        assert_int_equal(lstat(child, &st), 0);
        if (S_ISDIR(st.st_mode)) {
            remove_tree(child);
        } else {
            assert_int_equal(unlink(child), 0);
        }
    }
    assert_int_equal(closedir(dir), 0);
    assert_int_equal(rmdir(path), 0);
}

static inline void log_files_end(struct log_files *log)
{
    remove_tree(log->dir);
    kw_bytes_free(log->bundle);
    privkey_unref(log->key);
}

#endif
