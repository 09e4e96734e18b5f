/* What the files of the tree share. Not for other layers. */
#ifndef AUDIT_TLOG_INTERNAL_H
#define AUDIT_TLOG_INTERNAL_H

#include "audit/tlog.h"

/* log2(TLOG_TILE_WIDTH): a tile of level L holds roots of 2^(8L) leaves each. */
enum { TLOG_TILE_BITS = 8 };
_Static_assert(TLOG_TILE_WIDTH == 1 << TLOG_TILE_BITS, "tiles are as wide as their bits say");

struct tlog_hash tlog_hash_empty(void); /* SHA-256("") */
/* For public hashes; no secret is ever compared here. */
bool tlog_hash_equal(const struct tlog_hash *a, const struct tlog_hash *b);
/* Root of a perfect tree over n hashes, n a power of two of at most TLOG_TILE_WIDTH. */
struct tlog_hash tlog_hash_perfect(const struct tlog_hash *hashes, unsigned n);

#endif
