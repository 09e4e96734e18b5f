/* The software root of trust: sealed files under a key-encrypting key. Assurance level 0, for tests
 * and plain hosts. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/reader.h"
#include "base/writer.h"
#include "crypto/aead.h"
#include "os/files.h"
#include "rot/dirlock.h"
#include "rot/erase.h"
#include "rot/ops.h"
#include "rot/params.h"
#include "rot/soft/kek.h"
#include "rot/soft/keyfile.h"

#define KEY_SUFFIX ".key"

enum { SEAL_MAGIC = 0x4b575353, SEAL_VERSION = 1, SEAL_HEAD_BYTES = 6 }; /* "KWSS", big-endian */

struct soft {
    char dir[KW_PATH_BYTES];
    char own_kek[KW_PATH_BYTES]; /* "": the key-encrypting key's file is somebody else's, too */
    struct soft_kek kek;
};

struct soft_key {
    struct privkey *privkey; /* loaded while the key is open, sealed on disk otherwise */
    char label[ROT_LABEL_MAX];
};

static void soft_close(void *opaque)
{
    struct soft *self = opaque;
    soft_kek_done(&self->kek);
    free(self);
}
KW_OWNED(soft, struct soft, soft_close)

static void key_free(struct soft_key *key)
{
    privkey_unref(key->privkey);
    free(key);
}
KW_OWNED(soft_key, struct soft_key, key_free)

static void soft_key_close(void *self, void *key)
{
    (void)self;
    key_free(key);
}

/* --- folder --- */

static kw_status path_of(struct kw_op *op, const struct soft *self, const char *label,
                         const char *suffix, char path[KW_PATH_BYTES])
{
    char name[ROT_LABEL_MAX + 8];
    (void)snprintf(name, sizeof(name), "%s%s", label, suffix); /* fits: labels are checked */
    TRY(op, os_path_join(op, path, KW_PATH_BYTES, self->dir, name));
    return KW_OK;
}

static kw_status count_file(struct kw_op *op, const char *name, void *ctx)
{
    (void)op;
    (void)name;
    ++*(unsigned *)ctx;
    return KW_OK;
}

static kw_status open_kek(struct kw_op *op, struct soft *self, const char *file)
{
    char path[KW_PATH_BYTES];
    unsigned n_keys = 0;
    OS_FD_AUTO int locked = -1;

    TRY(op, os_dir_make(op, self->dir, 0700));
    TRY(op, rot_dir_lock(op, self->dir, &locked));
    TRY(op, rot_erase_leftovers(op, self->dir));
    TRY(op, os_dir_each(op, self->dir, KEY_SUFFIX, count_file, &n_keys));
    if (file[0]) {
        ENSURE(op, KW_TEXT_SET(path, file), KW_E_INPUT, "the key file's path is too long");
    } else {
        TRY(op, os_path_join(op, path, sizeof(path), self->dir, "device.kek"));
        (void)KW_TEXT_SET(self->own_kek, path); /* same size */
    }
    TRY(op, soft_kek_open(op, path, /* may_make= */ n_keys == 0, &self->kek));
    return KW_OK;
}

static kw_status soft_open(struct kw_op *op, const char *params, void **ret_self)
{
    char kek_file[KW_PATH_BYTES];
    AUTO(soft) *self = calloc(1, sizeof(*self));
    ENSURE(op, self, KW_E_MEMORY);
    const struct rot_param table[] = {
        {.name = "dir", .required = true, .value = self->dir, .cap = sizeof(self->dir)},
        {.name = "key", .value = kek_file, .cap = sizeof(kek_file)},
    };

    TRY(op, rot_params_parse(op, params, table, KW_COUNT(table)));
    TRY(op, open_kek(op, self, kek_file));
    *ret_self = TAKE(self);
    return KW_OK;
}

static void soft_info(const void *self, struct rot_info *ret)
{
    (void)self;
    *ret = (struct rot_info){.scheme = "soft", .vendor = "software file", .caps = ROT_CAP_SEAL};
}

/* --- keys --- */

/* Seal the key into its file. */
static kw_status write_key(struct kw_op *op, const struct soft *self, const struct soft_key *key,
                           const char *path)
{
    uint8_t room[SOFT_KEYFILE_MAX];
    struct kw_out content = KW_OUT_ARRAY(room);
    struct soft_keyfile file = {.alg = pubkey_alg(privkey_public(key->privkey)),
                                .spki = pubkey_spki(privkey_public(key->privkey))};
    AUTO(kw_secret) *pkcs8 = NULL;
    AUTO(kw_bytes) *sealed = NULL;

    (void)KW_TEXT_SET(file.label, key->label); /* same size */
    TRY(op, soft_keyfile_encode_head(&file, &content), "encoding the key file");
    TRY(op, privkey_to_pkcs8(op, key->privkey, &pkcs8));
    TRY(op,
        aead_seal(op, self->kek.for_keys, kw_out_span(&content), kw_secret_span(pkcs8), &sealed));
    TRY(op, soft_keyfile_encode_sealed(kw_bytes_span(sealed), &content), "encoding the key file");
    TRY(op, os_file_write(op, path, 0600, kw_out_span(&content)));
    return KW_OK;
}

static kw_status soft_generate(struct kw_op *op, void *opaque, const char *label, enum key_alg alg,
                               void **ret_key, struct pubkey **ret_public)
{
    struct soft *self = opaque;
    char path[KW_PATH_BYTES];
    OS_FD_AUTO int locked = -1;
    AUTO(soft_key) *key = calloc(1, sizeof(*key));

    ENSURE(op, key, KW_E_MEMORY);
    (void)KW_TEXT_SET(key->label, label); /* checked by rot.c */
    TRY(op, path_of(op, self, label, KEY_SUFFIX, path));
    TRY(op, rot_dir_lock(op, self->dir, &locked));
    ENSURE(op, !os_file_exists(path), KW_E_CONFLICT, "label '%s' is taken", label);
    TRY(op, privkey_generate(op, alg, &key->privkey));
    kw_status status = write_key(op, self, key, path);
    if (!kw_ok(status)) {
        (void)os_file_shred(NULL,
                            path); /* nothing remains; the failure before is the one to tell */
        return status;
    }
    *ret_public = pubkey_ref(privkey_public(key->privkey));
    *ret_key = TAKE(key);
    return KW_OK;
}

static kw_status open_content(struct kw_op *op, const struct soft *self, struct kw_span content,
                              struct soft_key *key)
{
    struct soft_keyfile file;
    AUTO(kw_secret) *pkcs8 = NULL;

    ENSURE(op, kw_ok(soft_keyfile_parse(content, &file)), KW_E_INTEGRITY,
           "the key file is damaged");
    ENSURE(op, strcmp(file.label, key->label) == 0, KW_E_INTEGRITY, "the file is that of key '%s'",
           file.label);
    TRY(op, aead_open(op, self->kek.for_keys, file.head, file.sealed, &pkcs8));
    TRY(op, privkey_from_pkcs8(op, pkcs8, &key->privkey));
    const struct pubkey *public_key = privkey_public(key->privkey);
    ENSURE(op,
           pubkey_alg(public_key) == file.alg && kw_span_equal(pubkey_spki(public_key), file.spki),
           KW_E_INTEGRITY, "the private key does not belong to the public one");
    return KW_OK;
}

static kw_status soft_load(struct kw_op *op, void *opaque, const char *label, void **ret_key,
                           struct pubkey **ret_public)
{
    char path[KW_PATH_BYTES];
    AUTO(kw_bytes) *content = NULL;
    AUTO(soft_key) *key = calloc(1, sizeof(*key));

    ENSURE(op, key, KW_E_MEMORY);
    (void)KW_TEXT_SET(key->label, label); /* checked by rot.c */
    TRY(op, path_of(op, opaque, label, KEY_SUFFIX, path));
    ENSURE(op, os_file_exists(path), KW_E_NOT_FOUND, "there is no key '%s'", label);
    kw_status status = os_file_read(op, path, SOFT_KEYFILE_MAX, &content);
    ENSURE(op, status.code != KW_E_TOO_LARGE, KW_E_INTEGRITY, "'%s' is too large", path);
    TRY(op, status);
    TRY(op, open_content(op, opaque, kw_bytes_span(content), key), "'%s'", path);
    *ret_public = pubkey_ref(privkey_public(key->privkey));
    *ret_key = TAKE(key);
    return KW_OK;
}

static kw_status soft_sign(struct kw_op *op, void *self, void *opaque, enum key_alg alg,
                           struct kw_span message, struct kw_out *sig)
{
    (void)self;
    (void)alg; /* the key knows */
    struct soft_key *key = opaque;
    TRY(op, privkey_sign(op, key->privkey, message, sig));
    return KW_OK;
}

static kw_status soft_attributes(struct kw_op *op, void *self, void *opaque, char *text, size_t cap)
{
    (void)self;
    struct soft_key *key = opaque;
    int n = snprintf(text, cap, "soft file=%s" KEY_SUFFIX " exportable|in-memory-while-open",
                     key->label);
    ENSURE(op, n >= 0 && (size_t)n < cap, KW_E_TOO_LARGE, "no room for the attributes");
    return KW_OK;
}

/*
 * Out of the way first, then overwritten: a cut in between leaves no half-erased key under the
 * label, and the next open or destroy goes on with it.
 */
static kw_status soft_destroy(struct kw_op *op, void *opaque, const char *label, char *ret_proof,
                              size_t cap)
{
    struct soft *self = opaque;
    char path[KW_PATH_BYTES], gone[KW_PATH_BYTES];
    size_t size = 0;
    OS_FD_AUTO int locked = -1;

    TRY(op, path_of(op, self, label, KEY_SUFFIX, path));
    TRY(op, path_of(op, self, label, ROT_GONE_SUFFIX, gone));
    TRY(op, rot_dir_lock(op, self->dir, &locked));
    TRY(op, rot_erase_file(op, gone, &size), "finishing an earlier destruction");
    if (os_file_exists(path)) {
        ENSURE(op, rename(path, gone) == 0, KW_E_IO, "renaming '%s': %s", path, strerror(errno));
        TRY(op, rot_erase_file(op, gone, &size));
        ENSURE(op, !os_file_exists(path), KW_E_DEVICE, "'%s' is still there", path);
    }
    if (size == 0) {
        (void)snprintf(ret_proof, cap, "soft file=%s" KEY_SUFFIX " absent", label);
        return KW_OK;
    }
    (void)snprintf(ret_proof, cap,
                   "soft file=%s" KEY_SUFFIX
                   " %zu octets overwritten, read back as zeroes, unlinked",
                   label, size); /* a short room cuts the line, not the deed */
    return KW_OK;
}

/* The key-encrypting key goes and another comes: older copies of key files and seals, wherever
 * flash kept them, are worthless from then on. */
static kw_status soft_forget(struct kw_op *op, void *opaque)
{
    struct soft *self = opaque;
    struct soft_kek fresh = {0};
    size_t size = 0;
    unsigned n_keys = 0;
    OS_FD_AUTO int locked = -1;

    TRY(op, rot_dir_lock(op, self->dir, &locked));
    TRY(op, os_dir_each(op, self->dir, KEY_SUFFIX, count_file, &n_keys));
    if (n_keys > 0 || !*self->own_kek) {
        return KW_OK;
    }
    TRY(op, rot_erase_file(op, self->own_kek, &size), "the key-encrypting key");
    TRY(op, soft_kek_open(op, self->own_kek, /* may_make= */ true, &fresh));
    soft_kek_done(&self->kek);
    self->kek = fresh;
    return KW_OK;
}

struct each_ctx {
    kw_status (*each)(struct kw_op *op, const char *label, void *ctx);
    void *ctx;
};

static kw_status each_file(struct kw_op *op, const char *name, void *opaque)
{
    struct each_ctx *to = opaque;
    char label[ROT_LABEL_MAX];
    size_t len = strlen(name) - strlen(KEY_SUFFIX);

    if (len == 0 || len >= sizeof(label)) {
        return KW_OK; /* no file of ours */
    }
    memcpy(label, name, len);
    label[len] = '\0';
    TRY(op, to->each(op, label, to->ctx));
    return KW_OK;
}

static kw_status soft_each(struct kw_op *op, void *opaque,
                           kw_status (*each)(struct kw_op *op, const char *label, void *ctx),
                           void *ctx)
{
    struct soft *self = opaque;
    struct each_ctx to = {each, ctx};
    TRY(op, os_dir_each(op, self->dir, KEY_SUFFIX, each_file, &to));
    return KW_OK;
}

/* --- sealing --- */

static kw_status seal_head(struct kw_out *out)
{
    struct kw_writer w = kw_writer_of(out);
    kw_writer_u32(&w, SEAL_MAGIC);
    kw_writer_u16(&w, SEAL_VERSION);
    return kw_writer_end(&w);
}

static kw_status soft_seal(struct kw_op *op, void *opaque, const struct kw_secret *plain,
                           struct kw_bytes **ret)
{
    struct soft *self = opaque;
    uint8_t room[SEAL_HEAD_BYTES];
    struct kw_out head = KW_OUT_ARRAY(room);
    AUTO(kw_bytes) *sealed = NULL;
    AUTO(kw_bytes) *blob = NULL;

    TRY(op, seal_head(&head));
    TRY(op, aead_seal(op, self->kek.for_seals, kw_out_span(&head), kw_secret_span(plain), &sealed));
    TRY(op, kw_bytes_copy(kw_out_span(&head), &blob));
    TRY(op, kw_bytes_append(blob, kw_bytes_span(sealed)));
    *ret = TAKE(blob);
    return KW_OK;
}

static kw_status soft_unseal(struct kw_op *op, void *opaque, struct kw_span sealed,
                             struct kw_secret **ret)
{
    struct soft *self = opaque;
    uint8_t room[SEAL_HEAD_BYTES];
    struct kw_out head = KW_OUT_ARRAY(room);

    TRY(op, seal_head(&head));
    ENSURE(op, kw_span_equal(kw_span_sub(sealed, 0, head.len), kw_out_span(&head)), KW_E_INTEGRITY,
           "not sealed by a soft root of trust");
    TRY(op, aead_open(op, self->kek.for_seals, kw_out_span(&head),
                      kw_span_sub(sealed, head.len, sealed.len), ret));
    return KW_OK;
}

const struct rot_ops rot_soft_ops = {
    .version = ROT_OPS_VERSION,
    .scheme = "soft",
    .doc = "soft:dir=PATH[,key=FILE]  sealed files in PATH; FILE holds the key that seals them",
    .open = soft_open,
    .close = soft_close,
    .info = soft_info,
    .generate = soft_generate,
    .load = soft_load,
    .key_close = soft_key_close,
    .sign = soft_sign,
    .attributes = soft_attributes,
    .destroy = soft_destroy,
    .forget = soft_forget,
    .each = soft_each,
    .seal = soft_seal,
    .unseal = soft_unseal,
    .attest_keys = rot_no_attest_keys,
    .attest_activate = rot_no_attest_activate,
    .attest_certify = rot_no_attest_certify,
    .attest_quote = rot_no_attest_quote,
};
