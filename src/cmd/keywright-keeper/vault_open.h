/*
 * Opening the vault by people: what the requests of VAULT/open.sock do. The socket itself is
 * open_socket.h; the form of the requests is keeper/opening.h.
 */
#ifndef KEEPER_CMD_VAULT_OPEN_H
#define KEEPER_CMD_VAULT_OPEN_H

#include "cmd/keywright-keeper/keyring.h"
#include "keeper/opening.h"

struct vault_opening {
    const char *custody; /* the option, NULL: sealed in the vault; borrowed */
    struct vault folder; /* ours while the vault is sealed */
    bool fresh;          /* a new vault, without a header yet */
    const char *unlock;  /* the option; borrowed */
    unsigned n_shares;   /* given so far */
    struct kw_secret *shares[KW_SHARES_MAX];
    int64_t share_mono_ms;    /* when the last one came */
    struct opener next;       /* new shares, until they are confirmed; else empty */
    int64_t allowed_until_ms; /* a new secret may be given until then; 0: not */
    unsigned wrong;           /* secrets in a row */
    int64_t wait_until_ms;    /* no further guess before */
    bool restart;             /* the process shall end, to open as at a start */
};

/**
 * Do what one request asks. *keyring: NULL while sealed; set when the vault opens, and freed and
 * NULL again when it is sealed. now_mono_ms: the monotonic clock. On failure op has the reason,
 * which goes to the person alone. ret_shares: as share_split(), of OPENING_NEW_SHARES; the caller
 * frees them.
 *
 * Errors  KW_E_LIMIT   wrong secrets before: wait (1 s, doubled each time, at most 5 min)
 *         KW_E_DENIED  wrong secret; KW_E_STATE open already, or sealed; KW_E_INPUT what is wrong
 *         with a share or passphrase; those of keyring_load(), keyring_rekey()
 */
kw_status vault_open_do(struct kw_op *op, struct vault_opening *opening, struct keyring **keyring,
                        const struct opening_request *request, int64_t now_mono_ms,
                        struct kw_secret *ret_shares[KW_SHARES_MAX], unsigned *ret_n);
/* How it is, for any reply. */
void vault_open_status(struct kw_op *op, const struct vault_opening *opening,
                       const struct keyring *keyring, int64_t now_mono_ms,
                       struct opening_reply *ret);
/* Save, forget the keys and mark the vault as sealed; *keyring becomes NULL. KW_E_IO: it could not
 * be marked, and is still open. */
kw_status vault_open_seal(struct kw_op *op, struct vault_opening *opening,
                          struct keyring **keyring);
/* From now on for ten minutes a new secret is taken. */
void vault_open_allow(struct vault_opening *opening, int64_t now_mono_ms);
/* Shares that wait too long for the others are dropped. */
void vault_open_tick(struct vault_opening *opening, int64_t now_mono_ms);
void vault_open_done(struct vault_opening *opening);

#endif
