/* A new key-encrypting key for everything in the vault; begun again where a crash cut it. */
#include "cmd/keywright-keeper/keyring.h"

static kw_status reseal(struct kw_op *op, const char *key_id, void *ctx)
{
    const struct keyring *keyring = ctx;

    return vault_key_reseal(op, &keyring->vault, key_id);
}

kw_status keyring_rekey_finish(struct kw_op *op, struct keyring *keyring)
{
    TRY(op, vault_state_save(op, &keyring->vault, keyring->state));
    TRY(op, vault_key_each(op, &keyring->vault, reseal, keyring));
    return vault_rekey_end(op, &keyring->vault);
}

kw_status keyring_rekey(struct kw_op *op, struct keyring *keyring, struct opener *opener)
{
    bool unfinished = keyring->vault.old_kek != NULL;

    if (unfinished) { /* the last one stopped at an error, a full disk say */
        TRY(op, keyring_rekey_finish(op, keyring), "finishing the rekeying before this one");
    }
    TRY(op, vault_rekey_begin(op, &keyring->vault, opener), "rekeying the vault");
    return keyring_rekey_finish(op, keyring);
}
