/*
 * Which label lies at which persistent handle. The file says nothing secret: the keys are in the
 * TPM.
 * "<dir>/tpm2.index", big-endian:
 *
 *     u32  magic 0x4b575449 "KWTI"
 *     u16  version 1
 *     u16  number of entries, at most 256; each:
 *         u16  length, octets of the label
 *         u32  persistent handle, 0x81004b00..0x81004bff
 *         u16  algorithm (enum key_alg)
 *         u8   state: 1 pending, 2 ready
 *         34   the object's Name: 000b || SHA-256(TPMT_PUBLIC)
 *     32   SHA-256 of everything before: finds damage, not malice
 *
 * A key is written down as pending before its handle is taken and before it is given back, so that
 * a power cut leaves neither a handle without an entry nor an entry whose handle may be somebody
 * else's: what is pending is swept away at the next open (tpm2/sweep.h). The Name tells a cleared
 * or replaced TPM from ours.
 */
#ifndef ROT_TPM2_INDEX_H
#define ROT_TPM2_INDEX_H

#include "base/op.h"
#include "crypto/alg.h"
#include "rot/ops.h"

enum {
    TPM2_HANDLE_FIRST =
        0x4b00, /* both below TPM2_HANDLE_BASE: the owner's range of persistent handles */
    TPM2_HANDLE_COUNT = 256,
    TPM2_NAME_BYTES = 34,
    TPM2_INDEX_FILE_MAX = 8 + TPM2_HANDLE_COUNT * (2 + ROT_LABEL_MAX + 4 + 2 + 1 + 34) + 32,
};
#define TPM2_HANDLE_BASE UINT32_C(0x81000000)
/* tss2 has TPM2_TRANSIENT_FIRST, but shifts a sign bit for it. */
#define TPM2_HANDLE_TRANSIENT UINT32_C(0x80000000)

enum tpm2_entry_state { TPM2_ENTRY_PENDING = 1, TPM2_ENTRY_READY = 2 };

struct tpm2_entry {
    char label[ROT_LABEL_MAX];
    uint32_t handle;
    enum key_alg alg;
    enum tpm2_entry_state state;
    uint8_t name[TPM2_NAME_BYTES];
};

struct tpm2_index {
    unsigned n;
    struct tpm2_entry at[TPM2_HANDLE_COUNT];
};

/* KW_E_INPUT: not such a file, a bad checksum, a label or handle twice. */
kw_status tpm2_index_parse(struct kw_span content, struct tpm2_index *ret);
kw_status tpm2_index_encode(const struct tpm2_index *index, struct kw_bytes **ret);

/* The file's index; an absent file is an empty one. KW_E_INTEGRITY damaged. ret: to be freed with
 * free(3). */
kw_status tpm2_index_read(struct kw_op *op, const char *path, struct tpm2_index **ret);
kw_status tpm2_index_write(struct kw_op *op, const char *path, const struct tpm2_index *index);
void tpm2_index_free(struct tpm2_index *index);
KW_OWNED(tpm2_index, struct tpm2_index, tpm2_index_free)

/* Borrowed until the next change; NULL where absent. */
struct tpm2_entry *tpm2_index_find(struct tpm2_index *index, const char *label);
bool tpm2_index_has_handle(const struct tpm2_index *index, uint32_t handle);
/* KW_E_FULL. */
kw_status tpm2_index_add(struct kw_op *op, struct tpm2_index *index,
                         const struct tpm2_entry *entry);
void tpm2_index_remove(struct tpm2_index *index, const struct tpm2_entry *entry);

#endif
