/* Where a vault's private keys are: sealed in its files, or in one token or TPM. */
#ifndef KEEPER_CMD_CUSTODY_H
#define KEEPER_CMD_CUSTODY_H

#include "cmd/keywright-keeper/vault_format.h"
#include "rot/rot.h"

struct custody {
    const char *uri; /* root of trust (rot/rot.h); NULL: keys are sealed in the vault. Borrowed */
    struct rot *rot; /* NULL while it is away, or was not needed yet */
    struct rot_info info;  /* of the last time it was there; scheme "" before */
    int64_t retry_mono_ms; /* not tried again before */
    int64_t backoff_ms;
    char why[160]; /* what it said the last time */
};

enum { CUSTODY_TEXT = 64 };

/* Is the private key of a new key of this algorithm made elsewhere than in the vault? */
bool custody_elsewhere(const struct custody *custody);
/**
 * Make a key in the token; its label there tells the vault and the key. Errors: those of
 * rot_key_generate(); KW_E_UNAVAILABLE the token is away, retry.
 */
kw_status custody_generate(struct kw_op *op, struct custody *custody,
                           const uint8_t vault_id[VAULT_ID_BYTES], const char *key_id,
                           enum key_alg alg, char ret_token[VAULT_TOKEN_TEXT],
                           struct privkey **ret);
/* Open one. KW_E_INTEGRITY the token has another key under this label; KW_E_NOT_FOUND none;
 * KW_E_UNAVAILABLE the token is away, retry. */
kw_status custody_load(struct kw_op *op, struct custody *custody, const char *token,
                       const struct pubkey *want, struct privkey **ret);
/* The label of a key in its vault's token. */
void custody_label(const uint8_t vault_id[VAULT_ID_BYTES], const char *key_id,
                   char ret[VAULT_TOKEN_TEXT]);
/* Destroy it, with the token's proof in one line (rot_key_destroy()). */
kw_status custody_destroy(struct kw_op *op, struct custody *custody, const char *token,
                          char *ret_proof, size_t cap);
/* Load the driver's libraries for good, before the process may load no more: confine.h. Where one
 * is missing, opening the token says so. */
void custody_preload(const char *uri);
/* "soft-sealed", "pkcs11 SIMULATED SoftHSM …", "pkcs11 (away)". */
void custody_text(const struct custody *custody, char text[CUSTODY_TEXT]);
void custody_close(struct custody *custody);

#endif
