/* ECDSA signatures of P-256 as r || s, as JOSE has them (RFC 7518 section 3.4), and as DER. */
#ifndef CRYPTO_ECDSA_RAW_H
#define CRYPTO_ECDSA_RAW_H

#include "base/bytes.h"
#include "base/op.h"

enum { ECDSA_RAW_BYTES = 64 };

/* KW_E_INPUT no ECDSA-Sig-Value of that size. */
kw_status ecdsa_raw_from_der(struct kw_op *op, struct kw_span der, uint8_t ret[ECDSA_RAW_BYTES]);
/* Room of KW_SIG_MAX suffices. */
kw_status ecdsa_raw_to_der(struct kw_op *op, const uint8_t raw[ECDSA_RAW_BYTES],
                           struct kw_out *der);

#endif
