/* Keys of CAs in other vaults that OCSP signers have learned of (handle_ocsp_issuer.c). */
#ifndef KEEPER_CMD_OCSP_ISSUERS_H
#define KEEPER_CMD_OCSP_ISSUERS_H

#include "cmd/keywright-keeper/state.h"
#include "crypto/pubkey.h"

/* Did the signer learn of a key whose bits have this hash (32 octets, or 20 of SHA-1)? */
bool ocsp_issuers_has(const struct state *state, const struct key_record *signer, bool sha256,
                      const uint8_t *hash);
/* One that it does not know yet; the caller saves. KW_E_LIMIT. */
kw_status ocsp_issuers_add(struct kw_op *op, struct state *state, const struct key_record *signer,
                           const struct pubkey *key);
/* A successor knows what its predecessor has learned. KW_E_LIMIT. */
kw_status ocsp_issuers_inherit(struct kw_op *op, struct state *state,
                               const struct key_record *predecessor,
                               const struct key_record *successor);

#endif
