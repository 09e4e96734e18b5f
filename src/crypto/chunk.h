/*
 * Long data in sealed pieces: AES-256-GCM under a key that is used for one piece of data only, the
 * nonce counts (3 octets zero, 1 octet: the last piece, 8 octets index). Pieces cannot be left out,
 * repeated, exchanged or cut off at the end unnoticed.
 */
#ifndef CRYPTO_CHUNK_H
#define CRYPTO_CHUNK_H

#include "base/bytes.h"
#include "base/op.h"
#include "base/secret.h"

enum { CHUNK_TAG_BYTES = 16 };

/* What a piece is authenticated with. */
struct chunk_place {
    uint64_t index; /* from 0 */
    bool last;
    struct kw_span aad; /* the same for all pieces */
};
/* Append the sealed piece: ciphertext || tag. */
kw_status chunk_seal(struct kw_op *op, const struct kw_secret *key, const struct chunk_place *place,
                     struct kw_span plain, struct kw_bytes *into);
/* Append the plain piece; nothing where it fails. KW_E_INTEGRITY. */
kw_status chunk_open(struct kw_op *op, const struct kw_secret *key, const struct chunk_place *place,
                     struct kw_span sealed, struct kw_bytes *into);

#endif
