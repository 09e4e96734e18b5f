/* AES key wrap with padding (RFC 5649, SP 800-38F "KWP"): for keys, never for ordinary data. */
#ifndef CRYPTO_WRAP_H
#define CRYPTO_WRAP_H

#include "base/bytes.h"
#include "base/op.h"
#include "base/secret.h"

enum { WRAP_KEY_BYTES = 32, WRAP_PLAIN_MAX = 512, WRAP_OVERHEAD_MAX = 15 };
/* Octets that n plain ones become. */
#define WRAP_SIZE(n) (((size_t)(n) + 7) / 8 * 8 + 8)

/**
 * Wrap; the same key and plain octets always give the same result, as KWP has no nonce.
 *
 * key      16, 24 or 32 octets; Keywright's own keys have WRAP_KEY_BYTES
 * plain    1..WRAP_PLAIN_MAX octets
 * wrapped  reset, then filled: room of WRAP_SIZE(plain.len); unchanged on failure
 *
 * Errors  KW_E_INPUT a length is out of range; KW_E_TOO_LARGE the room does not suffice
 */
kw_status wrap_kwp(struct kw_op *op, const struct kw_secret *key, struct kw_span plain,
                   struct kw_out *wrapped);
/* KW_E_INTEGRITY for a wrong key or altered octets; nothing more is told. */
kw_status unwrap_kwp(struct kw_op *op, const struct kw_secret *key, struct kw_span wrapped,
                     struct kw_secret **ret);

#endif
