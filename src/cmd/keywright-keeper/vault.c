#include "cmd/keywright-keeper/vault.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "cmd/keywright-keeper/vault_unlock.h"
#include "os/files.h"
#include "os/rng.h"

enum { DIR_MODE = 0700, FILE_MODE = 0600 };

static kw_status path_of(struct kw_op *op, const struct vault *vault, const char *name,
                         char path[KW_PATH_BYTES])
{
    return os_path_join(op, path, KW_PATH_BYTES, vault->dir, name);
}

/* Two keepers on one vault would each believe in its own last CRL number. */
static kw_status lock(struct kw_op *op, struct vault *vault)
{
    char path[KW_PATH_BYTES];

    TRY(op, path_of(op, vault, "lock", path));
    vault->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
    ENSURE(op, vault->lock_fd >= 0, KW_E_IO, "cannot open '%s': %s", path, strerror(errno));
    ENSURE(op, flock(vault->lock_fd, LOCK_EX | LOCK_NB) == 0, KW_E_UNAVAILABLE,
           "another keeper uses the vault '%s'", vault->dir);
    return KW_OK;
}

static kw_status start(struct kw_op *op, const char *dir, struct vault *vault)
{
    *vault = (struct vault){.lock_fd = -1};
    ENSURE(op, KW_TEXT_SET(vault->dir, dir), KW_E_TOO_LARGE, "path of the vault too long");
    return os_path_join(op, vault->keys_dir, sizeof(vault->keys_dir), dir, "keys");
}

static kw_status refuse_key(struct kw_op *op, const char *key_id, void *ctx)
{
    const struct vault *vault = ctx;

    return FAIL(op, KW_E_CONFLICT, "'%s' holds the key '%s' of another vault", vault->dir, key_id);
}

static kw_status write_header(struct kw_op *op, const struct vault *vault, const char *unlock,
                              const char *path)
{
    AUTO(kw_bytes) *sealed = NULL;
    struct vault_header header = {0};
    uint8_t octets[VAULT_HEADER_MAX];
    struct kw_out file = KW_OUT_ARRAY(octets);

    memcpy(header.id, vault->id, sizeof(header.id));
    TRY(op, unlock_wrap(op, unlock, &header, vault->kek, &sealed));
    header.sealed_kek = kw_bytes_span(sealed);
    ENSURE(op, kw_ok(vault_header_encode(&header, &file)), KW_E_TOO_LARGE,
           "the sealed key of the vault is too long");
    return os_file_write(op, path, FILE_MODE, kw_out_span(&file));
}

static kw_status fill_new(struct kw_op *op, struct vault *vault, const char *unlock)
{
    char path[KW_PATH_BYTES];
    struct state empty = {0};

    TRY(op, path_of(op, vault, "vault", path));
    ENSURE(op, !os_file_exists(path), KW_E_CONFLICT,
           "there is a vault in '%s' already; it is never overwritten", vault->dir);
    TRY(op, vault_key_each(op, vault, refuse_key, vault));
    TRY(op, os_random(op, vault->id, sizeof(vault->id)));
    TRY(op, kw_secret_new(VAULT_KEK_BYTES, &vault->kek), "memory for the vault's key");
    TRY(op, os_random(op, kw_secret_data(vault->kek), VAULT_KEK_BYTES));
    TRY(op, vault_state_save(op, vault, &empty));
    return write_header(op, vault, unlock, path); /* last: a vault is there when its header is */
}

kw_status vault_create(struct kw_op *op, const char *dir, const char *unlock, struct vault *ret)
{
    TRY(op, start(op, dir, ret));
    TRY(op, os_dir_make(op, ret->dir, DIR_MODE), "making the vault");
    TRY(op, os_dir_make(op, ret->keys_dir, DIR_MODE), "making the vault");
    TRY(op, lock(op, ret));
    return fill_new(op, ret, unlock);
}

static kw_status read_header(struct kw_op *op, struct vault *vault, const char *unlock)
{
    AUTO(kw_bytes) *file = NULL;
    char path[KW_PATH_BYTES];
    struct vault_header header;
    struct kw_span head;

    TRY(op, path_of(op, vault, "vault", path));
    TRY(op, os_file_read(op, path, VAULT_HEADER_MAX, &file), "no vault in '%s'", vault->dir);
    ENSURE(op, kw_ok(vault_header_decode(kw_bytes_span(file), &header, &head)), KW_E_INTEGRITY,
           "'%s' is damaged: restore the vault from its backup", path);
    memcpy(vault->id, header.id, sizeof(vault->id));
    return unlock_open(op, unlock, &header, head, &vault->kek);
}

kw_status vault_open(struct kw_op *op, const char *dir, const char *unlock, struct vault *ret)
{
    char path[KW_PATH_BYTES];

    TRY(op, start(op, dir, ret));
    TRY(op, path_of(op, ret, "vault", path));
    ENSURE(op, os_file_exists(path), KW_E_NOT_FOUND, "there is no vault in '%s'", dir);
    TRY(op, lock(op, ret));
    return read_header(op, ret, unlock);
}

void vault_done(struct vault *vault)
{
    kw_secret_free(vault->kek);
    vault->kek = NULL;
    os_fd_close(&vault->lock_fd);
}
