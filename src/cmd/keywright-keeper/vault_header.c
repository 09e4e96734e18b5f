#include "cmd/keywright-keeper/vault_header.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/aead.h"
#include "os/files.h"
#include "os/rng.h"

enum { FILE_MODE = 0600, AAD_MAX = 64 };

static kw_status path_of(struct kw_op *op, const struct vault *vault, char path[KW_PATH_BYTES])
{
    return os_path_join(op, path, KW_PATH_BYTES, vault->dir, "vault");
}

kw_status vault_header_read(struct kw_op *op, const struct vault *vault, struct kw_bytes **ret_file,
                            struct vault_header *ret)
{
    AUTO(kw_bytes) *file = NULL;
    char path[KW_PATH_BYTES];

    TRY(op, path_of(op, vault, path));
    TRY(op, os_file_read(op, path, VAULT_HEADER_MAX, &file), "no vault in '%s'", vault->dir);
    ENSURE(op, kw_ok(vault_header_decode(kw_bytes_span(file), ret)), KW_E_INTEGRITY,
           "'%s' is damaged: restore the vault from its backup", path);
    *ret_file = TAKE(file);
    return KW_OK;
}

static kw_status write_header(struct kw_op *op, const struct vault *vault,
                              const struct vault_header *header)
{
    uint8_t octets[VAULT_HEADER_MAX];
    struct kw_out file = KW_OUT_ARRAY(octets);
    char path[KW_PATH_BYTES];

    TRY(op, path_of(op, vault, path));
    ENSURE(op, kw_ok(vault_header_encode(header, &file)), KW_E_TOO_LARGE,
           "the sealed key of the vault is too long");
    return os_file_write(op, path, FILE_MODE, kw_out_span(&file));
}

/* --- sealing and opening a slot --------------------------------------------------------------- */

static kw_status core_of(struct kw_op *op, const struct kw_secret *kek,
                         const struct kw_secret *lasting, struct kw_secret **ret)
{
    TRY(op, kw_secret_new(VAULT_CORE_BYTES, ret), "memory for the vault's key");
    memcpy(kw_secret_data(*ret), kw_secret_span(kek).p, VAULT_KEK_BYTES);
    memcpy(kw_secret_data(*ret) + VAULT_KEK_BYTES, kw_secret_span(lasting).p, VAULT_KEK_BYTES);
    return KW_OK;
}

static kw_status seal_slot(struct kw_op *op, const struct vault *vault, const struct opener *opener,
                           const struct kw_secret *kek, uint32_t generation, struct kw_bytes **ret)
{
    AUTO(kw_secret) *core = NULL;
    uint8_t octets[AAD_MAX];
    struct kw_out aad = KW_OUT_ARRAY(octets);

    TRY(op, core_of(op, kek, vault->lasting, &core));
    TRY(op, vault_slot_aad(vault->id, generation, &opener->slot, &aad));
    return opener_seal(op, opener, kw_out_span(&aad), core, ret);
}

kw_status vault_header_new(struct kw_op *op, const struct vault *vault)
{
    AUTO(kw_bytes) *sealed = NULL;
    struct vault_header header = {.generation = vault->generation, .slot = vault->opener.slot};

    memcpy(header.id, vault->id, sizeof(header.id));
    TRY(op, seal_slot(op, vault, &vault->opener, vault->kek, vault->generation, &sealed));
    header.slot.sealed = kw_bytes_span(sealed);
    return write_header(op, vault, &header);
}

/* The key under which the one KEK seals the other while both are in use. */
static kw_status cross_key(struct kw_op *op, const struct vault *vault, const struct kw_secret *kek,
                           struct kw_secret **ret)
{
    return kdf_hkdf_sha256(op, kek, KW_SPAN_ARRAY(vault->id), kw_span_text("keywright rekey v1"),
                           AEAD_KEY_BYTES, ret);
}

static kw_status cross_seal(struct kw_op *op, const struct vault *vault,
                            const struct kw_secret *under, const struct kw_secret *kek,
                            struct kw_bytes **ret)
{
    AUTO(kw_secret) *key = NULL;

    TRY(op, cross_key(op, vault, under, &key));
    return aead_seal(op, key, KW_SPAN_ARRAY(vault->id), kw_secret_span(kek), ret);
}

static kw_status cross_open(struct kw_op *op, const struct vault *vault,
                            const struct kw_secret *under, struct kw_span sealed,
                            struct kw_secret **ret)
{
    AUTO(kw_secret) *key = NULL;

    TRY(op, cross_key(op, vault, under, &key));
    TRY(op, aead_open(op, key, KW_SPAN_ARRAY(vault->id), sealed, ret));
    ENSURE(op, kw_secret_len(*ret) == VAULT_KEK_BYTES, KW_E_INTEGRITY, "a key of the wrong length");
    return KW_OK;
}

static kw_status split_core(struct kw_op *op, const struct kw_secret *core, struct vault *vault)
{
    struct kw_span all = kw_secret_span(core);

    TRY(op, kw_secret_copy(kw_span_sub(all, 0, VAULT_KEK_BYTES), &vault->kek));
    return kw_secret_copy(kw_span_sub(all, VAULT_KEK_BYTES, VAULT_KEK_BYTES), &vault->lasting);
}

/* Both KEKs of a vault that is being rekeyed; kek holds the one of the slot that was opened. */
static kw_status open_other(struct kw_op *op, struct vault *vault,
                            const struct vault_header *header, unsigned which)
{
    AUTO(kw_secret) *other = NULL;
    struct kw_span sealed = which == 0 ? header->next_under_this : header->this_under_next;

    TRY(op, cross_open(op, vault, vault->kek, sealed, &other),
        "'vault' was altered: restore it from its backup");
    vault->generation = header->generation + 1;
    if (which == 0) {
        vault->old_kek = TAKE(vault->kek);
        vault->kek = TAKE(other);
    } else {
        vault->old_kek = TAKE(other);
    }
    return KW_OK;
}

/* An opener of the old slot cannot seal for the new one. */
static bool opener_lasts(const struct vault_header *header, unsigned which)
{
    return !header->pending || which == 1;
}

kw_status vault_header_open(struct kw_op *op, struct vault *vault, unsigned which,
                            struct opener *opener)
{
    AUTO(kw_bytes) *file = NULL;
    AUTO(kw_secret) *core = NULL;
    struct vault_header header;
    uint8_t octets[AAD_MAX];
    struct kw_out aad = KW_OUT_ARRAY(octets);

    TRY(op, vault_header_read(op, vault, &file, &header));
    ENSURE(op, which == 0 || header.pending, KW_E_INTERNAL, "no second slot");
    const struct vault_slot *slot = which == 0 ? &header.slot : &header.next;
    TRY(op, vault_slot_aad(header.id, header.generation + which, slot, &aad));
    TRY(op, opener_open(op, opener, kw_out_span(&aad), slot->sealed, &core));
    memcpy(vault->id, header.id, sizeof(vault->id));
    vault->generation = header.generation;
    TRY(op, split_core(op, core, vault));
    if (header.pending) {
        TRY(op, open_other(op, vault, &header, which));
    }
    if (opener_lasts(&header, which)) {
        vault->opener = *opener;
        *opener = (struct opener){0};
    }
    return KW_OK;
}

/* --- rekeying --------------------------------------------------------------------------------- */

static kw_status fresh_kek(struct kw_op *op, struct kw_secret **ret)
{
    TRY(op, kw_secret_new(VAULT_KEK_BYTES, ret), "memory for the vault's key");
    return os_random(op, kw_secret_data(*ret), VAULT_KEK_BYTES);
}

static kw_status write_both(struct kw_op *op, const struct vault *vault,
                            const struct opener *opener, const struct kw_secret *kek)
{
    AUTO(kw_bytes) *file = NULL;
    AUTO(kw_bytes) *sealed = NULL;
    AUTO(kw_bytes) *next_under_this = NULL;
    AUTO(kw_bytes) *this_under_next = NULL;
    struct vault_header header;

    TRY(op, vault_header_read(op, vault, &file, &header));
    ENSURE(op, !header.pending, KW_E_STATE, "the vault is being rekeyed already");
    TRY(op, seal_slot(op, vault, opener, kek, header.generation + 1, &sealed));
    TRY(op, cross_seal(op, vault, vault->kek, kek, &next_under_this));
    TRY(op, cross_seal(op, vault, kek, vault->kek, &this_under_next));
    header.pending = true;
    header.next = opener->slot;
    header.next.sealed = kw_bytes_span(sealed);
    header.next_under_this = kw_bytes_span(next_under_this);
    header.this_under_next = kw_bytes_span(this_under_next);
    return write_header(op, vault, &header);
}

kw_status vault_rekey_begin(struct kw_op *op, struct vault *vault, struct opener *opener)
{
    AUTO_OPENER given = {0};
    AUTO(kw_secret) *kek = NULL;

    if (opener) {
        given = *opener;
        *opener = (struct opener){0};
    }
    const struct opener *use = given.slot.method ? &given : &vault->opener;
    ENSURE(op, use->slot.method, KW_E_STATE,
           "the vault's secret was replaced: seal it and open it with the new one first");
    TRY(op, fresh_kek(op, &kek));
    TRY(op, write_both(op, vault, use, kek));
    vault->old_kek = TAKE(vault->kek);
    vault->kek = TAKE(kek);
    vault->generation++;
    if (given.slot.method) {
        opener_done(&vault->opener);
        vault->opener = given;
        given = (struct opener){0};
    }
    return KW_OK;
}

/* What is left of the old header on the disk; flash and copy-on-write file systems may keep it. */
static kw_status overwrite(struct kw_op *op, int fd)
{
    static const uint8_t zeroes[VAULT_HEADER_MAX];
    struct stat about;

    ENSURE(op, fstat(fd, &about) == 0 && about.st_size <= (off_t)sizeof(zeroes), KW_E_IO,
           "overwriting the old 'vault': %s", strerror(errno));
    ssize_t n = pwrite(fd, zeroes, (size_t)about.st_size, 0);
    ENSURE(op, n == about.st_size && fsync(fd) == 0, KW_E_IO, "overwriting the old 'vault': %s",
           strerror(errno));
    return KW_OK;
}

kw_status vault_rekey_end(struct kw_op *op, struct vault *vault)
{
    AUTO(kw_bytes) *file = NULL;
    struct vault_header header;
    char path[KW_PATH_BYTES];

    TRY(op, vault_header_read(op, vault, &file, &header));
    ENSURE(op, header.pending && header.generation + 1 == vault->generation, KW_E_STATE,
           "the vault is not being rekeyed");
    TRY(op, path_of(op, vault, path));
    OS_FD_AUTO int old_fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    ENSURE(op, old_fd >= 0, KW_E_IO, "cannot open '%s': %s", path, strerror(errno));
    struct vault_header last = {.generation = vault->generation, .slot = header.next};
    memcpy(last.id, header.id, sizeof(last.id));
    TRY(op, write_header(op, vault, &last));
    kw_secret_free(vault->old_kek);
    vault->old_kek = NULL;
    return overwrite(op, old_fd);
}
