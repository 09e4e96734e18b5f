/* What holds of a revocation filter's statement (docs/protocol/filter.md) before a CA's key signs.
 */
#ifndef KEEPER_CMD_SIGN_FILTER_H
#define KEEPER_CMD_SIGN_FILTER_H

#include "cmd/keywright-keeper/server.h"
#include "model/statement.h"

/* A statement that a key is asked to make. */
struct statement_case {
    struct server *server;
    struct keeper_key *key;
    const struct statement *statement;
    int64_t now_unix;
};

/* KW_E_DENIED names the check. */
kw_status filter_check(struct kw_op *op, const struct statement_case *c);
/* It is signed: its number, durable. Nothing may leave after a failure. */
kw_status filter_remember(struct kw_op *op, const struct statement_case *c);

#endif
