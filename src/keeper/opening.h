/*
 * What crosses VAULT/open.sock: how a person opens a vault, or gives it another secret. Secrets go
 * this way only, never by the gate's channel. The page of it is docs/protocol/keeper.md.
 */
#ifndef KEEPER_OPENING_H
#define KEEPER_OPENING_H

#include "base/bytes.h"
#include "base/limits.h"
#include "base/op.h"
#include "base/secret.h"

enum {
    OPENING_SECRET_MAX = 2048,
    OPENING_REQUEST_MAX = 8 + 1 + 2 + 2 + OPENING_SECRET_MAX,
    OPENING_METHOD_TEXT = 16,
    OPENING_REPLY_MAX = 8192,
};

/* Stored nowhere, but gate and tools may differ: append only. */
enum opening_command {
    OPENING_STATUS = 1,
    OPENING_PASSPHRASE,     /* open with this one */
    OPENING_SHARE,          /* one more share, to open or to confirm new ones */
    OPENING_SEAL,           /* forget the keys, also over restarts */
    OPENING_FORGET,         /* drop the shares that were given so far, and new ones */
    OPENING_NEW_PASSPHRASE, /* of a new vault, or where the gate's VAULT_REKEY allowed it */
    OPENING_NEW_SHARES,     /* the same; they count once M of them were given back */
    OPENING_BY_METHOD,      /* no more sealed by hand: open as at a start */
    OPENING_CLOCK,          /* the machine's clock is right, whatever the keeper thinks of it */
    OPENING_COMMAND_MAX
};

struct opening_request {
    enum opening_command command;
    uint8_t m, n;          /* OPENING_NEW_SHARES, else 0 */
    struct kw_span secret; /* PASSPHRASE, SHARE, NEW_PASSPHRASE; borrowed */
};

struct opening_reply {
    enum kw_code code;
    char text[KW_OP_TEXT_MAX]; /* cause; "" where code is KW_CODE_OK */
    bool open;
    bool fresh;                       /* there is no vault yet: it wants a secret */
    bool rekey;                       /* a new secret is allowed now */
    char method[OPENING_METHOD_TEXT]; /* "passphrase", "shares", … */
    uint8_t given, needed;            /* shares so far */
    uint8_t n_shares;
    struct kw_span shares[KW_SHARES_MAX]; /* OPENING_NEW_SHARES; borrowed */
};

kw_status opening_request_encode(const struct opening_request *request, struct kw_out *out);
/* Strict: KW_E_INPUT for what opening_request_encode() does not write. Borrows. */
kw_status opening_request_decode(struct kw_span packet, struct opening_request *ret);
kw_status opening_reply_encode(const struct opening_reply *reply, struct kw_out *out);
kw_status opening_reply_decode(struct kw_span packet, struct opening_reply *ret);

/**
 * Ask the keeper of this vault's folder, on this machine. ret borrows from *ret_packet, which the
 * caller frees. A refusal is no failure: it stands in ret->code. Errors: KW_E_UNAVAILABLE no keeper
 * runs, or it is silent; KW_E_DENIED this user may not.
 */
kw_status opening_call(struct kw_op *op, const char *vault, const struct opening_request *request,
                       struct kw_secret **ret_packet, struct opening_reply *ret);
/* M and N of "shares:M,N"; false where it is another method, or 2 <= M <= N <= KW_SHARES_MAX does
 * not hold. */
bool opening_shares(const char *unlock, unsigned *ret_m, unsigned *ret_n);
/* Make the socket's address in an open folder, whatever the length of its path. */
struct sockaddr_un;
void opening_address(int dir_fd, struct sockaddr_un *ret);

#endif
