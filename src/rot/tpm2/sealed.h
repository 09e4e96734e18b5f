/*
 * A secret sealed by a TPM, big-endian:
 *
 *     u32  magic 0x4b575453 "KWTS"
 *     u16  version 1
 *     34   Name of the storage key that it lies under: 000b || SHA-256
 *     u16  length, TPM2B_PUBLIC as the TPM made it
 *     u16  length, TPM2B_PRIVATE: encrypted and authenticated by that storage key
 */
#ifndef ROT_TPM2_SEALED_H
#define ROT_TPM2_SEALED_H

#include <tss2/tss2_tpm2_types.h>

#include "base/bytes.h"
#include "rot/tpm2/index.h"

struct tpm2_sealed {
    uint8_t parent[TPM2_NAME_BYTES];
    TPM2B_PUBLIC area;
    TPM2B_PRIVATE wrapped;
};

/* KW_E_INPUT: not exactly such octets, or a public area that we never make. */
kw_status tpm2_sealed_parse(struct kw_span octets, struct tpm2_sealed *ret);
kw_status tpm2_sealed_encode(const struct tpm2_sealed *sealed, struct kw_bytes **ret);

#endif
