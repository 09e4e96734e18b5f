/*
 * What DATA_WRAP and DATA_SEAL give out: octets to be kept anywhere, with a head that says which
 * key opens them. Format: docs/protocol/keeper.md.
 */
#ifndef KEEPER_WRAPPED_H
#define KEEPER_WRAPPED_H

#include "base/bytes.h"
#include "base/limits.h"
#include "crypto/aead.h"
#include "crypto/wrap.h"
#include "keeper/msg.h"

enum wrapped_kind { WRAPPED_KEY = 1, WRAPPED_DATA };

enum {
    WRAPPED_HEAD_MAX = 8 + (2 + KW_NAME_MAX - 1) + 4,
    WRAPPED_MAX = WRAPPED_HEAD_MAX + 2 + WRAP_SIZE(KEEPER_DATA_KEY_MAX),
    SEALED_MAX = WRAPPED_HEAD_MAX + 2 + KEEPER_SEAL_MAX + AEAD_OVERHEAD_BYTES,
};

struct wrapped {
    enum wrapped_kind kind;
    char key_id[KW_NAME_MAX]; /* that opens it */
    uint32_t generation;      /* of that key in its line */
    struct kw_span octets;    /* AES-KWP, or nonce, ciphertext and tag of AES-256-GCM; borrowed */
};

/* Appends the head alone: magic, key id, generation. KW_E_TOO_LARGE. */
kw_status wrapped_head_encode(const struct wrapped *wrapped, struct kw_out *out);
/* Appends all. KW_E_TOO_LARGE; room of WRAPPED_MAX or SEALED_MAX suffices. */
kw_status wrapped_encode(const struct wrapped *wrapped, struct kw_out *out);
/* Strict; nothing is opened. KW_E_INPUT. */
kw_status wrapped_decode(struct kw_span blob, struct wrapped *ret);

#endif
