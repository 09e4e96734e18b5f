#include "service/backup/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/hex.h"
#include "crypto/digest.h"
#include "keeper/subjects.h"
#include "os/clock.h"
#include "os/files.h"
#include "service/approvals/approvals.h"
#include "service/backup/archive.h"
#include "service/backup/package.h"
#include "service/backup/trailer.h"
#include "service/log/gap.h"
#include "service/log/keys.h"
#include "service/log/log.h"

static const char ARCHIVE_FILE[] = "store/backup.tmp", COPY_FILE[] = "store/backup.db.tmp";
enum { MAKE_DEADLINE_MS = 3600 * 1000, SMALL_MAX = 1 << 20, LOOK_BACK = 4096 };

struct backup_maker {
    struct service *service;
    pthread_mutex_t lock; /* guards all below */
    bool running;         /* the thread is to be joined */
    pthread_t thread;
    uint64_t approval_id;
    struct backup_info info;
};

/* All that one making gathers. */
struct making {
    struct service *service;
    struct archive_writer *writer;
    int fd;
    const char *folder; /* that is walked */
    char keys[256];     /* whose secrets it holds */
    struct backup_info info;
};

const char *backup_stage_text(enum backup_stage stage)
{
    static const char *const texts[] = {"none", "making", "ready", "failed"};

    _Static_assert(KW_COUNT(texts) == BACKUP_STAGE_MAX, "a text for each");
    return (unsigned)stage < BACKUP_STAGE_MAX ? texts[stage] : "none";
}

static void remove_files(struct service *service)
{
    const char *const names[] = {ARCHIVE_FILE, COPY_FILE};
    char path[KW_PATH_BYTES];
    struct kw_op own;

    kw_op_init(&own, NULL, 0);
    for (unsigned i = 0; i < KW_COUNT(names); i++) {
        if (kw_ok(config_path(&own, &service->config, names[i], path, sizeof(path)))) {
            (void)unlink(path); /* absent, mostly */
        }
    }
}

kw_status backup_new(struct kw_op *op, struct service *service, struct backup_maker **ret)
{
    struct backup_maker *maker = calloc(1, sizeof(*maker));

    ENSURE(op, maker, KW_E_MEMORY, "no memory for backups");
    maker->service = service;
    pthread_mutex_init(&maker->lock, NULL);
    remove_files(service); /* of one that was cut */
    *ret = maker;
    return KW_OK;
}

void backup_free(struct backup_maker *maker)
{
    if (!maker) {
        return;
    }
    if (maker->running) {
        pthread_join(maker->thread, NULL);
    }
    pthread_mutex_destroy(&maker->lock);
    free(maker);
}

/* --- members ---------------------------------------------------------------------------------- */

static kw_status add_small(struct kw_op *op, struct making *it, const char *name)
{
    char path[KW_PATH_BYTES];
    AUTO(kw_bytes) *content = NULL;

    TRY(op, config_path(op, &it->service->config, name, path, sizeof(path)));
    TRY(op, os_file_read(op, path, SMALL_MAX, &content));
    return archive_add(op, it->writer, name, 0644, kw_bytes_span(content));
}

static kw_status add_found(struct kw_op *op, const char *file, void *ctx)
{
    struct making *it = ctx;
    char name[ARCHIVE_NAME_MAX];

    (void)snprintf(name, sizeof(name), "%s/%.100s", it->folder, file);
    return add_small(op, it, name);
}

static kw_status add_folder(struct kw_op *op, struct making *it, const char *folder)
{
    char path[KW_PATH_BYTES];

    it->folder = folder;
    TRY(op, config_path(op, &it->service->config, folder, path, sizeof(path)));
    return os_dir_each(op, path, "", add_found, it);
}

static kw_status add_store(struct kw_op *op, struct making *it)
{
    char path[KW_PATH_BYTES];

    TRY(op, config_path(op, &it->service->config, COPY_FILE, path, sizeof(path)));
    TRY(op, store_backup(op, it->service->store, path), "copying the store");
    kw_status status = archive_add_file(op, it->writer, "store/keywright.db", 0600, path);
    (void)unlink(path);
    return status;
}

/* The head as it was before the copy: what is restored must be at least that. */
static kw_status add_log(struct kw_op *op, struct making *it)
{
    char vkey[CHECKPOINT_VKEY_MAX];
    AUTO(kw_bytes) *note = NULL;

    TRY(op, log_checkpoint_now(op, it->service));
    TRY(op, log_checkpoint(op, it->service, &note));
    TRY(op, log_vkey(op, it->service, vkey, sizeof(vkey)));
    TRY(op, archive_add(op, it->writer, "log/checkpoint", 0644, kw_bytes_span(note)));
    return archive_add(op, it->writer, "log/vkey", 0644, kw_span_text(vkey));
}

static kw_status name_key(struct kw_op *op, void *ctx, const struct package_key *key)
{
    struct making *it = ctx;
    size_t n = strlen(it->keys);

    (void)op;
    if (key->box.len > 0) {
        (void)snprintf(it->keys + n, sizeof(it->keys) - n, " %s", key->key_id);
    }
    return KW_OK;
}

/* A vault that is sealed or away, or has no recovery key, is named: the backup is made without. */
static kw_status add_vault(struct kw_op *op, struct making *it, unsigned i)
{
    const char *vault = it->service->config.vaults[i].name;
    char name[ARCHIVE_NAME_MAX];
    AUTO(kw_bytes) *package = NULL;

    kw_status status = keeper_vault_export(op, it->service->vaults[i], 0, &package);
    if (!kw_ok(status)) {
        size_t n = strlen(it->keys);
        (void)snprintf(it->keys + n, sizeof(it->keys) - n, " (without vault %s: %s)", vault,
                       kw_code_text(status.code));
        kw_op_clear(op);
        return KW_OK;
    }
    (void)snprintf(name, sizeof(name), "vault/export-%s", vault);
    TRY(op, package_each(op, kw_bytes_span(package), name_key, it));
    return archive_add(op, it->writer, name, 0600, kw_bytes_span(package));
}

static kw_status fill(struct kw_op *op, struct making *it, struct kw_span package)
{
    TRY(op, package_each(op, package, name_key, it));
    TRY(op, archive_add(op, it->writer, "vault/export", 0600, package));
    for (unsigned i = 1; i < it->service->n_vaults; i++) {
        TRY(op, add_vault(op, it, i));
    }
    TRY(op, add_log(op, it));
    TRY(op, add_small(op, it, "keywright.yaml"));
    TRY(op, add_folder(op, it, "certs"));
    TRY(op, add_folder(op, it, "profiles"));
    TRY(op, add_folder(op, it, "authorities"));
    return add_store(op, it);
}

/* --- the proof -------------------------------------------------------------------------------- */

struct finding {
    const char *id;
    uint64_t index;
    bool found;
};

static kw_status find_entry(struct kw_op *op, void *ctx, uint64_t index, struct kw_span entry)
{
    struct finding *it = ctx;

    (void)op;
    if (memmem(entry.p, entry.len, it->id, strlen(it->id))) {
        it->index = index;
        it->found = true;
    }
    return KW_OK;
}

/* The log tells of the file, then the file of the log. */
static kw_status prove(struct kw_op *op, struct making *it, const uint8_t hash[KW_HASH_BYTES],
                       uint64_t size)
{
    struct event event = {.type = EVENT_BACKUP_CREATE};
    struct finding entry = {.id = event.object};
    uint64_t before = 0;
    AUTO(kw_bytes) *trailer = NULL;

    (void)snprintf(event.object, sizeof(event.object), "backup:%s", it->info.id);
    trailer_detail(hash, size, it->keys, event.detail, sizeof(event.detail));
    TRY(op, store_log_size(op, it->service->store, &before));
    TRY(op, service_record_alone(op, it->service, &event));
    TRY(op, store_log_each(op, it->service->store, before, LOOK_BACK, find_entry, &entry));
    ENSURE(op, entry.found, KW_E_INTERNAL, "the backup's entry is not in the log");
    TRY(op, trailer_make(op, it->service, entry.index, &trailer));
    return archive_put_trailer(op, it->writer, kw_bytes_span(trailer));
}

static kw_status hash_file(struct kw_op *op, int fd, struct backup_info *ret)
{
    uint8_t octets[65536];
    AUTO(digest_stream) *hash = NULL;

    TRY(op, digest_stream_new(op, &hash));
    for (;;) {
        ssize_t n = pread(fd, octets, sizeof(octets), (off_t)ret->size);
        ENSURE(op, n >= 0 || errno == EINTR, KW_E_IO, "reading the backup: %s", strerror(errno));
        if (n == 0) {
            digest_stream_now(hash, ret->hash);
            return KW_OK;
        }
        if (n > 0) {
            digest_stream_add(hash, KW_SPAN(octets, (size_t)n));
            ret->size += (uint64_t)n;
        }
    }
}

static kw_status write_archive(struct kw_op *op, struct making *it, struct kw_span package)
{
    struct package_head head;
    uint8_t hash[KW_HASH_BYTES];
    uint64_t size = 0;

    TRY(op, package_head_read(op, package, &head));
    TRY(op, archive_create(op, it->fd, head.recovery, os_clock_unix_s(), &it->writer));
    kw_hex(KW_SPAN(archive_writer_head(it->writer)->id, ARCHIVE_ID_BYTES), it->info.id,
           sizeof(it->info.id));
    TRY(op, fill(op, it, package));
    TRY(op, archive_end(op, it->writer, hash, &size));
    TRY(op, prove(op, it, hash, size));
    return hash_file(op, it->fd, &it->info);
}

static kw_status make(struct kw_op *op, struct making *it, uint64_t approval_id)
{
    char path[KW_PATH_BYTES];
    AUTO(kw_bytes) *package = NULL;

    TRY(op, log_gap_refuse(op, it->service));
    TRY(op, keeper_vault_export(op, it->service->keeper, approval_id, &package),
        "the keeper's part");
    TRY(op, config_path(op, &it->service->config, ARCHIVE_FILE, path, sizeof(path)));
    it->fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    ENSURE(op, it->fd >= 0, errno == ENOSPC ? KW_E_FULL : KW_E_IO, "making %s: %s", path,
           strerror(errno));
    return write_archive(op, it, kw_bytes_span(package));
}

static void *run(void *ctx)
{
    struct backup_maker *maker = ctx;
    struct making it = {.service = maker->service, .fd = -1};
    struct kw_op op;

    kw_op_init(&op, "system", os_clock_mono_ms() + MAKE_DEADLINE_MS);
    kw_status status = make(&op, &it, maker->approval_id);
    archive_writer_free(it.writer);
    os_fd_close(&it.fd);
    it.info.stage = kw_ok(status) ? BACKUP_READY : BACKUP_FAILED;
    it.info.code = status.code;
    if (!kw_ok(status)) {
        KW_TEXT_SET(it.info.why, kw_op_cause(&op));
        remove_files(maker->service);
        service_complain(maker->service, &op, "the backup could not be made");
    }
    pthread_mutex_lock(&maker->lock);
    maker->info = it.info;
    pthread_mutex_unlock(&maker->lock);
    return NULL;
}

/* --- asked for -------------------------------------------------------------------------------- */

/* With the lock held. */
static kw_status end_last(struct kw_op *op, struct backup_maker *maker)
{
    ENSURE(op, maker->info.stage != BACKUP_MAKING, KW_E_CONFLICT, "a backup is being made");
    if (maker->running) {
        pthread_join(maker->thread, NULL);
        maker->running = false;
    }
    maker->info = (struct backup_info){0};
    remove_files(maker->service);
    return KW_OK;
}

static kw_status begin(struct kw_op *op, struct backup_maker *maker, uint64_t approval_id)
{
    TRY(op, end_last(op, maker));
    maker->approval_id = approval_id;
    maker->info.stage = BACKUP_MAKING;
    if (pthread_create(&maker->thread, NULL, run, maker) != 0) {
        maker->info.stage = BACKUP_NONE;
        return FAIL(op, KW_E_MEMORY, "no thread for a backup");
    }
    maker->running = true;
    return KW_OK;
}

kw_status backup_start(struct kw_op *op, struct service *service, uint64_t approval_id)
{
    TRY(op, log_gap_refuse(op, service));
    pthread_mutex_lock(&service->backup->lock);
    kw_status status = begin(op, service->backup, approval_id);
    pthread_mutex_unlock(&service->backup->lock);
    return status;
}

void backup_look(struct service *service, struct backup_info *ret)
{
    pthread_mutex_lock(&service->backup->lock);
    *ret = service->backup->info;
    pthread_mutex_unlock(&service->backup->lock);
}

kw_status backup_part(struct kw_op *op, struct service *service, uint64_t offset,
                      struct kw_bytes **ret)
{
    char path[KW_PATH_BYTES];
    struct backup_info info;
    AUTO(kw_bytes) *part = NULL;

    backup_look(service, &info);
    ENSURE(op, info.stage == BACKUP_READY && offset <= info.size, KW_E_STATE,
           "no backup is ready, or it is shorter");
    TRY(op, config_path(op, &service->config, ARCHIVE_FILE, path, sizeof(path)));
    OS_FD_AUTO int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ENSURE(op, fd >= 0, KW_E_IO, "opening %s: %s", path, strerror(errno));
    size_t want = info.size - offset < BACKUP_PART_MAX ? (size_t)(info.size - offset)
                                                       : (size_t)BACKUP_PART_MAX;
    TRY(op, kw_bytes_new(want + 1, &part));
    ENSURE(op, pread(fd, part->p, want, (off_t)offset) == (ssize_t)want, KW_E_IO, "reading %s: %s",
           path, strerror(errno));
    part->len = want;
    *ret = TAKE(part);
    return KW_OK;
}

kw_status backup_discard(struct kw_op *op, struct service *service)
{
    pthread_mutex_lock(&service->backup->lock);
    kw_status status = end_last(op, service->backup);
    pthread_mutex_unlock(&service->backup->lock);
    return status;
}

kw_status backup_recovery_set(struct kw_op *op, struct service *service,
                              const uint8_t key[KW_HASH_BYTES], uint64_t approval_id)
{
    struct event event = {.type = EVENT_KEY_GENERATE, .object = "key:recovery"};
    char hex[2 * KW_HASH_BYTES + 1];

    TRY(op, log_gap_refuse(op, service));
    TRY(op, keeper_recovery_set(op, service->keeper, key, approval_id));
    kw_hex(KW_SPAN(key, KW_HASH_BYTES), hex, sizeof(hex));
    (void)snprintf(event.detail, sizeof(event.detail), "recovery key for backups, public key %s",
                   hex);
    return service_record_alone(op, service, &event);
}

kw_status backup_recovery_ask(struct kw_op *op, struct service *service,
                              const uint8_t key[KW_HASH_BYTES], struct keeper_approval *ret)
{
    struct approval_subject subject = subject_recovery_set(key);

    return approval_ask(op, service, &subject, KW_SPAN(NULL, 0), ret);
}
