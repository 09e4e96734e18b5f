/* The folder of sealed keys and of the state, opened by one keeper at a time. */
#ifndef KEEPER_CMD_VAULT_H
#define KEEPER_CMD_VAULT_H

#include "base/secret.h"
#include "cmd/keywright-keeper/state.h"
#include "cmd/keywright-keeper/vault_format.h"
#include "cmd/keywright-keeper/vault_unlock.h"
#include "crypto/privkey.h"
#include "model/policy.h"

struct vault {
    char dir[KW_PATH_BYTES];
    char keys_dir[KW_PATH_BYTES];
    uint8_t id[VAULT_ID_BYTES];
    int lock_fd;
    /* from here on: only while it is open */
    uint32_t generation;       /* of the KEK; rises with each rekeying */
    struct kw_secret *kek;     /* seals key files and the state */
    struct kw_secret *old_kek; /* of generation - 1, until a rekeying is finished; else NULL */
    struct kw_secret *lasting; /* 32 octets, the same for the vault's life: for what a rekeying does
                                  not write anew (journal, approvals); a private key is never under
                                  it */
    struct opener opener;      /* for sealing the core again; method 0 where it is stale */
};

/**
 * Make a new vault with an empty state, by an unlock method that asks nobody.
 * Errors: KW_E_CONFLICT there is one, or keys of one; those of opener_new(), sealing and writing.
 */
kw_status vault_create(struct kw_op *op, const char *dir, const char *unlock, struct vault *ret);
/* Open one. KW_E_NOT_FOUND none; KW_E_INTEGRITY; KW_E_DENIED; KW_E_UNAVAILABLE another keeper has
 * it, three seconds later too (one that was killed may still be ending). */
kw_status vault_open(struct kw_op *op, const char *dir, const char *unlock, struct vault *ret);
void vault_done(struct vault *vault);

/* The parts of these, where a person gives the secret: take the folder (create: make it), … */
kw_status vault_attach(struct kw_op *op, const char *dir, bool create, struct vault *ret);
/* … is there a vault in it yet?, … */
bool vault_exists(const struct vault *vault);
/* … how is it opened (n: 1, or 2 while it is being rekeyed; nothing sealed in them), … */
kw_status vault_slots(struct kw_op *op, const struct vault *vault, struct vault_slot ret[2],
                      unsigned *ret_n);
/* … open it by a method that asks nobody, … */
kw_status vault_open_by(struct kw_op *op, struct vault *vault, const char *unlock);
/* … or open slot `which`, or fill the new folder. Both take the opener, on failure too. */
kw_status vault_unlock(struct kw_op *op, struct vault *vault, unsigned which,
                       struct opener *opener);
kw_status vault_fill(struct kw_op *op, struct vault *vault, struct opener *opener);
/* Forget the keys; the folder stays ours. */
void vault_lock(struct vault *vault);

/**
 * Begin rekeying: a new KEK, opened by `opener` (taken, also on failure) or, where that is NULL, as
 * before. Durable on return: from now on either secret opens the vault, what is written is under
 * the new KEK, and what is read may be under either. KW_E_STATE the old secret is not at hand
 * (rekeyed by another secret in this life); those of sealing and writing.
 */
kw_status vault_rekey_begin(struct kw_op *op, struct vault *vault, struct opener *opener);
/* Everything is under the new KEK: retire the old one, overwriting where it was sealed. */
kw_status vault_rekey_end(struct kw_op *op, struct vault *vault);

/* Has the vault been sealed by an operator, so that it stays so over restarts? */
bool vault_sealed_by_hand(const struct vault *vault);
kw_status vault_mark_sealed(struct kw_op *op, const struct vault *vault);
kw_status vault_unmark_sealed(struct kw_op *op, const struct vault *vault);
/* The same, where the next keeper opens it: it asks by vault_take_reopened(), once. */
kw_status vault_mark_reopened(struct kw_op *op, const struct vault *vault);
bool vault_take_reopened(const struct vault *vault);

/* The KEK of a generation. KW_E_INTEGRITY it is neither this one nor the one before. */
kw_status vault_kek_of(struct kw_op *op, const struct vault *vault, uint32_t generation,
                       const struct kw_secret **ret);

/* Durable on return; the version rises, dirty is gone. After a failure both are as before. */
kw_status vault_state_save(struct kw_op *op, const struct vault *vault, struct state *state);
/* KW_E_INTEGRITY missing or altered, with the next step. */
kw_status vault_state_load(struct kw_op *op, const struct vault *vault, struct state *ret);

/* A key's secret part: one of the three. */
struct vault_key {
    struct privkey *private_key;
    struct kw_secret *secret;     /* VAULT_SECRET_BYTES, where key_class_symmetric() */
    struct pubkey *public_key;    /* the private key is in the token, under this label */
    char token[VAULT_TOKEN_TEXT]; /* "" in the other two */
};
enum { VAULT_SECRET_BYTES = 32 };

/* Seal and write, durable on return. KW_E_CONFLICT the file is there. */
kw_status vault_key_save(struct kw_op *op, const struct vault *vault,
                         const struct key_policy *policy, const struct vault_key *key);
/* KW_E_INTEGRITY altered in any way; KW_E_NOT_FOUND no such file. */
kw_status vault_key_load(struct kw_op *op, const struct vault *vault, const char *key_id,
                         struct key_policy *ret_policy, struct vault_key *ret_key);
/* Is there a file of this key? */
bool vault_key_exists(const struct vault *vault, const char *key_id);
/* Write the file anew under the present KEK; what it says stays. */
kw_status vault_key_reseal(struct kw_op *op, const struct vault *vault, const char *key_id);
/* Call each(key id) for every key file, sorted. */
kw_status vault_key_each(struct kw_op *op, const struct vault *vault,
                         kw_status (*each)(struct kw_op *op, const char *key_id, void *ctx),
                         void *ctx);

#endif
