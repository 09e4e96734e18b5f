/* Destruction: the state first, so that nothing uses it again, then the octets, then the proof. */
#include "cmd/keywright-keeper/keyring.h"
#include "cmd/keywright-keeper/purposes.h"
#include "os/files.h"
#include "rot/erase.h"

kw_status keyring_erase(struct kw_op *op, const struct keyring *keyring, const char *key_id,
                        size_t *ret_size)
{
    char name[KW_NAME_MAX + 8];
    char path[KW_PATH_BYTES];

    (void)snprintf(name, sizeof(name), "%s.key", key_id);
    TRY(op, os_path_join(op, path, sizeof(path), keyring->vault.keys_dir, name));
    return rot_erase_file(op, path, ret_size);
}

/* Its state, durable; then it is gone from memory. Nothing to do where that was done before. */
static kw_status end_use(struct kw_op *op, struct keyring *keyring, const char *key_id,
                         const struct key_cause *cause)
{
    struct keeper_key *key = keyring_find(keyring, key_id);

    if (!key) {
        return KW_OK;
    }
    TRY(op, keyring_flush(op, keyring, cause->now_unix, /* all= */ true));
    TRY(op, keyring_step(op, keyring, key, KEY_EVENT_DESTROY, cause));
    keyring_drop(keyring, key);
    return KW_OK;
}

/* Every purpose of its class through the ordinary way, and its file: all must fail. */
static kw_status probe(struct kw_op *op, struct keyring *keyring, const struct key_record *record,
                       int64_t now_unix, struct key_proof *ret)
{
    static struct key_policy policy; /* large; one thread */
    struct vault_key loaded = {0};
    struct keeper_key *used = NULL;
    unsigned n = 0;
    struct kw_op quiet;

    kw_op_init(&quiet, "keeper", 0);
    for (unsigned purpose = 1; purpose < KEEPER_PURPOSE_MAX; purpose++) {
        kw_status status = keyring_use(&quiet, keyring, record->key_id,
                                       (enum keeper_purpose)purpose, now_unix, &used);
        kw_op_clear(&quiet);
        ENSURE(op, status.code == KW_E_STATE, KW_E_DEVICE, "the key can still be asked for %s",
               purpose_text((enum keeper_purpose)purpose));
        n++;
    }
    kw_status status = vault_key_load(&quiet, &keyring->vault, record->key_id, &policy, &loaded);
    privkey_unref(loaded.private_key);
    kw_secret_free(loaded.secret);
    ENSURE(op, status.code == KW_E_NOT_FOUND, KW_E_DEVICE, "the key's file can still be read");
    (void)snprintf(ret->probe, sizeof(ret->probe),
                   "%u purposes refused (bad_state); loading refused (not_found)", n);
    return KW_OK;
}

/* In the token too, also where a crash left it there: its label is known without it. */
static kw_status destroy_in_token(struct kw_op *op, struct keyring *keyring,
                                  const struct key_record *record, struct key_proof *proof)
{
    char label[VAULT_TOKEN_TEXT];
    char text[CUSTODY_TEXT];
    char said[160];

    (void)snprintf(proof->custody, sizeof(proof->custody), "sealed file in the vault");
    if (!custody_elsewhere(&keyring->custody) || key_class_symmetric(record->class_)) {
        return KW_OK;
    }
    custody_label(keyring->vault.id, record->key_id, label);
    TRY(op, custody_destroy(op, &keyring->custody, label, said, sizeof(said)));
    custody_text(&keyring->custody, text);
    (void)snprintf(proof->custody, sizeof(proof->custody), "%s, label %.40s", text, label);
    (void)snprintf(proof->method, sizeof(proof->method),
                   "token: %.70s; file overwritten, vault under a new KEK", said);
    return KW_OK;
}

kw_status keyring_destroy(struct kw_op *op, struct keyring *keyring, const char *key_id,
                          const struct key_cause *cause, struct key_proof *ret)
{
    struct key_proof proof = {.kek_retired = keyring->vault.generation};
    size_t size = 0;

    const struct key_record *record = state_find(keyring->state, key_id);
    ENSURE(op, record, KW_E_NOT_FOUND, "key: there is no key '%s'", key_id);
    TRY(op, end_use(op, keyring, key_id, cause));
    TRY(op, destroy_in_token(op, keyring, record, &proof), "key '%s' in its token", key_id);
    TRY(op, keyring_erase(op, keyring, key_id, &size), "erasing key '%s'", key_id);
    TRY(op, keyring_rekey(op, keyring, /* opener= */ NULL), "retiring the KEK over key '%s'",
        key_id);
    TRY(op, probe(op, keyring, record, cause->now_unix, &proof), "proof of destruction of '%s'",
        key_id);
    if (!proof.method[0]) {
        (void)snprintf(proof.method, sizeof(proof.method),
                       "overwritten, unlinked, and the vault sealed under a new KEK");
    }
    (void)snprintf(proof.proof, sizeof(proof.proof),
                   "%zu octets read back as zeroes; KEK %u retired, %u in force", size,
                   proof.kek_retired, keyring->vault.generation);
    *ret = proof;
    return KW_OK;
}
