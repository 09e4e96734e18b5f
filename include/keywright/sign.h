/* Signatures on data. */
#ifndef KEYWRIGHT_SIGN_H
#define KEYWRIGHT_SIGN_H

#include <keywright/types.h>

KEYWRIGHT_C_BEGIN

/**
 * Sign octets with the LDevID's key (ECDSA P-256/SHA-256, DER), nothing else said.
 *
 * sig_len  in room, out length; 72 octets suffice
 *
 * Errors  BAD_INPUT also for data that begins as a receipt of ours or a TLS handshake does
 */
KEYWRIGHT_API enum keywright_result keywright_sign(struct keywright *kw, const void *data,
                                                   size_t len, void *sig, size_t *sig_len);

KEYWRIGHT_C_END

#endif
