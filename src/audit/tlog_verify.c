/* Checking proofs with nothing but hashes: RFC 9162 sections 2.1.3.2 and 2.1.4.2 (the trees are
 * those of RFC 6962). */
#include "audit/tlog.h"
#include "audit/tlog_internal.h"

static bool is_power_of_two(uint64_t n)
{
    return (n & (n - 1)) == 0;
}

static kw_status refuse_unless(bool holds)
{
    return holds ? KW_OK : KW_FAIL(KW_E_INTEGRITY);
}

kw_status tlog_inclusion_verify(const struct tlog_hash *leaf, uint64_t index, uint64_t size,
                                const struct tlog_hash *proof, unsigned n,
                                const struct tlog_hash *root)
{
    struct tlog_hash r = *leaf;
    uint64_t fn = index;
    uint64_t sn = size - 1;

    if (index >= size) {
        return KW_FAIL(KW_E_INTEGRITY);
    }
    for (unsigned i = 0; i < n; i++) {
        if (sn == 0) {
            return KW_FAIL(KW_E_INTEGRITY); /* longer than the path */
        }
        bool is_right = (fn & 1) == 1 || fn == sn;
        r = is_right ? tlog_node_hash(&proof[i], &r) : tlog_node_hash(&r, &proof[i]);
        /* A right-most node without a sibling is its own parent. */
        while (is_right && (fn & 1) == 0 && fn != 0) {
            fn >>= 1;
            sn >>= 1;
        }
        fn >>= 1;
        sn >>= 1;
    }
    return refuse_unless(sn == 0 && tlog_hash_equal(&r, root));
}

/* RFC 9162 section 2.1.4.2 steps 3 to 7, for 0 < old < new. */
static kw_status consistency_walk(uint64_t old_size, const struct tlog_hash *old_root,
                                  uint64_t new_size, const struct tlog_hash *new_root,
                                  const struct tlog_hash *first, const struct tlog_hash *proof,
                                  unsigned n)
{
    struct tlog_hash fr = *first;
    struct tlog_hash sr = *first;
    unsigned shift = (unsigned)__builtin_ctzll(old_size); /* trailing ones of old - 1 */
    uint64_t fn = (old_size - 1) >> shift;
    uint64_t sn = (new_size - 1) >> shift;

    for (unsigned i = 0; i < n; i++) {
        if (sn == 0) {
            return KW_FAIL(KW_E_INTEGRITY);
        }
        bool is_right = (fn & 1) == 1 || fn == sn;
        if (is_right) {
            fr = tlog_node_hash(&proof[i], &fr);
            sr = tlog_node_hash(&proof[i], &sr);
        } else {
            sr = tlog_node_hash(&sr, &proof[i]);
        }
        while (is_right && (fn & 1) == 0 && fn != 0) {
            fn >>= 1;
            sn >>= 1;
        }
        fn >>= 1;
        sn >>= 1;
    }
    return refuse_unless(sn == 0 && tlog_hash_equal(&fr, old_root) &&
                         tlog_hash_equal(&sr, new_root));
}

kw_status tlog_consistency_verify(uint64_t old_size, const struct tlog_hash *old_root,
                                  uint64_t new_size, const struct tlog_hash *new_root,
                                  const struct tlog_hash *proof, unsigned n)
{
    if (old_size > new_size) {
        return KW_FAIL(KW_E_INTEGRITY);
    }
    if (old_size == new_size) {
        return refuse_unless(n == 0 && tlog_hash_equal(old_root, new_root));
    }
    if (old_size == 0) {
        struct tlog_hash empty = tlog_hash_empty();
        return refuse_unless(n == 0 && tlog_hash_equal(old_root, &empty));
    }
    if (n == 0) {
        return KW_FAIL(KW_E_INTEGRITY);
    }
    if (is_power_of_two(old_size)) {
        /* The old tree is one perfect subtree: its root is not in the proof. */
        return consistency_walk(old_size, old_root, new_size, new_root, old_root, proof, n);
    }
    return consistency_walk(old_size, old_root, new_size, new_root, &proof[0], proof + 1, n - 1);
}
