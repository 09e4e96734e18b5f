/* The right edge of the tree: growing it, its root, and finding it again in stored tiles. */
#include "audit/tlog.h"
#include "audit/tlog_internal.h"

void tlog_edge_init(struct tlog_edge *edge)
{
    memset(edge, 0, sizeof(*edge));
}

void tlog_edge_copy(struct tlog_edge *ret, const struct tlog_edge *edge)
{
    ret->size = edge->size;
    memcpy(ret->width, edge->width, sizeof(ret->width));
    for (unsigned level = 0; level < TLOG_LEVELS_MAX; level++) {
        memcpy(ret->tile[level], edge->tile[level], edge->width[level] * sizeof(struct tlog_hash));
    }
}

kw_status tlog_edge_append(struct kw_op *op, struct tlog_edge *edge, const struct tlog_hash *leaf,
                           tlog_full_tile_fn full, void *ctx)
{
    struct tlog_hash carry = *leaf;

    ENSURE(op, edge->size < TLOG_SIZE_MAX, KW_E_LIMIT, "the log has 2^60 entries");
    edge->size++;
    for (unsigned level = 0; level < TLOG_LEVELS_MAX; level++) {
        struct tlog_hash *tile = edge->tile[level];
        tile[edge->width[level]++] = carry;
        if (edge->width[level] < TLOG_TILE_WIDTH) {
            break;
        }
        uint64_t index = (edge->size >> TLOG_TILE_BITS * level) / TLOG_TILE_WIDTH - 1;
        if (full) {
            TRY(op, full(op, ctx, level, index, tile), "tile %ju of level %u", (uintmax_t)index,
                level);
        }
        carry = tlog_hash_perfect(tile, TLOG_TILE_WIDTH);
        edge->width[level] = 0;
    }
    return KW_OK;
}

/*
 * The perfect subtrees of a tile of `width` hashes, from the right (smallest) one to the left,
 * joined onto what lies further right: MTH(D[n]) = node(MTH(D[0:k]), MTH(D[k:n])), k the largest
 * power of two below n.
 */
static void fold_tile(const struct tlog_hash *tile, unsigned width, struct tlog_hash *right,
                      bool *has_right)
{
    unsigned end = width;

    for (unsigned n = 1; n <= width; n *= 2) {
        if ((width & n) == 0) {
            continue;
        }
        end -= n;
        struct tlog_hash left = tlog_hash_perfect(tile + end, n);
        *right = *has_right ? tlog_node_hash(&left, right) : left;
        *has_right = true;
    }
}

struct tlog_hash tlog_edge_root(const struct tlog_edge *edge)
{
    struct tlog_hash root = {{0}};
    bool has_root = false;

    for (unsigned level = 0; level < TLOG_LEVELS_MAX; level++) {
        fold_tile(edge->tile[level], edge->width[level], &root, &has_root);
    }
    return has_root ? root : tlog_hash_empty();
}

kw_status tlog_edge_load(struct kw_op *op, const struct tlog_reader *reader, uint64_t size,
                         struct tlog_edge *ret)
{
    ENSURE(op, size <= TLOG_SIZE_MAX, KW_E_INPUT, "a log of over 2^60 entries");
    tlog_edge_init(ret);
    for (unsigned level = 0; level < TLOG_LEVELS_MAX; level++) {
        uint64_t n_hashes = size >> TLOG_TILE_BITS * level;
        uint64_t index = n_hashes >> TLOG_TILE_BITS;
        unsigned width = (unsigned)(n_hashes % TLOG_TILE_WIDTH);
        if (width > 0) {
            TRY(op, reader->read(op, reader->ctx, level, index, width, ret->tile[level]),
                "tile %ju of level %u", (uintmax_t)index, level);
        }
        ret->width[level] = (uint16_t)width;
    }
    ret->size = size;
    return KW_OK;
}

kw_status tlog_root(struct kw_op *op, const struct tlog_reader *reader, uint64_t size,
                    struct tlog_hash *ret)
{
    struct tlog_edge edge;

    TRY(op, tlog_edge_load(op, reader, size, &edge));
    *ret = tlog_edge_root(&edge);
    return KW_OK;
}
