/* backup verbs: keys (a ceremony beside the stopped server), create, verify. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/time.h"
#include "base/uri.h"
#include "cmd/keywright/scratch.h"
#include "cmd/keywright/stopped.h"
#include "cmd/keywright/unpack.h"
#include "codec/json.h"
#include "crypto/digest.h"
#include "crypto/share.h"
#include "os/clock.h"
#include "os/files.h"
#include "service/log/gap.h"
#include "service/log/log.h"

enum { CREATE_MS = 3600 * 1000, ASK_EVERY_MS = 100 };

/* --- keys ------------------------------------------------------------------------------------- */

struct recovery {
    unsigned m, n;
    const char *dir;
    struct kw_secret *key;
    struct kw_secret *shares[KW_SHARES_MAX];
    uint8_t public_half[BOX_KEY_BYTES];
};

static void recovery_done(struct recovery *it)
{
    kw_secret_free(it->key);
    for (unsigned i = 0; i < KW_SHARES_MAX; i++) {
        kw_secret_free(it->shares[i]);
    }
}

static kw_status share_file(struct kw_op *op, const struct recovery *it, unsigned i, char *path,
                            size_t cap)
{
    char name[48];

    (void)snprintf(name, sizeof(name), "recovery-share-%u.txt", i + 1);
    return os_path_join(op, path, cap, it->dir, name);
}

static kw_status write_shares(struct kw_op *op, struct recovery *it)
{
    char path[KW_PATH_BYTES];

    TRY(op, share_split(op, it->key, it->m, it->n, it->shares));
    TRY(op, os_dir_make(op, it->dir, 0700));
    for (unsigned i = 0; i < it->n; i++) {
        AUTO(kw_secret) *page = NULL;
        TRY(op, share_file(op, it, i, path, sizeof(path)));
        ENSURE(op, !os_file_exists(path), KW_E_CONFLICT, "%s is there: shares of another key?",
               path);
        TRY(op, share_page(op, it->shares[i], "Keywright recovery key", &page));
        TRY(op, os_file_write(op, path, 0600, kw_secret_span(page)));
    }
    return KW_OK;
}

/* What custodians will do: m of them, from the files; here those from `first` on. */
static kw_status try_shares(struct kw_op *op, const struct recovery *it, unsigned first)
{
    struct recovery read = {.m = it->m};
    uint8_t opened[BOX_KEY_BYTES];
    char path[KW_PATH_BYTES];
    kw_status status = KW_OK;

    for (unsigned i = 0; i < it->m && kw_ok(status); i++) {
        status = share_file(op, it, first + i, path, sizeof(path));
        if (kw_ok(status)) {
            status = os_file_read_secret(op, path, SHARE_TEXT_MAX, &read.shares[i]);
        }
    }
    if (kw_ok(status)) {
        status = share_join(op, (const struct kw_secret *const *)read.shares, it->m, &read.key);
    }
    if (kw_ok(status)) {
        status = box_key_public(op, read.key, opened);
    }
    recovery_done(&read);
    TRY(op, status, "reading the shares back");
    ENSURE(op, memcmp(opened, it->public_half, sizeof(opened)) == 0, KW_E_INTEGRITY,
           "the shares give another key");
    return KW_OK;
}

static kw_status make_recovery(struct kw_op *op, struct recovery *it)
{
    TRY(op, box_key_new(op, &it->key));
    TRY(op, box_key_public(op, it->key, it->public_half));
    TRY(op, write_shares(op, it));
    TRY(op, try_shares(op, it, 0));
    return try_shares(op, it, it->n - it->m);
}

/* The keeper seals it with its state; the log tells of it. */
static kw_status tell_keeper(struct kw_op *op, struct cli *cli, struct service *service, void *ctx)
{
    const struct recovery *it = ctx;
    char hex[2 * BOX_KEY_BYTES + 1];
    struct event event = {
        .type = EVENT_KEY_GENERATE, .source = "keywright backup", .object = "key:recovery"};
    unsigned approval = 0;

    TRY(op, cli_number(op, cli, OPT_APPROVAL, 0, INT32_MAX, &approval));
    TRY(op, log_confirm(op, service));
    TRY(op, log_gap_refuse(op, service));
    for (unsigned i = 0; i < service->n_vaults; i++) {
        TRY(op, keeper_recovery_set(op, service->vaults[i], it->public_half, approval), "vault %s",
            service->config.vaults[i].name);
    }
    kw_hex(KW_SPAN_ARRAY(it->public_half), hex, sizeof(hex));
    (void)snprintf(event.detail, sizeof(event.detail),
                   "recovery key for backups, %u of %u shares, public key %s", it->m, it->n, hex);
    TRY(op, service_record_alone(op, service, &event));
    return log_checkpoint_now(op, service);
}

/* The shares that wait in the folder for their approval. */
static kw_status read_recovery(struct kw_op *op, struct recovery *it)
{
    char path[KW_PATH_BYTES];

    for (unsigned i = 0; i < it->m; i++) {
        TRY(op, share_file(op, it, i, path, sizeof(path)));
        TRY(op, os_file_read_secret(op, path, SHARE_TEXT_MAX, &it->shares[i]));
    }
    TRY(op, share_join(op, (const struct kw_secret *const *)it->shares, it->m, &it->key));
    return box_key_public(op, it->key, it->public_half);
}

static kw_status tell_server(struct kw_op *op, struct cli *cli, const struct recovery *it)
{
    char hex[2 * BOX_KEY_BYTES + 1], body[160];
    unsigned approval = 0;
    AUTO(kw_bytes) *answer = NULL;

    TRY(op, cli_number(op, cli, OPT_APPROVAL, 0, INT32_MAX, &approval));
    kw_hex(KW_SPAN_ARRAY(it->public_half), hex, sizeof(hex));
    (void)snprintf(body, sizeof(body), "{\"public_key\":\"%s\",\"approval\":%u}", hex, approval);
    return cli_post(op, cli, "/api/v1/backup/recovery", kw_span_text(body), &answer);
}

kw_status cli_backup_keys(struct kw_op *op, struct cli *cli)
{
    __attribute__((cleanup(recovery_done))) struct recovery it = {0};

    it.dir = cli->options[OPT_OUT];
    ENSURE(op, it.dir, KW_E_INPUT, "--out DIR is missing");
    TRY(op, cli_shares(op, cli, &it.m, &it.n));
    TRY(op, cli->options[OPT_APPROVAL] ? read_recovery(op, &it) : make_recovery(op, &it));
    TRY(op, cli->options[OPT_STATE] ? stopped_do(op, cli, /* ceremony= */ true, tell_keeper, &it)
                                    : tell_server(op, cli, &it));
    (void)printf("recovery key   %u of %u shares in %s; read back and tried\n"
                 "Take %s away now: the server never needs it.\n",
                 it.m, it.n, it.dir, it.dir);
    return KW_OK;
}

/* --- create ----------------------------------------------------------------------------------- */

static kw_status look(struct kw_op *op, struct cli *cli, struct backup_view *ret)
{
    AUTO(kw_bytes) *json = NULL;

    memset(ret, 0, sizeof(*ret));
    TRY(op, cli_get(op, cli, "/api/v1/backup", &json));
    return codec_json_decode(op, kw_bytes_span(json), backup_view.fields, backup_view.n, ret);
}

static kw_status wait_ready(struct kw_op *op, struct cli *cli, struct backup_view *ret)
{
    struct timespec pause = {.tv_nsec = (long)ASK_EVERY_MS * 1000000};

    for (;;) {
        TRY(op, look(op, cli, ret));
        if (strcmp(ret->stage, "ready") == 0) {
            return KW_OK;
        }
        ENSURE(op, strcmp(ret->stage, "making") == 0, kw_code_from_text(ret->code), "%s", ret->why);
        ENSURE(op, os_clock_mono_ms() < op->deadline_ms, KW_E_TIMEOUT, "the backup takes too long");
        (void)nanosleep(&pause, NULL); /* shorter is fine */
    }
}

static kw_status write_all(struct kw_op *op, int fd, struct kw_span octets)
{
    while (octets.len > 0) {
        ssize_t n = write(fd, octets.p, octets.len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        ENSURE(op, n > 0, errno == ENOSPC || errno == EDQUOT ? KW_E_FULL : KW_E_IO, "writing: %s",
               strerror(errno));
        octets = kw_span_sub(octets, (size_t)n, octets.len);
    }
    return KW_OK;
}

static kw_status fetch(struct kw_op *op, struct cli *cli, const struct backup_view *view, int fd)
{
    char path[64], hex[2 * KW_HASH_BYTES + 1];
    uint8_t now[KW_HASH_BYTES];
    AUTO(digest_stream) *hash = NULL;

    TRY(op, digest_stream_new(op, &hash));
    for (uint64_t at = 0; at < view->size;) {
        AUTO(kw_bytes) *part = NULL;
        (void)snprintf(path, sizeof(path), "/api/v1/backup/part?offset=%" PRIu64, at);
        TRY(op, cli_get(op, cli, path, &part));
        ENSURE(op, part->len > 0, KW_E_DEVICE, "the server sent an empty part");
        digest_stream_add(hash, kw_bytes_span(part));
        TRY(op, write_all(op, fd, kw_bytes_span(part)));
        at += part->len;
    }
    digest_stream_now(hash, now);
    kw_hex(KW_SPAN_ARRAY(now), hex, sizeof(hex));
    ENSURE(op, strcmp(hex, view->sha256) == 0, KW_E_INTEGRITY,
           "what arrived is not what the server made");
    ENSURE(op, fsync(fd) == 0, errno == ENOSPC ? KW_E_FULL : KW_E_IO, "syncing: %s",
           strerror(errno));
    return KW_OK;
}

/* The file gets its name when it is whole; link() never replaces another one. */
static kw_status keep(struct kw_op *op, struct cli *cli, const struct backup_view *view,
                      const char *out)
{
    char part[KW_PATH_BYTES];

    ENSURE(op, snprintf(part, sizeof(part), "%s.part", out) < (int)sizeof(part), KW_E_INPUT,
           "--out is too long");
    OS_FD_AUTO int fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    ENSURE(op, fd >= 0, KW_E_IO, "making %s: %s", part, strerror(errno));
    kw_status status = fetch(op, cli, view, fd);
    if (kw_ok(status) && link(part, out) != 0) {
        status =
            FAIL(op, errno == EEXIST ? KW_E_CONFLICT : KW_E_IO, "naming it: %s", strerror(errno));
    }
    (void)unlink(part); /* half a backup is none; a whole one has its name */
    TRY(op, status, "%s", out);
    return KW_OK;
}

static kw_status discard(struct kw_op *op, struct cli *cli)
{
    AUTO(kw_bytes) *answer = NULL;

    return cli_post(op, cli, "/api/v1/backup/discard", kw_span_text("{}"), &answer);
}

kw_status cli_backup_create(struct kw_op *op, struct cli *cli)
{
    const char *out = cli->options[OPT_OUT];
    struct backup_view view;
    char body[64];
    unsigned approval = 0;
    AUTO(kw_bytes) *answer = NULL;

    ENSURE(op, out, KW_E_INPUT, "--out FILE is missing");
    ENSURE(op, !os_file_exists(out), KW_E_CONFLICT, "%s is there", out);
    TRY(op, cli_number(op, cli, OPT_APPROVAL, 0, INT32_MAX, &approval));
    op->deadline_ms = os_clock_mono_ms() + CREATE_MS;
    (void)snprintf(body, sizeof(body), "{\"approval\":%u}", approval);
    TRY(op, cli_post(op, cli, "/api/v1/backup", kw_span_text(body), &answer));
    TRY(op, wait_ready(op, cli, &view));
    kw_status status = keep(op, cli, &view, out);
    struct kw_op own;
    kw_op_init(&own, NULL, op->deadline_ms);
    if (!kw_ok(discard(&own, cli))) {
        (void)fputs("keywright backup create: the server keeps its copy until the next one\n",
                    stderr);
    }
    TRY(op, status);
    (void)printf("backup %s of %" PRIu64 " octets is in %s\n", view.id, view.size, out);
    return KW_OK;
}

/* --- list ------------------------------------------------------------------------------------- */

/* A key that is to be destroyed lives on in these. */
kw_status cli_backup_list(struct kw_op *op, struct cli *cli)
{
    static const char *const columns[] = {"id", "made", "actor", "keys", NULL};
    const char *key = cli->options[OPT_KEY];
    char path[KW_URI_MAX];
    AUTO(kw_bytes) *query = NULL;

    TRY(op, kw_bytes_new(KW_URI_MAX, &query));
    TRY(op, kw_uri_encode(key ? key : "", query));
    ENSURE(op,
           snprintf(path, sizeof(path), "/api/v1/backups%s%.*s", key ? "?key=" : "",
                    (int)query->len, (const char *)query->p) < (int)sizeof(path),
           KW_E_INPUT, "--key is too long");
    return cli_list(op, cli, path, &backup_told_page, sizeof(struct backup_told_page), columns);
}

/* --- verify ----------------------------------------------------------------------------------- */

static void print_outer(const struct backup_file *file)
{
    char id[2 * ARCHIVE_ID_BYTES + 1], when[KW_TIME_TEXT];

    kw_hex(KW_SPAN_ARRAY(file->outer.head.id), id, sizeof(id));
    (void)printf("backup         %s of %s, %" PRIu64 " chunks, %" PRIu64 " octets\n"
                 "log            of %s speaks of it, under a signed head of %" PRIu64 " entries\n",
                 id, kw_time_text(file->outer.head.created_s, when), file->outer.chunks,
                 file->outer.size, file->head.origin, file->head.size);
}

static kw_status verify_content(struct kw_op *op, const struct cli *cli,
                                const struct backup_file *file, const char *dir)
{
    uint64_t size = 0;
    AUTO(kw_secret) *recovery = NULL;

    TRY(op, backup_join_shares(op, cli, &recovery));
    TRY(op, backup_unpack(op, file, recovery, dir, &size));
    (void)printf("content        decrypted; the store is sound, its log of %" PRIu64
                 " entries is the one that was signed\n",
                 size);
    return backup_print_keys(op, dir);
}

static kw_status verify(struct kw_op *op, const struct cli *cli, struct backup_file *file)
{
    AUTO_SCRATCH scratch = {0};
    char inner[96];

    TRY(op, backup_file_open(op, cli, cli->args[0], file));
    print_outer(file);
    if (!cli->options[OPT_SHARE_FILE]) {
        (void)puts("content        not looked at: that needs the shares (--share-file)");
        return KW_OK;
    }
    TRY(op, scratch_new(op, &scratch));
    (void)snprintf(inner, sizeof(inner), "%s/state", scratch.dir);
    return verify_content(op, cli, file, inner);
}

kw_status cli_backup_verify(struct kw_op *op, struct cli *cli)
{
    __attribute__((cleanup(backup_file_done))) struct backup_file file = {.fd = -1};

    return verify(op, cli, &file);
}
