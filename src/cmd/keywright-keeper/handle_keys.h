/* What the handlers about keys share. */
#ifndef KEEPER_CMD_HANDLE_KEYS_H
#define KEEPER_CMD_HANDLE_KEYS_H

#include "cmd/keywright-keeper/keyring.h"

kw_status describe_key(struct kw_op *op, const struct keyring *keyring,
                       const struct keeper_key *key, struct keeper_key_info *ret);

#endif
