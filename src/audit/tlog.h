/*
 * Append-only Merkle tree in C2SP tlog-tiles layout (RFC 6962 hashing, tiles of 2^8 hashes).
 * Pure computation: where tiles lie is the caller's business.
 */
#ifndef AUDIT_TLOG_H
#define AUDIT_TLOG_H

#include "base/bytes.h"
#include "base/limits.h"
#include "base/op.h"

enum { TLOG_TILE_WIDTH = 256, TLOG_LEVELS_MAX = 8, TLOG_PROOF_MAX = 64 };
#define TLOG_SIZE_MAX (UINT64_C(1) << 60) /* leaves; 8 levels hold 2^64 */

struct tlog_hash {
    uint8_t b[KW_HASH_BYTES];
};

struct tlog_hash tlog_leaf_hash(struct kw_span entry); /* SHA-256(0x00 || entry) */
struct tlog_hash tlog_node_hash(const struct tlog_hash *l,
                                const struct tlog_hash *r); /* SHA-256(0x01 || l || r) */

/* The right edge of the tree: all partial tiles. About 64 KiB, of which few are in use. */
struct tlog_edge {
    uint64_t size;                   /* leaves */
    uint16_t width[TLOG_LEVELS_MAX]; /* hashes in the partial tile of each level, 0..255 */
    struct tlog_hash tile[TLOG_LEVELS_MAX][TLOG_TILE_WIDTH];
};

/* Called for each tile that an append completes, in order: level, index, its 256 hashes. */
typedef kw_status (*tlog_full_tile_fn)(struct kw_op *op, void *ctx, unsigned level, uint64_t index,
                                       const struct tlog_hash hashes[TLOG_TILE_WIDTH]);

void tlog_edge_init(struct tlog_edge *edge);
/* Only what is in use; ret need not be initialised. To be able to go back. */
void tlog_edge_copy(struct tlog_edge *ret, const struct tlog_edge *edge);
/* Append one leaf hash. full: NULL where only the root is wanted. Only its errors, and KW_E_LIMIT
 * beyond 2^60 leaves; then restore the edge from a copy. */
kw_status tlog_edge_append(struct kw_op *op, struct tlog_edge *edge, const struct tlog_hash *leaf,
                           tlog_full_tile_fn full, void *ctx);
struct tlog_hash tlog_edge_root(const struct tlog_edge *edge); /* SHA-256("") for the empty tree */

/* Reads `width` hashes of a tile (256 for a full one). KW_E_NOT_FOUND, KW_E_INTEGRITY, KW_E_IO. */
struct tlog_reader {
    kw_status (*read)(struct kw_op *op, void *ctx, unsigned level, uint64_t index, unsigned width,
                      struct tlog_hash *ret);
    void *ctx;
};
/* Rebuild the edge of a tree of this size from stored tiles. */
kw_status tlog_edge_load(struct kw_op *op, const struct tlog_reader *reader, uint64_t size,
                         struct tlog_edge *ret);
kw_status tlog_root(struct kw_op *op, const struct tlog_reader *reader, uint64_t size,
                    struct tlog_hash *ret);
/**
 * RFC 6962 section 2.1.1 and 2.1.2. proof has room for TLOG_PROOF_MAX. From the empty tree the
 * proof is empty. Errors: KW_E_INPUT index or sizes out of range; those of the reader. Each tile is
 * read twice at most.
 */
kw_status tlog_inclusion(struct kw_op *op, const struct tlog_reader *reader, uint64_t size,
                         uint64_t index, struct tlog_hash *proof, unsigned *ret_n);
kw_status tlog_consistency(struct kw_op *op, const struct tlog_reader *reader, uint64_t old_size,
                           uint64_t new_size, struct tlog_hash *proof, unsigned *ret_n);
/* KW_E_INTEGRITY where the proof does not hold. */
kw_status tlog_inclusion_verify(const struct tlog_hash *leaf, uint64_t index, uint64_t size,
                                const struct tlog_hash *proof, unsigned n,
                                const struct tlog_hash *root);
kw_status tlog_consistency_verify(uint64_t old_size, const struct tlog_hash *old_root,
                                  uint64_t new_size, const struct tlog_hash *new_root,
                                  const struct tlog_hash *proof, unsigned n);
/* "tile/0/x001/067", with ".p/W" for a partial one; level -1 = "tile/entries/…". path has
 * KW_PATH_BYTES. */
kw_status tlog_tile_path(int level, uint64_t index, unsigned width, char *path, size_t cap);
/* Read such a path back (strict). */
kw_status tlog_tile_parse(const char *path, int *ret_level, uint64_t *ret_index,
                          unsigned *ret_width);

#endif
