/*
 * A secret sealed by a PKCS#11 token, big-endian:
 *
 *     u32  magic 0x4b575053 "KWPS"
 *     u16  version 1
 *     20   CKA_ID of the token's AES-256 key
 *     ---- up to here: additional authenticated data of what follows
 *     12   nonce
 *     u16  length, AES-256-GCM: ciphertext || tag (16)
 */
#ifndef ROT_PKCS11_SEALED_H
#define ROT_PKCS11_SEALED_H

#include "base/bytes.h"
#include "base/status.h"

enum {
    P11_SEALED_ID_BYTES = 20,
    P11_SEALED_NONCE_BYTES = 12,
    P11_SEALED_TAG_BYTES = 16,
    P11_SEALED_TEXT_MAX = 128 + P11_SEALED_TAG_BYTES, /* of rot_seal() */
    P11_SEALED_AAD_BYTES = 4 + 2 + P11_SEALED_ID_BYTES,
    P11_SEALED_MAX = P11_SEALED_AAD_BYTES + P11_SEALED_NONCE_BYTES + 2 + P11_SEALED_TEXT_MAX,
};

struct p11_sealed {
    uint8_t id[P11_SEALED_ID_BYTES];
    uint8_t nonce[P11_SEALED_NONCE_BYTES];
    struct kw_span text; /* ciphertext and tag; borrowed */
};

/* KW_E_INPUT: not exactly such octets. */
kw_status p11_sealed_parse(struct kw_span octets, struct p11_sealed *ret);
kw_status p11_sealed_encode(const struct p11_sealed *sealed, struct kw_out *out);
/* What is authenticated besides the text. */
kw_status p11_sealed_aad(const uint8_t id[P11_SEALED_ID_BYTES], struct kw_out *out);

#endif
