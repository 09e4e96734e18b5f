/* The folder of sealed keys and of the state, opened by one keeper at a time. */
#ifndef KEEPER_CMD_VAULT_H
#define KEEPER_CMD_VAULT_H

#include "base/secret.h"
#include "cmd/keywright-keeper/state.h"
#include "cmd/keywright-keeper/vault_format.h"
#include "crypto/privkey.h"
#include "model/policy.h"

struct vault {
    char dir[KW_PATH_BYTES];
    char keys_dir[KW_PATH_BYTES];
    uint8_t id[VAULT_ID_BYTES];
    struct kw_secret *kek;
    int lock_fd;
};

/**
 * Make a new vault with an empty state.
 * Errors: KW_E_CONFLICT there is one, or keys of one; those of unlock_wrap() and of writing.
 */
kw_status vault_create(struct kw_op *op, const char *dir, const char *unlock, struct vault *ret);
/* Open one. KW_E_NOT_FOUND none; KW_E_INTEGRITY; KW_E_DENIED; KW_E_UNAVAILABLE another keeper has
 * it. */
kw_status vault_open(struct kw_op *op, const char *dir, const char *unlock, struct vault *ret);
void vault_done(struct vault *vault);

/* Durable on return; the version rises, dirty is gone. After a failure both are as before. */
kw_status vault_state_save(struct kw_op *op, const struct vault *vault, struct state *state);
/* KW_E_INTEGRITY missing or altered, with the next step. */
kw_status vault_state_load(struct kw_op *op, const struct vault *vault, struct state *ret);

/* A key's secret part: one of the two. */
struct vault_key {
    struct privkey *private_key;
    struct kw_secret *secret; /* VAULT_SECRET_BYTES, where key_class_symmetric() */
};
enum { VAULT_SECRET_BYTES = 32 };

/* Seal and write, durable on return. KW_E_CONFLICT the file is there. */
kw_status vault_key_save(struct kw_op *op, const struct vault *vault,
                         const struct key_policy *policy, const struct vault_key *key);
/* KW_E_INTEGRITY altered in any way; KW_E_NOT_FOUND no such file. */
kw_status vault_key_load(struct kw_op *op, const struct vault *vault, const char *key_id,
                         struct key_policy *ret_policy, struct vault_key *ret_key);
/* Call each(key id) for every key file, sorted. */
kw_status vault_key_each(struct kw_op *op, const struct vault *vault,
                         kw_status (*each)(struct kw_op *op, const char *key_id, void *ctx),
                         void *ctx);

#endif
