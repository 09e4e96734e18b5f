#include "audit/export.h"

#include <stdio.h>

#include "audit/tlog_internal.h"
#include "base/reader.h"
#include "os/files.h"

enum {
    TILE_BYTES = TLOG_TILE_WIDTH * KW_HASH_BYTES,
    BUNDLE_MAX = TLOG_TILE_WIDTH * (2 + KW_LOG_ENTRY_MAX),
    ENTRIES = -1, /* the level that tlog_tile_path() has for bundles */
};

kw_status export_bundle_each(struct kw_op *op, struct kw_span bundle,
                             kw_status (*each)(struct kw_op *op, void *ctx, unsigned i,
                                               struct kw_span entry),
                             void *ctx)
{
    struct kw_reader r = kw_reader_of(bundle);

    for (unsigned i = 0; r.rest.len > 0; i++) {
        ENSURE(op, i < TLOG_TILE_WIDTH, KW_E_INTEGRITY, "over %d entries", TLOG_TILE_WIDTH);
        struct kw_span entry = kw_reader_span16(&r, KW_LOG_ENTRY_MAX);
        ENSURE(op, !r.failed, KW_E_INTEGRITY, "entry %u is cut", i);
        TRY(op, each(op, ctx, i, entry));
    }
    return KW_OK;
}

static kw_status file_path(struct kw_op *op, const char *dir, int level, uint64_t index,
                           unsigned width, char path[KW_PATH_BYTES])
{
    char name[KW_PATH_BYTES];

    TRY(op, tlog_tile_path(level, index, width, name, sizeof(name)));
    return os_path_join(op, path, KW_PATH_BYTES, dir, name);
}

/* A tile's or bundle's file: that of this width, or where only the full one is there, that. */
static kw_status find_file(struct kw_op *op, const char *dir, int level, uint64_t index,
                           unsigned width, char path[KW_PATH_BYTES], unsigned *ret_width)
{
    char full[KW_PATH_BYTES];

    TRY(op, file_path(op, dir, level, index, width, path));
    *ret_width = width;
    if (width == TLOG_TILE_WIDTH || os_file_exists(path)) {
        return KW_OK;
    }
    TRY(op, file_path(op, dir, level, index, TLOG_TILE_WIDTH, full));
    if (os_file_exists(full)) {
        memcpy(path, full, sizeof(full));
        *ret_width = TLOG_TILE_WIDTH;
    }
    return KW_OK;
}

static kw_status read_tile(struct kw_op *op, const char *dir, unsigned level, uint64_t index,
                           unsigned width, struct tlog_hash *ret)
{
    AUTO(kw_bytes) *tile = NULL;
    char path[KW_PATH_BYTES];
    unsigned found = 0;

    TRY(op, find_file(op, dir, (int)level, index, width, path, &found));
    TRY(op, os_file_read(op, path, TILE_BYTES, &tile));
    ENSURE(op, tile->len == (size_t)found * KW_HASH_BYTES, KW_E_INTEGRITY,
           "tile '%s' has %zu octets, not %u hashes", path, tile->len, found);
    memcpy(ret, tile->p, (size_t)width * KW_HASH_BYTES);
    return KW_OK;
}

kw_status export_tile_read(struct kw_op *op, void *ctx, unsigned level, uint64_t index,
                           unsigned width, struct tlog_hash *ret)
{
    return read_tile(op, ctx, level, index, width, ret);
}

struct verification {
    const char *dir;
    struct export_result result;
    struct tlog_edge edge;
    unsigned n_wanted; /* entries of the bundle in hand that belong to the checkpoint */
    unsigned n_seen;   /* entries of the bundle in hand */
};

/* The tile of the export must be the one that the entries make. */
static kw_status check_tile(struct kw_op *op, struct verification *v, unsigned level,
                            uint64_t index, unsigned width, const struct tlog_hash *made)
{
    struct tlog_hash stored[TLOG_TILE_WIDTH];
    unsigned i = 0;

    TRY(op, read_tile(op, v->dir, level, index, width, stored));
    while (i < width && tlog_hash_equal(&stored[i], &made[i])) {
        i++;
    }
    uint64_t first = (index * TLOG_TILE_WIDTH + i) << TLOG_TILE_BITS * level;
    ENSURE(op, i == width || level > 0, KW_E_INTEGRITY, "entry %ju does not fit its tile",
           (uintmax_t)first);
    ENSURE(op, i == width, KW_E_INTEGRITY, "entries %ju to %ju do not fit their tile",
           (uintmax_t)first, (uintmax_t)(first + (UINT64_C(1) << TLOG_TILE_BITS * level) - 1));
    v->result.tiles_checked++;
    return KW_OK;
}

static kw_status check_full_tile(struct kw_op *op, void *ctx, unsigned level, uint64_t index,
                                 const struct tlog_hash hashes[TLOG_TILE_WIDTH])
{
    return check_tile(op, ctx, level, index, TLOG_TILE_WIDTH, hashes);
}

static kw_status take_entry(struct kw_op *op, void *ctx, unsigned i, struct kw_span entry)
{
    struct verification *v = ctx;

    v->n_seen++;
    if (i >= v->n_wanted) {
        return KW_OK; /* the log has grown since the checkpoint */
    }
    struct tlog_hash leaf = tlog_leaf_hash(entry);
    TRY(op, tlog_edge_append(op, &v->edge, &leaf, check_full_tile, v));
    v->result.entries_checked++;
    return KW_OK;
}

static kw_status check_bundle(struct kw_op *op, struct verification *v, uint64_t index)
{
    AUTO(kw_bytes) *bundle = NULL;
    char path[KW_PATH_BYTES];
    uint64_t rest = v->result.head.size - index * TLOG_TILE_WIDTH;
    unsigned found = 0;

    v->n_wanted = rest < TLOG_TILE_WIDTH ? (unsigned)rest : TLOG_TILE_WIDTH;
    v->n_seen = 0;
    TRY(op, find_file(op, v->dir, ENTRIES, index, v->n_wanted, path, &found));
    TRY(op, os_file_read(op, path, BUNDLE_MAX, &bundle));
    TRY(op, export_bundle_each(op, kw_bytes_span(bundle), take_entry, v), "bundle %ju",
        (uintmax_t)index);
    ENSURE(op, v->n_seen == found, KW_E_INTEGRITY, "bundle %ju has %u entries, not %u",
           (uintmax_t)index, v->n_seen, found);
    return KW_OK;
}

/* What the entries left of partial tiles, level by level. */
static kw_status check_edge(struct kw_op *op, struct verification *v)
{
    for (unsigned level = 0; level < TLOG_LEVELS_MAX; level++) {
        uint64_t index = (v->edge.size >> TLOG_TILE_BITS * level) / TLOG_TILE_WIDTH;
        if (v->edge.width[level] > 0) {
            TRY(op, check_tile(op, v, level, index, v->edge.width[level], v->edge.tile[level]));
        }
    }
    return KW_OK;
}

static kw_status read_text(struct kw_op *op, const char *dir, const char *name, size_t max,
                           struct kw_bytes **ret)
{
    char path[KW_PATH_BYTES];

    TRY(op, os_path_join(op, path, sizeof(path), dir, name));
    return os_file_read(op, path, max, ret);
}

/* The export's own key: one line. */
static kw_status read_vkey(struct kw_op *op, const char *dir, char vkey[CHECKPOINT_VKEY_MAX])
{
    AUTO(kw_bytes) *text = NULL;

    TRY(op, read_text(op, dir, "vkey", CHECKPOINT_VKEY_MAX - 1, &text));
    size_t n = text->len > 0 && text->p[text->len - 1] == '\n' ? text->len - 1 : text->len;
    ENSURE(op, n > 0 && !memchr(text->p, '\0', n), KW_E_INPUT, "the file vkey is not a key");
    memcpy(vkey, text->p, n);
    vkey[n] = '\0';
    return KW_OK;
}

/* The announcements that the export holds, in their order. */
static kw_status follow(struct kw_op *op, const char *dir, struct succession *keys)
{
    char name[32];
    bool taken = false;

    for (unsigned i = 2; i <= SUCCESSION_KEYS_MAX; i++) {
        AUTO(kw_bytes) *note = NULL;
        (void)snprintf(name, sizeof(name), "successor.%u", i);
        kw_status status = read_text(op, dir, name, CHECKPOINT_TEXT_MAX, &note);
        if (status.code == KW_E_NOT_FOUND) {
            kw_op_clear(op);
            return KW_OK;
        }
        TRY(op, status);
        TRY(op, succession_take(op, keys, kw_bytes_span(note), &taken), "%s", name);
    }
    return KW_OK;
}

static kw_status check_head(struct kw_op *op, const char *dir, const char *vkey,
                            struct checkpoint *ret)
{
    AUTO(kw_bytes) *note = NULL;
    char own_vkey[CHECKPOINT_VKEY_MAX];
    struct succession keys;

    if (!vkey) {
        TRY(op, read_vkey(op, dir, own_vkey), "reading the export's own key");
    }
    TRY(op, read_text(op, dir, "checkpoint", CHECKPOINT_TEXT_MAX, &note), "reading the checkpoint");
    TRY(op, succession_begin(op, vkey ? vkey : own_vkey, &keys));
    TRY(op, follow(op, dir, &keys));
    return succession_verify(op, &keys, kw_bytes_span(note), ret);
}

kw_status export_verify(struct kw_op *op, const char *dir, const char *vkey,
                        struct export_result *ret)
{
    struct verification v = {.dir = dir};

    TRY(op, check_head(op, dir, vkey, &v.result.head));
    for (uint64_t i = 0; i * TLOG_TILE_WIDTH < v.result.head.size; i++) {
        TRY(op, check_bundle(op, &v, i));
    }
    TRY(op, check_edge(op, &v));
    struct tlog_hash root = tlog_edge_root(&v.edge);
    ENSURE(op, tlog_hash_equal(&root, &v.result.head.root), KW_E_INTEGRITY,
           "the %ju entries do not have the root that '%s' signed", (uintmax_t)v.edge.size,
           v.result.head.origin);
    *ret = v.result;
    return KW_OK;
}

static bool names_export_file(const char *path)
{
    int level = 0;
    uint64_t index = 0;
    unsigned width = 0;

    if (strncmp(path, "successor.", 10) == 0) {
        return path[10] && strspn(path + 10, "0123456789") == strlen(path + 10);
    }
    return strcmp(path, "checkpoint") == 0 || strcmp(path, "vkey") == 0 ||
           kw_ok(tlog_tile_parse(path, &level, &index, &width));
}

kw_status export_write(struct kw_op *op, const char *dir, const char *path, struct kw_span content)
{
    char file[KW_PATH_BYTES];
    char folder[KW_PATH_BYTES];

    ENSURE(op, names_export_file(path), KW_E_INPUT, "'%s' is no file of a log", path);
    TRY(op, os_path_join(op, file, sizeof(file), dir, path));
    memcpy(folder, file, sizeof(file));
    *strrchr(folder, '/') = '\0';
    TRY(op, os_dir_make(op, folder, 0755));
    return os_file_write(op, file, 0644, content);
}

struct entries_walk {
    uint64_t first, size, base; /* base: index of the bundle's first entry */
    unsigned n_seen;
    kw_status (*each)(struct kw_op *op, void *ctx, uint64_t index, struct kw_span entry);
    void *ctx;
};

static kw_status walk_entry(struct kw_op *op, void *ctx, unsigned i, struct kw_span entry)
{
    struct entries_walk *walk = ctx;
    uint64_t index = walk->base + i;

    walk->n_seen++;
    return index >= walk->first && index < walk->size ? walk->each(op, walk->ctx, index, entry)
                                                      : KW_OK;
}

static kw_status walk_bundle(struct kw_op *op, const char *dir, struct entries_walk *walk)
{
    AUTO(kw_bytes) *bundle = NULL;
    char path[KW_PATH_BYTES];
    uint64_t rest = walk->size - walk->base;
    unsigned wanted = rest < TLOG_TILE_WIDTH ? (unsigned)rest : TLOG_TILE_WIDTH, found = 0;

    walk->n_seen = 0;
    TRY(op, find_file(op, dir, ENTRIES, walk->base / TLOG_TILE_WIDTH, wanted, path, &found));
    TRY(op, os_file_read(op, path, BUNDLE_MAX, &bundle));
    TRY(op, export_bundle_each(op, kw_bytes_span(bundle), walk_entry, walk));
    ENSURE(op, walk->n_seen >= wanted, KW_E_INTEGRITY, "a bundle has %u entries, not %u",
           walk->n_seen, wanted);
    return KW_OK;
}

kw_status export_entries_each(struct kw_op *op, const char *dir, uint64_t first, uint64_t size,
                              kw_status (*each)(struct kw_op *op, void *ctx, uint64_t index,
                                                struct kw_span entry),
                              void *ctx)
{
    struct entries_walk walk = {.first = first, .size = size, .each = each, .ctx = ctx};

    walk.base = first / TLOG_TILE_WIDTH * TLOG_TILE_WIDTH;
    for (; walk.base < size; walk.base += TLOG_TILE_WIDTH) {
        TRY(op, walk_bundle(op, dir, &walk));
    }
    return KW_OK;
}
