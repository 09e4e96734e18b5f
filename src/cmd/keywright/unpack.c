#include "cmd/keywright/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "crypto/share.h"
#include "os/clock.h"
#include "os/files.h"
#include "service/backup/package.h"
#include "service/backup/trailer.h"

enum { SMALL_MAX = 8 << 20, LONG_MS = 3600 * 1000 };

/* --- the file --------------------------------------------------------------------------------- */

void backup_file_done(struct backup_file *file)
{
    archive_outer_done(&file->outer);
    os_fd_close(&file->fd);
}

kw_status backup_file_open(struct kw_op *op, const struct cli *cli, const char *path,
                           struct backup_file *ret)
{
    char vkey[CHECKPOINT_VKEY_MAX];

    op->deadline_ms = os_clock_mono_ms() + LONG_MS;
    ret->fd = open(path, O_RDONLY | O_CLOEXEC);
    ENSURE(op, ret->fd >= 0, errno == ENOENT ? KW_E_NOT_FOUND : KW_E_IO, "opening %s: %s", path,
           strerror(errno));
    TRY(op, archive_scan(op, ret->fd, &ret->outer), "%s", path);
    return trailer_verify(op, &ret->outer, cli->options[OPT_VKEY], &ret->head, vkey);
}

/* --- shares ----------------------------------------------------------------------------------- */

struct share_set {
    unsigned n;
    struct kw_secret *at[KW_SHARES_MAX];
};

static void share_set_done(struct share_set *set)
{
    for (unsigned i = 0; i < set->n; i++) {
        kw_secret_free(set->at[i]);
    }
}

kw_status backup_join_shares(struct kw_op *op, const struct cli *cli, struct kw_secret **ret)
{
    __attribute__((cleanup(share_set_done))) struct share_set set = {0};
    const char *rest = cli->options[OPT_SHARE_FILE];
    char path[KW_PATH_BYTES];

    ENSURE(op, rest && *rest, KW_E_INPUT, "--share-file FILE,FILE,... is missing");
    while (*rest) {
        size_t n = strcspn(rest, ",");
        ENSURE(op, set.n < KW_SHARES_MAX && n > 0 && n < sizeof(path), KW_E_INPUT,
               "--share-file takes the names of up to %d files", KW_SHARES_MAX);
        (void)snprintf(path, sizeof(path), "%.*s", (int)n, rest);
        TRY(op, os_file_read_secret(op, path, SHARE_TEXT_MAX, &set.at[set.n]), "share %s", path);
        set.n++;
        rest += n + (rest[n] == ',');
    }
    return share_join(op, (const struct kw_secret *const *)set.at, set.n, ret);
}

/* --- content ---------------------------------------------------------------------------------- */

struct unpacking {
    const char *dir;
    char path[KW_PATH_BYTES]; /* of the present member */
    int fd;
};

static void unpacking_done(struct unpacking *it)
{
    os_fd_close(&it->fd);
}

/* What a state folder has no place for lies beside. */
static const char *place_of(const char *name)
{
    return strncmp(name, "log/", 4) == 0 || strncmp(name, "vault/", 6) == 0 ? "restored/" : "";
}

static kw_status begin(struct kw_op *op, void *ctx, const struct archive_member *member)
{
    struct unpacking *it = ctx;
    char name[ARCHIVE_NAME_MAX + 16], folder[KW_PATH_BYTES];

    (void)snprintf(name, sizeof(name), "%s%s", place_of(member->name), member->name);
    TRY(op, os_path_join(op, it->path, sizeof(it->path), it->dir, name));
    KW_TEXT_SET(folder, it->path);
    *strrchr(folder, '/') = 0;
    bool private_ = strncmp(name, "store/", 6) == 0 || strncmp(name, "restored/", 9) == 0;
    TRY(op, os_dir_make(op, folder, private_ ? 0700 : 0755));
    it->fd = open(it->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, member->mode);
    ENSURE(op, it->fd >= 0, errno == ENOSPC ? KW_E_FULL : KW_E_IO, "making %s: %s", it->path,
           strerror(errno));
    return KW_OK;
}

static kw_status data(struct kw_op *op, void *ctx, struct kw_span piece)
{
    struct unpacking *it = ctx;

    while (piece.len > 0) {
        ssize_t n = write(it->fd, piece.p, piece.len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        ENSURE(op, n > 0, errno == ENOSPC || errno == EDQUOT ? KW_E_FULL : KW_E_IO,
               "writing %s: %s", it->path, strerror(errno));
        piece = kw_span_sub(piece, (size_t)n, piece.len);
    }
    return KW_OK;
}

static kw_status end(struct kw_op *op, void *ctx, const struct archive_member *member)
{
    struct unpacking *it = ctx;

    (void)member;
    ENSURE(op, fsync(it->fd) == 0, errno == ENOSPC ? KW_E_FULL : KW_E_IO, "syncing %s: %s",
           it->path, strerror(errno));
    os_fd_close(&it->fd);
    return KW_OK;
}

/* --- the log in it ---------------------------------------------------------------------------- */

struct log_walk {
    struct tlog_edge edge;
    uint64_t size; /* to be looked at */
};

static kw_status add_leaf(struct kw_op *op, void *ctx, uint64_t index, struct kw_span entry)
{
    struct log_walk *walk = ctx;

    if (index >= walk->size) {
        return KW_OK;
    }
    struct tlog_hash leaf = tlog_leaf_hash(entry);
    return tlog_edge_append(op, &walk->edge, &leaf, /* full= */ NULL, NULL);
}

static kw_status check_log(struct kw_op *op, struct store *store, const struct checkpoint *head,
                           uint64_t *ret_size)
{
    struct log_walk *walk = calloc(1, sizeof(*walk));

    ENSURE(op, walk, KW_E_MEMORY, "no memory for the log");
    tlog_edge_init(&walk->edge);
    walk->size = head->size;
    kw_status status = store_log_size(op, store, ret_size);
    for (uint64_t at = 0; kw_ok(status) && at < head->size; at += 4096) {
        status = store_log_each(op, store, at, 4096, add_leaf, walk);
    }
    struct tlog_hash root = tlog_edge_root(&walk->edge);
    bool same = walk->edge.size == head->size &&
                kw_span_equal(KW_SPAN_ARRAY(root.b), KW_SPAN_ARRAY(head->root.b));
    free(walk);
    TRY(op, status);
    ENSURE(op, same, KW_E_INTEGRITY, "the log in the backup is not the one that was signed");
    return KW_OK;
}

static kw_status check_store(struct kw_op *op, const char *dir, uint64_t *ret_size)
{
    char path[KW_PATH_BYTES], lock[KW_PATH_BYTES + 8];
    struct store_config config = {.path = path};
    struct checkpoint head;
    AUTO(kw_bytes) *note = NULL;
    AUTO(store) *store = NULL;

    TRY(op, os_path_join(op, path, sizeof(path), dir, "restored/log/checkpoint"));
    TRY(op, os_file_read(op, path, CHECKPOINT_TEXT_MAX, &note));
    TRY(op, checkpoint_parse(op, kw_bytes_span(note), &head));
    TRY(op, os_path_join(op, path, sizeof(path), dir, "store/keywright.db"));
    TRY(op, store_verify(op, path));
    TRY(op, store_open(op, &config, &store));
    TRY(op, check_log(op, store, &head, ret_size));
    (void)snprintf(lock, sizeof(lock), "%s.lock", path);
    (void)unlink(lock); /* it is made anew */
    return KW_OK;
}

kw_status backup_unpack(struct kw_op *op, const struct backup_file *file,
                        const struct kw_secret *recovery, const char *dir, uint64_t *ret_size)
{
    __attribute__((cleanup(unpacking_done))) struct unpacking it = {.dir = dir, .fd = -1};
    struct archive_taker taker = {.begin = begin, .data = data, .end = end, .ctx = &it};
    AUTO(kw_secret) *key = NULL;

    TRY(op, archive_open_key(op, &file->outer.head, recovery, &key));
    TRY(op, os_dir_make(op, dir, 0755));
    TRY(op, archive_read(op, file->fd, key, &taker), "unpacking");
    return check_store(op, dir, ret_size);
}

/* --- keys ------------------------------------------------------------------------------------- */

static kw_status print_key(struct kw_op *op, void *ctx, const struct package_key *key)
{
    (void)op;
    (void)ctx;
    (void)printf("key            %-20s %-18s %-12s %s%s\n", key->key_id,
                 key_class_text(key->policy.class_), key_state_text(key->state),
                 key->box.len > 0 ? "secret in this backup"
                 : *key->token    ? "NOT in this backup: in the token, as "
                                  : "NOT in this backup: only in its vault",
                 key->token);
    return KW_OK;
}

static kw_status print_package(struct kw_op *op, const char *name, void *ctx)
{
    char path[KW_PATH_BYTES];
    AUTO(kw_bytes) *package = NULL;

    TRY(op, os_path_join(op, path, sizeof(path), ctx, name));
    (void)printf("vault          %s\n", name[6] ? name + 7 : "main"); /* export, export-NAME */
    TRY(op, os_file_read(op, path, SMALL_MAX, &package));
    return package_each(op, kw_bytes_span(package), print_key, NULL);
}

kw_status backup_print_keys(struct kw_op *op, const char *dir)
{
    char path[KW_PATH_BYTES];

    TRY(op, os_path_join(op, path, sizeof(path), dir, "restored/vault"));
    return os_dir_each(op, path, "", print_package, path);
}
