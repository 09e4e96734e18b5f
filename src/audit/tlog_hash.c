#include "audit/tlog.h"
#include "audit/tlog_internal.h"
#include "crypto/digest.h"

/* RFC 6962 section 2.1: leaves and nodes hash differently, so that no node passes for a leaf. */
static const uint8_t leaf_prefix = 0x00;
static const uint8_t node_prefix = 0x01;

struct tlog_hash tlog_leaf_hash(struct kw_span entry)
{
    struct tlog_hash hash;

    digest_sha256_two(KW_SPAN(&leaf_prefix, 1), entry, hash.b);
    return hash;
}

struct tlog_hash tlog_node_hash(const struct tlog_hash *l, const struct tlog_hash *r)
{
    uint8_t octets[1 + 2 * KW_HASH_BYTES];
    struct tlog_hash hash;

    octets[0] = node_prefix;
    memcpy(octets + 1, l->b, KW_HASH_BYTES);
    memcpy(octets + 1 + KW_HASH_BYTES, r->b, KW_HASH_BYTES);
    digest_sha256(KW_SPAN_ARRAY(octets), hash.b);
    return hash;
}

struct tlog_hash tlog_hash_empty(void)
{
    struct tlog_hash hash;

    digest_sha256(KW_SPAN(NULL, 0), hash.b);
    return hash;
}

bool tlog_hash_equal(const struct tlog_hash *a, const struct tlog_hash *b)
{
    return memcmp(a->b, b->b, KW_HASH_BYTES) == 0;
}

struct tlog_hash tlog_hash_perfect(const struct tlog_hash *hashes, unsigned n)
{
    struct tlog_hash row[TLOG_TILE_WIDTH / 2];

    if (n == 1) {
        return hashes[0];
    }
    /* The first step reads the caller's row, the later ones halve our own in place. */
    const struct tlog_hash *from = hashes;
    for (unsigned left = n / 2; left > 0; left /= 2) {
        for (unsigned i = 0; i < left; i++) {
            row[i] = tlog_node_hash(&from[2 * (size_t)i], &from[2 * (size_t)i + 1]);
        }
        from = row;
    }
    return row[0];
}
