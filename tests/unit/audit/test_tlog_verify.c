/* Proofs that do not hold are refused, whatever was done to them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "oracle.h"

enum { N = 40 };

static struct tlog_hash leaves[N];

static int make_leaves(void **state)
{
    (void)state;
    for (uint8_t i = 0; i < N; i++) {
        leaves[i] = oracle_leaf(&i, 1);
    }
    return 0;
}

static bool included(uint64_t leaf, uint64_t index, uint64_t size, const struct tlog_hash *proof,
                     unsigned n, struct tlog_hash root)
{
    return kw_ok(tlog_inclusion_verify(&leaves[leaf], index, size, proof, n, &root));
}

static bool consistent(uint64_t old_size, struct tlog_hash old_root, uint64_t size,
                       struct tlog_hash root, const struct tlog_hash *proof, unsigned n)
{
    return kw_ok(tlog_consistency_verify(old_size, &old_root, size, &root, proof, n));
}

static void spoil_inclusion(uint64_t index, uint64_t size)
{
    struct tlog_hash proof[TLOG_PROOF_MAX] = {0};
    struct tlog_hash root = oracle_mth(leaves, size);
    unsigned n = oracle_path(index, leaves, size, proof);

    assert_true(included(index, index, size, proof, n, root));
    for (unsigned i = 0; i < n; i++) {
        proof[i].b[i] ^= 1;
        assert_false(included(index, index, size, proof, n, root));
        proof[i].b[i] ^= 1;
    }
    for (unsigned other = 0; other < n; other++) {
        assert_false(included(index, index, size, proof, other, root)); /* cut */
    }
    proof[n] = root;
    assert_false(included(index, index, size, proof, n + 1, root)); /* longer */
    for (uint64_t other = 0; other < size; other++) {
        if (other != index) {
            assert_false(included(other, index, size, proof, n, root)); /* another entry */
            assert_false(included(index, other, size, proof, n, root)); /* another place */
        }
    }
    assert_false(included(index, size, size, proof, n, root));
    assert_false(included(index, index, 0, proof, n, root));
    root.b[31] ^= 0x80;
    assert_false(included(index, index, size, proof, n, root));
}

static void test_spoilt_inclusions(void **state)
{
    (void)state;
    for (uint64_t size = 1; size <= N; size++) {
        for (uint64_t index = 0; index < size; index++) {
            spoil_inclusion(index, size);
        }
    }
}

static void spoil_consistency(uint64_t old_size, uint64_t size)
{
    struct tlog_hash proof[TLOG_PROOF_MAX] = {0};
    struct tlog_hash old_root = oracle_mth(leaves, old_size);
    struct tlog_hash root = oracle_mth(leaves, size);
    struct tlog_hash wrong_old = old_root, wrong = root;
    unsigned n = oracle_proof(old_size, leaves, size, proof);

    assert_true(consistent(old_size, old_root, size, root, proof, n));
    wrong_old.b[0] ^= 1;
    wrong.b[31] ^= 1;
    assert_false(consistent(old_size, wrong_old, size, root, proof, n));
    assert_false(consistent(old_size, old_root, size, wrong, proof, n));
    for (unsigned i = 0; i < n; i++) {
        proof[i].b[i] ^= 1;
        assert_false(consistent(old_size, old_root, size, root, proof, n));
        proof[i].b[i] ^= 1;
        assert_false(consistent(old_size, old_root, size, root, proof, i)); /* cut */
    }
    proof[n] = root;
    assert_false(consistent(old_size, old_root, size, root, proof, n + 1));
    assert_false(size > old_size && consistent(size, old_root, old_size, root, proof, n));
}

static void test_spoilt_consistencies(void **state)
{
    (void)state;
    for (uint64_t size = 1; size <= N; size++) {
        for (uint64_t old_size = 1; old_size <= size; old_size++) {
            spoil_consistency(old_size, size);
        }
    }
}

/* A log that dropped an entry and went on cannot prove itself consistent. */
static void test_rewritten_history(void **state)
{
    (void)state;
    struct tlog_hash rewritten[N];
    struct tlog_hash proof[TLOG_PROOF_MAX];

    memcpy(rewritten, leaves, sizeof(leaves));
    memmove(rewritten + 3, rewritten + 4, (N - 4) * sizeof(rewritten[0]));
    for (uint64_t old_size = 4; old_size < N - 1; old_size++) {
        struct tlog_hash old_root = oracle_mth(leaves, old_size);
        struct tlog_hash root = oracle_mth(rewritten, N - 1);
        unsigned n = oracle_proof(old_size, rewritten, N - 1, proof);
        assert_false(consistent(old_size, old_root, N - 1, root, proof, n));
    }
}

static void test_from_the_empty_tree(void **state)
{
    (void)state;
    struct tlog_hash empty = oracle_mth(leaves, 0);
    struct tlog_hash root = oracle_mth(leaves, 7);

    assert_true(consistent(0, empty, 7, root, NULL, 0));
    assert_true(consistent(0, empty, 0, empty, NULL, 0));
    assert_false(consistent(0, root, 7, root, NULL, 0));
    assert_false(consistent(0, empty, 7, root, &root, 1));
    assert_false(consistent(0, empty, 0, root, NULL, 0));
    assert_false(consistent(3, oracle_mth(leaves, 3), 7, root, NULL, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spoilt_inclusions),
        cmocka_unit_test(test_spoilt_consistencies),
        cmocka_unit_test(test_rewritten_history),
        cmocka_unit_test(test_from_the_empty_tree),
    };

    return cmocka_run_group_tests(tests, make_leaves, NULL);
}
