/* Making proofs out of tiles: RFC 6962 sections 2.1.1 and 2.1.2, their recursions as loops. */
#include "audit/tlog.h"
#include "audit/tlog_internal.h"

/*
 * The tile last read of each level. One proof walks down one path and along at most one right edge,
 * so with one tile a level nothing is read more than twice.
 */
struct tile_cache {
    const struct tlog_reader *reader;
    uint64_t size; /* leaves of the tree that is read */
    struct {
        uint64_t index;
        unsigned width; /* 0: nothing read yet */
        struct tlog_hash hashes[TLOG_TILE_WIDTH];
    } level[TLOG_LEVELS_MAX];
};

static kw_status cache_init(struct kw_op *op, struct tile_cache *cache,
                            const struct tlog_reader *reader, uint64_t size)
{
    ENSURE(op, size <= TLOG_SIZE_MAX, KW_E_INPUT, "a log of over 2^60 entries");
    cache->reader = reader;
    cache->size = size;
    for (unsigned i = 0; i < TLOG_LEVELS_MAX; i++) {
        cache->level[i].width = 0;
    }
    return KW_OK;
}

static kw_status cache_read(struct kw_op *op, struct tile_cache *cache, unsigned level,
                            uint64_t index, const struct tlog_hash **ret)
{
    uint64_t behind = (cache->size >> TLOG_TILE_BITS * level) - index * TLOG_TILE_WIDTH;
    unsigned width = behind < TLOG_TILE_WIDTH ? (unsigned)behind : TLOG_TILE_WIDTH;

    if (cache->level[level].width == 0 || cache->level[level].index != index) {
        cache->level[level].width = 0;
        TRY(op,
            cache->reader->read(op, cache->reader->ctx, level, index, width,
                                cache->level[level].hashes),
            "tile %ju of level %u", (uintmax_t)index, level);
        cache->level[level].index = index;
        cache->level[level].width = width;
    }
    *ret = cache->level[level].hashes;
    return KW_OK;
}

/* Root of the perfect subtree over the 2^height leaves from `begin` on, a multiple of 2^height. */
static kw_status perfect_root(struct kw_op *op, struct tile_cache *cache, uint64_t begin,
                              unsigned height, struct tlog_hash *ret)
{
    unsigned level = height / TLOG_TILE_BITS;
    unsigned n = 1u << height % TLOG_TILE_BITS;
    uint64_t at = begin >> TLOG_TILE_BITS * level;
    const struct tlog_hash *tile = NULL;

    TRY(op, cache_read(op, cache, level, at / TLOG_TILE_WIDTH, &tile));
    *ret = tlog_hash_perfect(tile + at % TLOG_TILE_WIDTH, n);
    return KW_OK;
}

/*
 * MTH(D[begin:end]). RFC 6962 asks only for ranges whose begin is a multiple of the power of two
 * that covers them, so each binary digit of the length is one perfect subtree, the smallest
 * rightmost.
 */
static kw_status range_root(struct kw_op *op, struct tile_cache *cache, uint64_t begin,
                            uint64_t end, struct tlog_hash *ret)
{
    struct tlog_hash right = {{0}};
    bool has_right = false;

    for (uint64_t rest = end - begin; rest > 0; rest &= rest - 1) {
        unsigned height = (unsigned)__builtin_ctzll(rest);
        struct tlog_hash left;
        end -= UINT64_C(1) << height;
        TRY(op, perfect_root(op, cache, end, height, &left));
        right = has_right ? tlog_node_hash(&left, &right) : left;
        has_right = true;
    }
    *ret = right;
    return KW_OK;
}

/* The largest power of two below n; n is at least 2. */
static uint64_t split(uint64_t n)
{
    return UINT64_C(1) << (63 - __builtin_clzll(n - 1));
}

/* Loops find the proof from the root down; RFC 6962 writes it from the leaf up. */
static void reverse(struct tlog_hash *proof, unsigned n)
{
    for (unsigned i = 0; i < n / 2; i++) {
        struct tlog_hash kept = proof[i];
        proof[i] = proof[n - 1 - i];
        proof[n - 1 - i] = kept;
    }
}

kw_status tlog_inclusion(struct kw_op *op, const struct tlog_reader *reader, uint64_t size,
                         uint64_t index, struct tlog_hash *proof, unsigned *ret_n)
{
    struct tile_cache cache;
    uint64_t begin = 0;
    uint64_t end = size;
    unsigned n = 0;

    ENSURE(op, index < size, KW_E_INPUT, "entry %ju of a log of %ju", (uintmax_t)index,
           (uintmax_t)size);
    TRY(op, cache_init(op, &cache, reader, size));
    while (end - begin > 1) {
        uint64_t middle = begin + split(end - begin);
        bool is_left = index < middle;
        TRY(op,
            range_root(op, &cache, is_left ? middle : begin, is_left ? end : middle, &proof[n++]));
        begin = is_left ? begin : middle;
        end = is_left ? middle : end;
    }
    reverse(proof, n);
    *ret_n = n;
    return KW_OK;
}

/* SUBPROOF(m, D[n], true) for 0 < m < n. */
static kw_status subproof(struct kw_op *op, struct tile_cache *cache, uint64_t old_size,
                          uint64_t new_size, struct tlog_hash *proof, unsigned *ret_n)
{
    uint64_t begin = 0;
    uint64_t end = new_size;
    bool is_old_root = true; /* D[begin:end] is the old tree itself, known to the verifier */
    unsigned n = 0;

    while (end != old_size) {
        uint64_t middle = begin + split(end - begin);
        bool is_left = old_size <= middle;
        TRY(op,
            range_root(op, cache, is_left ? middle : begin, is_left ? end : middle, &proof[n++]));
        is_old_root = is_old_root && is_left;
        begin = is_left ? begin : middle;
        end = is_left ? middle : end;
    }
    if (!is_old_root) {
        TRY(op, range_root(op, cache, begin, end, &proof[n++]));
    }
    reverse(proof, n);
    *ret_n = n;
    return KW_OK;
}

kw_status tlog_consistency(struct kw_op *op, const struct tlog_reader *reader, uint64_t old_size,
                           uint64_t new_size, struct tlog_hash *proof, unsigned *ret_n)
{
    struct tile_cache cache;

    ENSURE(op, old_size <= new_size, KW_E_INPUT, "from a log of %ju to one of %ju",
           (uintmax_t)old_size, (uintmax_t)new_size);
    TRY(op, cache_init(op, &cache, reader, new_size));
    if (old_size == 0) {
        *ret_n = 0;
        return KW_OK;
    }
    return subproof(op, &cache, old_size, new_size, proof, ret_n);
}
