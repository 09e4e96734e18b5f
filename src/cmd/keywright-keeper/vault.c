#include "cmd/keywright-keeper/vault.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "cmd/keywright-keeper/vault_header.h"
#include "os/clock.h"
#include "os/files.h"
#include "os/rng.h"

enum { DIR_MODE = 0700, FILE_MODE = 0600, KEK_BYTES = VAULT_KEK_BYTES, LOCK_WAIT_MS = 3000 };
_Static_assert(VAULT_CORE_BYTES == 2 * KEK_BYTES, "KEK and lasting key");

static kw_status path_of(struct kw_op *op, const struct vault *vault, const char *name,
                         char path[KW_PATH_BYTES])
{
    return os_path_join(op, path, KW_PATH_BYTES, vault->dir, name);
}

static bool is_there(const struct vault *vault, const char *name)
{
    char path[KW_PATH_BYTES];
    struct kw_op op;

    kw_op_init(&op, NULL, 0);
    return kw_ok(path_of(&op, vault, name, path)) && os_file_exists(path);
}

/* --- the folder ------------------------------------------------------------------------------- */

/* Two keepers on one vault would each believe in its own last CRL number. One that was killed with
 * its server, or whose server was, lives on while the kernel finishes what it writes. */
static kw_status lock(struct kw_op *op, struct vault *vault)
{
    char path[KW_PATH_BYTES];

    TRY(op, path_of(op, vault, "lock", path));
    vault->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
    ENSURE(op, vault->lock_fd >= 0, KW_E_IO, "cannot open '%s': %s", path, strerror(errno));
    ENSURE(op, os_fd_lock(vault->lock_fd, os_clock_mono_ms() + LOCK_WAIT_MS), KW_E_UNAVAILABLE,
           "another keeper uses the vault '%s'", vault->dir);
    return KW_OK;
}

static kw_status refuse_key(struct kw_op *op, const char *key_id, void *ctx)
{
    const struct vault *vault = ctx;

    return FAIL(op, KW_E_CONFLICT, "'%s' holds the key '%s' of another vault", vault->dir, key_id);
}

static kw_status make_folder(struct kw_op *op, struct vault *vault)
{
    TRY(op, os_dir_make(op, vault->dir, DIR_MODE), "making the vault");
    TRY(op, os_dir_make(op, vault->keys_dir, DIR_MODE), "making the vault");
    TRY(op, lock(op, vault));
    ENSURE(op, !vault_exists(vault), KW_E_CONFLICT,
           "there is a vault in '%s' already; it is never overwritten", vault->dir);
    return vault_key_each(op, vault, refuse_key, vault);
}

kw_status vault_attach(struct kw_op *op, const char *dir, bool create, struct vault *ret)
{
    *ret = (struct vault){.lock_fd = -1};
    ENSURE(op, KW_TEXT_SET(ret->dir, dir), KW_E_TOO_LARGE, "path of the vault too long");
    TRY(op, os_path_join(op, ret->keys_dir, sizeof(ret->keys_dir), dir, "keys"));
    if (create) {
        return make_folder(op, ret);
    }
    ENSURE(op, vault_exists(ret), KW_E_NOT_FOUND, "there is no vault in '%s'", dir);
    return lock(op, ret);
}

bool vault_exists(const struct vault *vault)
{
    return is_there(vault, "vault");
}

/* --- its core --------------------------------------------------------------------------------- */

static kw_status make_core(struct kw_op *op, struct vault *vault)
{
    vault->generation = 1;
    TRY(op, os_random(op, vault->id, sizeof(vault->id)));
    TRY(op, kw_secret_new(KEK_BYTES, &vault->kek), "memory for the vault's key");
    TRY(op, kw_secret_new(KEK_BYTES, &vault->lasting), "memory for the vault's key");
    TRY(op, os_random(op, kw_secret_data(vault->kek), KEK_BYTES));
    return os_random(op, kw_secret_data(vault->lasting), KEK_BYTES);
}

kw_status vault_fill(struct kw_op *op, struct vault *vault, struct opener *opener)
{
    struct state empty = {0};

    vault->opener = *opener;
    *opener = (struct opener){0};
    TRY(op, make_core(op, vault));
    TRY(op, vault_state_save(op, vault, &empty));
    return vault_header_new(op, vault); /* last: a vault is there when its header is */
}

kw_status vault_create(struct kw_op *op, const char *dir, const char *unlock, struct vault *ret)
{
    AUTO_OPENER opener = {0};

    TRY(op, vault_attach(op, dir, /* create= */ true, ret));
    TRY(op, opener_new(op, unlock, &opener));
    return vault_fill(op, ret, &opener);
}

kw_status vault_slots(struct kw_op *op, const struct vault *vault, struct vault_slot ret[2],
                      unsigned *ret_n)
{
    AUTO(kw_bytes) *file = NULL;
    struct vault_header header;

    TRY(op, vault_header_read(op, vault, &file, &header));
    ret[0] = header.slot;
    ret[1] = header.next;
    ret[0].sealed = ret[1].sealed = (struct kw_span){0};
    *ret_n = header.pending ? 2 : 1;
    return KW_OK;
}

kw_status vault_unlock(struct kw_op *op, struct vault *vault, unsigned which, struct opener *opener)
{
    kw_status status = vault_header_open(op, vault, which, opener);

    opener_done(opener);
    if (!kw_ok(status)) {
        vault_lock(vault);
    }
    return status;
}

/* While it is being rekeyed either secret may be the one at hand. */
kw_status vault_open_by(struct kw_op *op, struct vault *vault, const char *unlock)
{
    struct vault_slot slots[2];
    unsigned n = 0;

    TRY(op, vault_slots(op, vault, slots, &n));
    for (unsigned i = 0;; i++) {
        AUTO_OPENER opener = {0};
        kw_status status = opener_for(op, unlock, &slots[i], &opener);
        if (kw_ok(status)) {
            status = vault_unlock(op, vault, i, &opener);
        }
        if (kw_ok(status) || status.code != KW_E_DENIED || i + 1 == n) {
            return status;
        }
        kw_op_clear(op);
    }
}

kw_status vault_open(struct kw_op *op, const char *dir, const char *unlock, struct vault *ret)
{
    TRY(op, vault_attach(op, dir, /* create= */ false, ret));
    return vault_open_by(op, ret, unlock);
}

kw_status vault_kek_of(struct kw_op *op, const struct vault *vault, uint32_t generation,
                       const struct kw_secret **ret)
{
    bool old = vault->old_kek && generation + 1 == vault->generation;

    ENSURE(op, old || generation == vault->generation, KW_E_INTEGRITY,
           "sealed under key generation %u, the vault is at %u", generation, vault->generation);
    *ret = old ? vault->old_kek : vault->kek;
    return KW_OK;
}

void vault_lock(struct vault *vault)
{
    kw_secret_free(vault->kek);
    kw_secret_free(vault->old_kek);
    kw_secret_free(vault->lasting);
    vault->kek = vault->old_kek = vault->lasting = NULL;
    opener_done(&vault->opener);
}

void vault_done(struct vault *vault)
{
    vault_lock(vault);
    os_fd_close(&vault->lock_fd);
}

/* --- sealed by hand --------------------------------------------------------------------------- */

bool vault_sealed_by_hand(const struct vault *vault)
{
    return is_there(vault, "sealed");
}

kw_status vault_mark_sealed(struct kw_op *op, const struct vault *vault)
{
    char path[KW_PATH_BYTES];

    TRY(op, path_of(op, vault, "sealed", path));
    return os_file_write(op, path, FILE_MODE,
                         kw_span_text("sealed by an operator; 'keywright vault open' opens it\n"));
}

/* Its journal is sealed too: the next keeper writes the row. */
kw_status vault_mark_reopened(struct kw_op *op, const struct vault *vault)
{
    char from[KW_PATH_BYTES], to[KW_PATH_BYTES];

    TRY(op, path_of(op, vault, "sealed", from));
    TRY(op, path_of(op, vault, "reopened", to));
    ENSURE(op, rename(from, to) == 0 || errno == ENOENT, KW_E_IO, "renaming '%s': %s", from,
           strerror(errno));
    return KW_OK;
}

bool vault_take_reopened(const struct vault *vault)
{
    char path[KW_PATH_BYTES];
    struct kw_op op;

    kw_op_init(&op, NULL, 0);
    return kw_ok(path_of(&op, vault, "reopened", path)) && unlink(path) == 0;
}

kw_status vault_unmark_sealed(struct kw_op *op, const struct vault *vault)
{
    char path[KW_PATH_BYTES];

    TRY(op, path_of(op, vault, "sealed", path));
    ENSURE(op, unlink(path) == 0 || errno == ENOENT, KW_E_IO, "removing '%s': %s", path,
           strerror(errno));
    return KW_OK;
}
