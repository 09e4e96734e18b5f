/* A vault's secret, given to its keeper by a person. */
#ifndef CMD_KEYWRIGHT_VAULT_H
#define CMD_KEYWRIGHT_VAULT_H

#include "cmd/keywright/cli.h"

/**
 * Give a new vault (or one that may have a new secret) what opens it from now on: a passphrase,
 * from --passphrase-file or typed twice; or shares, written as pages into `dir`, read back and
 * tried. unlock: "passphrase:" or "shares:M,N".
 */
kw_status vault_give_secret(struct kw_op *op, struct cli *cli, const char *name, const char *folder,
                            const char *unlock, const char *dir);

#endif
