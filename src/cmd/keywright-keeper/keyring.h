/* The opened vault: all keys in memory, each with its policy and its record in the state. */
#ifndef KEEPER_CMD_KEYRING_H
#define KEEPER_CMD_KEYRING_H

#include "cmd/keywright-keeper/approvals.h"
#include "cmd/keywright-keeper/serials.h"
#include "cmd/keywright-keeper/state.h"
#include "cmd/keywright-keeper/vault.h"
#include "keeper/keeper.h"

struct keeper_key {
    struct key_policy policy;
    struct privkey *private_key; /* NULL where the class is symmetric */
    struct kw_secret *secret;    /* 32 octets where it is symmetric, else NULL */
    struct key_record *record;   /* in keyring.state */
    struct serials *serials;     /* CA only, else NULL */
};

struct keyring {
    struct vault vault;
    struct state *state;
    struct approvals *approvals; /* who approves what, and what was approved */
    unsigned n;
    struct keeper_key *at[STATE_KEYS_MAX];
};

/**
 * Open (or create) a vault and load every key.
 * Errors: those of vault_create() and vault_open(); KW_E_INTEGRITY where keys and state disagree.
 */
kw_status keyring_open(struct kw_op *op, const char *dir, const char *unlock, bool create,
                       struct keyring **ret);
/* Forget everything; the caller has saved what is dirty. */
void keyring_free(struct keyring *keyring);
KW_OWNED(keyring, struct keyring, keyring_free)

/* NULL where there is none. */
struct keeper_key *keyring_find(const struct keyring *keyring, const char *key_id);
/* Make a key under a checked policy; durable on return. KW_E_CONFLICT, KW_E_LIMIT, those of
 * writing. */
kw_status keyring_create(struct kw_op *op, struct keyring *keyring, const struct key_policy *policy,
                         struct keeper_key **ret);
/* Write the state where it holds more than the file. */
kw_status keyring_save(struct kw_op *op, struct keyring *keyring);
/**
 * The key for a signature now. Errors: KW_E_NOT_FOUND; KW_E_DENIED another purpose; KW_E_STATE not
 * active; KW_E_EXPIRED outside its period.
 */
kw_status keyring_use(struct kw_op *op, const struct keyring *keyring, const char *key_id,
                      enum keeper_purpose purpose, int64_t now_unix, struct keeper_key **ret);
const struct pubkey *keeper_key_pubkey(const struct keeper_key *key); /* of a key pair */
/* What tells people which key it is: the SubjectPublicKeyInfo, or a secret's check value. */
enum { KEY_CHECK_VALUE_BYTES = 8 };
kw_status keeper_key_mark(struct kw_op *op, const struct keeper_key *key, struct kw_out *out);

/* SHA-256 over the BIT STRING value of a SubjectPublicKeyInfo, as OCSP's SHA-256 CertIDs want it.
 */
kw_status spki_bits_sha256(struct kw_span spki, uint8_t ret[KW_HASH_BYTES]);

#endif
