/* How a vault is opened: by a key made of a passphrase or of shares, or by a root of trust. */
#ifndef KEEPER_CMD_VAULT_UNLOCK_H
#define KEEPER_CMD_VAULT_UNLOCK_H

#include "base/op.h"
#include "base/secret.h"
#include "cmd/keywright-keeper/vault_format.h"

struct opener {
    struct vault_slot slot;     /* method and parameters; nothing sealed */
    struct kw_secret *wrapping; /* VAULT_PASSPHRASE, VAULT_SHARES; else NULL */
    char uri[KW_PATH_BYTES];    /* VAULT_TPM2, VAULT_PKCS11; else "" */
};
void opener_done(struct opener *opener);
#define AUTO_OPENER __attribute__((cleanup(opener_done))) struct opener

/* Must a person give the secret (passphrase:, shares:M,N), so that the keeper cannot open alone? */
bool unlock_asks(const char *unlock);
/* Is a root of trust needed to open, and again to seal anew (tpm2:..., pkcs11:...)? */
bool unlock_by_device(const char *unlock);
/* Is it one of the methods, well formed? KW_E_INPUT. */
kw_status unlock_check(struct kw_op *op, const char *unlock);
/* M and N of "shares:M,N". KW_E_INPUT. */
kw_status unlock_shares(struct kw_op *op, const char *unlock, unsigned *ret_m, unsigned *ret_n);
/* "passphrase", "tpm2", … */
const char *vault_method_text(enum vault_method method);

/* For a new vault, by a method that asks nobody. KW_E_INPUT unknown method or bad passphrase file;
 * KW_E_DENIED others can read it. */
kw_status opener_new(struct kw_op *op, const char *unlock, struct opener *ret);
/* The same for a slot that is there. KW_E_DENIED the vault is opened by another method. */
kw_status opener_for(struct kw_op *op, const char *unlock, const struct vault_slot *slot,
                     struct opener *ret);
/* From a passphrase that was given: fresh, or for a slot. KW_E_INPUT too short. */
kw_status opener_new_passphrase(struct kw_op *op, const struct kw_secret *passphrase,
                                struct opener *ret);
kw_status opener_passphrase(struct kw_op *op, const struct kw_secret *passphrase,
                            const struct vault_slot *slot, struct opener *ret);
/* A fresh key in n shares, m of which open. ret_shares as share_split(). */
kw_status opener_new_shares(struct kw_op *op, unsigned m, unsigned n,
                            struct kw_secret *ret_shares[], struct opener *ret);
/* Errors of share_join(); KW_E_INPUT where the shares are of another set than the slot's. */
kw_status opener_shares(struct kw_op *op, const struct kw_secret *const shares[], unsigned n,
                        const struct vault_slot *slot, struct opener *ret);

/* Seal a vault's core. Errors: those of the root of trust. */
kw_status opener_seal(struct kw_op *op, const struct opener *opener, struct kw_span aad,
                      const struct kw_secret *core, struct kw_bytes **ret);
/* KW_E_DENIED the secret is wrong, or the device is another one or in another state. */
kw_status opener_open(struct kw_op *op, const struct opener *opener, struct kw_span aad,
                      struct kw_span sealed, struct kw_secret **ret);

#endif
