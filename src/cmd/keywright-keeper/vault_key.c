/* Key files: policy, public key, and the private key (or the secret) sealed under both. */
#include "cmd/keywright-keeper/vault.h"
#include "crypto/aead.h"
#include "keeper/msg.h"
#include "os/files.h"

enum {
    FILE_MODE = 0600,
    AAD_MAX = 32 + KW_NAME_MAX + POLICY_ENCODED_MAX + KW_SPKI_MAX + VAULT_TOKEN_TEXT
};
static const char label[] = "keywright key v1";
static const char suffix[] = ".key";

static kw_status path_of(struct kw_op *op, const struct vault *vault, const char *key_id,
                         char path[KW_PATH_BYTES])
{
    char name[KW_NAME_MAX + sizeof(suffix)];

    ENSURE(op, keeper_key_id_valid(key_id), KW_E_INPUT, "'%s' is no key id", key_id);
    int n = snprintf(name, sizeof(name), "%s%s", key_id, suffix);
    ENSURE(op, n > 0 && (size_t)n < sizeof(name), KW_E_TOO_LARGE, "key id too long");
    return os_path_join(op, path, KW_PATH_BYTES, vault->keys_dir, name);
}

/* Each key file has its own sealing key. */
static kw_status file_key(struct kw_op *op, const struct vault *vault, uint32_t generation,
                          const char *key_id, struct kw_secret **ret)
{
    char octets[sizeof(label) + KW_NAME_MAX];
    struct kw_out info = KW_OUT_ARRAY(octets);
    const struct kw_secret *kek = NULL;

    TRY(op, vault_kek_of(op, vault, generation, &kek));
    TRY(op, kw_out_append(&info, kw_span_text(label)));
    TRY(op, kw_out_append(&info, kw_span_text(key_id)));
    return kdf_hkdf_sha256(op, kek, KW_SPAN_ARRAY(vault->id), kw_out_span(&info), AEAD_KEY_BYTES,
                           ret);
}

static kw_status make_aad(struct kw_op *op, const char *key_id, const struct vault_key_file *file,
                          struct kw_out *aad)
{
    TRY(op, kw_out_append(aad, kw_span_text(label)));
    TRY(op, kw_out_append(aad, kw_span_text(key_id)));
    TRY(op, kw_out_append(aad, file->policy));
    TRY(op, kw_out_append(aad, file->spki));
    return kw_out_append(aad, kw_span_text(file->token));
}

/* What is sealed: PKCS#8, the secret, or (for the sake of the seal alone) the token's label. */
static kw_status plain_of(struct kw_op *op, const struct vault_key *key, struct kw_secret **ret)
{
    if (key->secret) {
        return kw_secret_copy(kw_secret_span(key->secret), ret);
    }
    if (key->public_key) {
        return kw_secret_copy(kw_span_text(key->token), ret);
    }
    return privkey_to_pkcs8(op, key->private_key, ret);
}

static kw_status write_file(struct kw_op *op, const struct vault *vault, const char *key_id,
                            struct vault_key_file *parts, const struct kw_secret *plain)
{
    AUTO(kw_bytes) *sealed = NULL;
    AUTO(kw_secret) *sealing_key = NULL;
    uint8_t aad_octets[AAD_MAX];
    uint8_t file_octets[VAULT_KEY_FILE_MAX];
    struct kw_out aad = KW_OUT_ARRAY(aad_octets);
    struct kw_out file = KW_OUT_ARRAY(file_octets);
    char path[KW_PATH_BYTES];

    parts->generation = vault->generation;
    TRY(op, path_of(op, vault, key_id, path));
    TRY(op, make_aad(op, key_id, parts, &aad));
    TRY(op, file_key(op, vault, parts->generation, key_id, &sealing_key));
    TRY(op, aead_seal(op, sealing_key, kw_out_span(&aad), kw_secret_span(plain), &sealed));
    parts->sealed = kw_bytes_span(sealed);
    TRY(op, vault_key_file_encode(parts, &file), "encoding the key file");
    return os_file_write(op, path, FILE_MODE, kw_out_span(&file));
}

static struct kw_span spki_of(const struct vault_key *key)
{
    if (key->secret) {
        return (struct kw_span){0};
    }
    return pubkey_spki(key->public_key ? key->public_key : privkey_public(key->private_key));
}

kw_status vault_key_save(struct kw_op *op, const struct vault *vault,
                         const struct key_policy *policy, const struct vault_key *key)
{
    AUTO(kw_secret) *plain = NULL;
    uint8_t encoded_octets[POLICY_ENCODED_MAX];
    struct kw_out encoded = KW_OUT_ARRAY(encoded_octets);
    char path[KW_PATH_BYTES];

    TRY(op, path_of(op, vault, policy->key_id, path));
    ENSURE(op, !os_file_exists(path), KW_E_CONFLICT, "there is a file of key '%s' already",
           policy->key_id);
    TRY(op, policy_encode(policy, &encoded), "encoding the policy");
    TRY(op, plain_of(op, key, &plain));
    struct vault_key_file parts = {.policy = kw_out_span(&encoded), .spki = spki_of(key)};
    ENSURE(op, KW_TEXT_SET(parts.token, key->token), KW_E_INTERNAL, "token label too long");
    return write_file(op, vault, policy->key_id, &parts, plain);
}

/* What was sealed, as the kind of key that the policy names. */
static kw_status take_plain(struct kw_op *op, const struct vault_key_file *file, bool symmetric,
                            struct kw_secret **plain, struct vault_key *ret)
{
    AUTO(privkey) *key = NULL;

    if (symmetric) {
        ENSURE(op, file->spki.len == 0 && kw_secret_len(*plain) == VAULT_SECRET_BYTES,
               KW_E_INTEGRITY, "not a secret key's file");
        *ret = (struct vault_key){.secret = TAKE(*plain)};
        return KW_OK;
    }
    if (file->token[0]) {
        ENSURE(op, kw_span_equal(kw_secret_span(*plain), kw_span_text(file->token)), KW_E_INTEGRITY,
               "not a token key's file");
        TRY(op, pubkey_parse(op, file->spki, &ret->public_key));
        memcpy(ret->token, file->token, sizeof(ret->token));
        return KW_OK;
    }
    TRY(op, privkey_from_pkcs8(op, *plain, &key));
    ENSURE(op, kw_span_equal(pubkey_spki(privkey_public(key)), file->spki), KW_E_INTEGRITY,
           "private and public key differ");
    *ret = (struct vault_key){.private_key = TAKE(key)};
    return KW_OK;
}

static kw_status open_file(struct kw_op *op, const struct vault *vault, const char *key_id,
                           const struct vault_key_file *file, struct kw_secret **ret)
{
    AUTO(kw_secret) *sealing_key = NULL;
    uint8_t octets[AAD_MAX];
    struct kw_out aad = KW_OUT_ARRAY(octets);

    TRY(op, make_aad(op, key_id, file, &aad));
    TRY(op, file_key(op, vault, file->generation, key_id, &sealing_key));
    return aead_open(op, sealing_key, kw_out_span(&aad), file->sealed, ret);
}

static kw_status open_key(struct kw_op *op, const struct vault *vault, const char *key_id,
                          const struct vault_key_file *file, bool symmetric, struct vault_key *ret)
{
    AUTO(kw_secret) *plain = NULL;

    TRY(op, open_file(op, vault, key_id, file, &plain));
    return take_plain(op, file, symmetric, &plain, ret);
}

static kw_status read_key(struct kw_op *op, const struct vault *vault, const char *key_id,
                          struct kw_span octets, struct key_policy *ret_policy,
                          struct vault_key *ret_key)
{
    struct vault_key_file file;

    TRY(op, vault_key_file_decode(octets, &file));
    TRY(op, policy_decode(file.policy, ret_policy));
    ENSURE(op, strcmp(ret_policy->key_id, key_id) == 0, KW_E_INTEGRITY, "another key's file");
    return open_key(op, vault, key_id, &file, key_class_symmetric(ret_policy->class_), ret_key);
}

kw_status vault_key_load(struct kw_op *op, const struct vault *vault, const char *key_id,
                         struct key_policy *ret_policy, struct vault_key *ret_key)
{
    AUTO(kw_bytes) *octets = NULL;
    char path[KW_PATH_BYTES];

    TRY(op, path_of(op, vault, key_id, path));
    TRY(op, os_file_read(op, path, VAULT_KEY_FILE_MAX, &octets), "key '%s'", key_id);
    kw_status status = read_key(op, vault, key_id, kw_bytes_span(octets), ret_policy, ret_key);
    if (!kw_ok(status) && status.code != KW_E_MEMORY && status.code != KW_E_LIMIT) {
        kw_op_clear(op);
        return FAIL(op, KW_E_INTEGRITY,
                    "the file of key '%s' was altered: restore the vault from its backup", key_id);
    }
    return status;
}

bool vault_key_exists(const struct vault *vault, const char *key_id)
{
    char path[KW_PATH_BYTES];
    struct kw_op op;

    kw_op_init(&op, NULL, 0);
    return kw_ok(path_of(&op, vault, key_id, path)) && os_file_exists(path);
}

kw_status vault_key_reseal(struct kw_op *op, const struct vault *vault, const char *key_id)
{
    AUTO(kw_bytes) *octets = NULL;
    AUTO(kw_secret) *plain = NULL;
    struct vault_key_file file;
    char path[KW_PATH_BYTES];

    TRY(op, path_of(op, vault, key_id, path));
    TRY(op, os_file_read(op, path, VAULT_KEY_FILE_MAX, &octets), "key '%s'", key_id);
    ENSURE(op, kw_ok(vault_key_file_decode(kw_bytes_span(octets), &file)), KW_E_INTEGRITY,
           "the file of key '%s' was altered", key_id);
    if (file.generation == vault->generation) {
        return KW_OK; /* before a crash */
    }
    TRY(op, open_file(op, vault, key_id, &file, &plain), "the file of key '%s'", key_id);
    return write_file(op, vault, key_id, &file, plain);
}

struct walk {
    kw_status (*each)(struct kw_op *op, const char *key_id, void *ctx);
    void *ctx;
};

static kw_status strip_suffix(struct kw_op *op, const char *name, void *ctx)
{
    const struct walk *walk = ctx;
    char key_id[KW_NAME_MAX];
    size_t n = strlen(name) - strlen(suffix); /* os_dir_each() passes only such names */

    ENSURE(op, n < sizeof(key_id), KW_E_INTEGRITY, "a file name in 'keys' is too long");
    memcpy(key_id, name, n);
    key_id[n] = '\0';
    return walk->each(op, key_id, walk->ctx);
}

kw_status vault_key_each(struct kw_op *op, const struct vault *vault,
                         kw_status (*each)(struct kw_op *op, const char *key_id, void *ctx),
                         void *ctx)
{
    struct walk walk = {each, ctx};

    return os_dir_each(op, vault->keys_dir, suffix, strip_suffix, &walk);
}
