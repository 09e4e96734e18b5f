/*
 * A sealed key file, one key a file, big-endian:
 *
 *     u32  magic 0x4b57534b "KWSK"
 *     u16  version 1
 *     u16  length, octets of the label
 *     u16  algorithm (enum key_alg)
 *     u16  length, DER SubjectPublicKeyInfo
 *     ---- up to here: the head, additional authenticated data of what follows
 *     u16  length, AES-256-GCM of the PKCS#8: nonce (12) || ciphertext || tag (16)
 */
#ifndef ROT_SOFT_KEYFILE_H
#define ROT_SOFT_KEYFILE_H

#include "base/bytes.h"
#include "crypto/alg.h"
#include "rot/ops.h"

enum {
    SOFT_KEYFILE_SEALED_MAX = 4096, /* PKCS#8 of RSA-4096 is below 2400 */
    SOFT_KEYFILE_MAX = 6144,        /* sealed, SubjectPublicKeyInfo and the small fields */
};

struct soft_keyfile {
    char label[ROT_LABEL_MAX];
    enum key_alg alg;
    struct kw_span spki; /* borrowed from the input, like the rest */
    struct kw_span head; /* additional authenticated data; filled by parsing only */
    struct kw_span sealed;
};

/* KW_E_INPUT for anything that is not exactly such a file. Whether it is genuine only the tag says.
 */
kw_status soft_keyfile_parse(struct kw_span content, struct soft_keyfile *ret);
/* Write the head from label, alg and spki. */
kw_status soft_keyfile_encode_head(const struct soft_keyfile *file, struct kw_out *out);
/* Append what was sealed under that head. */
kw_status soft_keyfile_encode_sealed(struct kw_span sealed, struct kw_out *out);

#endif
