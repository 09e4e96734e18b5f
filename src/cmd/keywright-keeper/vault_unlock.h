/* How the vault's key-encrypting key is wrapped: by a passphrase, or by the TPM. */
#ifndef KEEPER_CMD_VAULT_UNLOCK_H
#define KEEPER_CMD_VAULT_UNLOCK_H

#include "base/secret.h"
#include "cmd/keywright-keeper/vault_format.h"

/**
 * Wrap a new KEK by the method that `unlock` names: "passphrase-file:PATH" or a root-of-trust URI.
 * header->id is set by the caller; method, salt and cost are filled in. ret: the sealed KEK.
 * Errors: KW_E_INPUT unknown method or a passphrase below 8 characters; those of reading the file
 * or of the TPM.
 */
kw_status unlock_wrap(struct kw_op *op, const char *unlock, struct vault_header *header,
                      const struct kw_secret *kek, struct kw_bytes **ret);
/**
 * The KEK back. head: the header's octets before the sealed KEK.
 * Errors: KW_E_DENIED wrong passphrase, other TPM, or the vault wants the other method.
 */
kw_status unlock_open(struct kw_op *op, const char *unlock, const struct vault_header *header,
                      struct kw_span head, struct kw_secret **ret);

#endif
