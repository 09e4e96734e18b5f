/* The file `vault`: the core under its ways in. Only vault.c and vault_header.c know it. */
#ifndef KEEPER_CMD_VAULT_HEADER_H
#define KEEPER_CMD_VAULT_HEADER_H

#include "cmd/keywright-keeper/vault.h"

/* KW_E_INTEGRITY damaged. *ret borrows from *ret_file. */
kw_status vault_header_read(struct kw_op *op, const struct vault *vault, struct kw_bytes **ret_file,
                            struct vault_header *ret);
/* The first header of a vault whose core and opener are there. */
kw_status vault_header_new(struct kw_op *op, const struct vault *vault);
/* Fill in the core of the vault by slot `which` (1: next); takes the opener on success. */
kw_status vault_header_open(struct kw_op *op, struct vault *vault, unsigned which,
                            struct opener *opener);

#endif
