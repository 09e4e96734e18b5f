/* Large messages beside the channel: memory files that nobody can change any more. */
#ifndef KEEPER_MEMFD_H
#define KEEPER_MEMFD_H

#include "base/bytes.h"
#include "base/op.h"

/* A memory file with this content, sealed against writing, shrinking and growing. KW_E_IO,
 * KW_E_MEMORY. */
kw_status memfd_make(struct kw_op *op, struct kw_span content, int *ret_fd);

/* A mapping; unmapped by memfd_unmap(). */
struct memfd_map {
    void *p;
    size_t len;
};

/**
 * Map a file that a peer handed over, read-only. KW_E_DENIED it is no memory file or lacks one of
 * the three seals; KW_E_INPUT its length is not exactly len, or len is 0; KW_E_MEMORY.
 */
kw_status memfd_map(struct kw_op *op, int fd, size_t len, struct memfd_map *ret);
void memfd_unmap(struct memfd_map *map);

#endif
