/* The tree, its proofs and its tiles against RFC 6962's own recursion and against known vectors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hex.h"
#include "oracle.h"

enum { SMALL = 600, LARGE = 70001, LEVELS = 3 };

/*
 * All tiles of a log of LARGE entries. Level L's hash i is the root of leaves [i * 256^L, (i + 1) *
 * 256^L), made by the oracle; a partial tile is a prefix of the level.
 */
static struct tlog_hash leaves[LARGE];
static struct tlog_hash *levels[LEVELS];
static size_t n_at[LEVELS];

/* xorshift64*: the same "random" sizes on every run. */
static uint64_t rng_state = 88172645463325252u;

static uint64_t random_below(uint64_t n)
{
    rng_state ^= rng_state >> 12;
    rng_state ^= rng_state << 25;
    rng_state ^= rng_state >> 27;
    return (rng_state * 2685821657736338717u >> 17) % n;
}

static int make_log(void **state)
{
    (void)state;
    size_t span = 1;

    for (uint32_t i = 0; i < LARGE; i++) {
        leaves[i] = oracle_leaf(&i, sizeof(i));
    }
    for (unsigned level = 0; level < LEVELS; level++, span *= 256) {
        n_at[level] = LARGE / span;
        levels[level] = calloc(n_at[level] + 1, sizeof(struct tlog_hash));
        assert_non_null(levels[level]);
        for (size_t i = 0; i < n_at[level]; i++) {
            levels[level][i] = oracle_mth(leaves + i * span, span);
        }
    }
    return 0;
}

static int drop_log(void **state)
{
    (void)state;
    for (unsigned level = 0; level < LEVELS; level++) {
        free(levels[level]);
    }
    return 0;
}

/* What the reader below was asked for, since count_reads() was called. */
static unsigned n_reads;

static kw_status read_tile(struct kw_op *op, void *ctx, unsigned level, uint64_t index,
                           unsigned width, struct tlog_hash *ret)
{
    const uint64_t *size = ctx;

    ENSURE(op, level < LEVELS && width >= 1 && width <= 256, KW_E_NOT_FOUND, "no such tile");
    /* Only tiles of the tree that is asked about: exactly as wide as that tree makes them. */
    uint64_t n = (*size >> 8 * level) - index * 256;
    assert_int_equal(width, n < 256 ? n : 256);
    memcpy(ret, levels[level] + index * 256, width * sizeof(*ret));
    n_reads++;
    return KW_OK;
}

static struct tlog_reader reader_of(uint64_t *size)
{
    return (struct tlog_reader){.read = read_tile, .ctx = size};
}

static void assert_hash(const struct tlog_hash *a, const struct tlog_hash *b)
{
    assert_memory_equal(a->b, b->b, sizeof(a->b));
}

static void assert_hex(const struct tlog_hash *hash, const char *hex)
{
    char text[65];

    assert_string_equal(kw_hex(KW_SPAN_ARRAY(hash->b), text, sizeof(text)), hex);
}

/* Certificate Transparency's reference tree of eight entries (certificate-transparency,
 * merkle_tree_test). */
static const char *const ct_entries[8] = {
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
};
static const char *const ct_roots[9] = {
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
};
#define CT_96A "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
#define CT_5F0 "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
#define CT_6B4 "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"
#define CT_BC1 "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
#define CT_CA8 "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
#define CT_D37 "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"
#define CT_0EB "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"

static const struct {
    uint64_t index, size;
    unsigned n;
    const char *proof[3];
} ct_inclusions[] =
    {
        {0, 1, 0, {NULL}                                                                     },
        {0, 8, 3, {CT_96A, CT_5F0, CT_6B4}                                                   },
        {5, 8, 3, {CT_BC1, CT_CA8, CT_D37}                                                   },
        {1,
         5,    3,
         {"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d", CT_5F0, CT_BC1}},
},
  ct_consistencies[] = {
      {1, 1, 0, {NULL}},
      {1, 8, 3, {CT_96A, CT_5F0, CT_6B4}},
      {6, 8, 3, {CT_0EB, CT_CA8, CT_D37}},
      {2, 5, 2, {CT_5F0, CT_BC1}},
};

static kw_status no_tile(struct kw_op *op, void *ctx, unsigned level, uint64_t index,
                         const struct tlog_hash hashes[TLOG_TILE_WIDTH])
{
    (void)ctx;
    (void)hashes;
    return FAIL(op, KW_E_INTERNAL, "no tile is full here: %u/%ju", level, (uintmax_t)index);
}

/* The tiles of a small log are its edge. */
static kw_status read_edge(struct kw_op *op, void *ctx, unsigned level, uint64_t index,
                           unsigned width, struct tlog_hash *ret)
{
    const struct tlog_edge *edge = ctx;

    ENSURE(op, index == 0 && width <= edge->width[level], KW_E_NOT_FOUND, "no such tile");
    memcpy(ret, edge->tile[level], width * sizeof(*ret));
    return KW_OK;
}

static void test_vectors_of_certificate_transparency(void **state)
{
    (void)state;
    static struct tlog_edge edge;
    struct tlog_reader reader = {.read = read_edge, .ctx = &edge};
    struct tlog_hash proof[TLOG_PROOF_MAX];
    unsigned n = 99;

    tlog_edge_init(&edge);
    for (unsigned i = 0; i <= 8; i++) {
        struct tlog_hash root = tlog_edge_root(&edge);
        assert_hex(&root, ct_roots[i]);
        if (i < 8) {
            uint8_t octets[16];
            struct kw_out entry = KW_OUT_ARRAY(octets);
            assert_true(kw_ok(kw_unhex(ct_entries[i], &entry)));
            struct tlog_hash leaf = tlog_leaf_hash(kw_out_span(&entry));
            assert_true(kw_ok(tlog_edge_append(NULL, &edge, &leaf, no_tile, NULL)));
        }
    }
    for (size_t v = 0; v < KW_COUNT(ct_inclusions); v++) {
        assert_true(kw_ok(tlog_inclusion(NULL, &reader, ct_inclusions[v].size,
                                         ct_inclusions[v].index, proof, &n)));
        assert_int_equal(n, ct_inclusions[v].n);
        for (unsigned i = 0; i < n; i++) {
            assert_hex(&proof[i], ct_inclusions[v].proof[i]);
        }
    }
    for (size_t v = 0; v < KW_COUNT(ct_consistencies); v++) {
        assert_true(kw_ok(tlog_consistency(NULL, &reader, ct_consistencies[v].index,
                                           ct_consistencies[v].size, proof, &n)));
        assert_int_equal(n, ct_consistencies[v].n);
        for (unsigned i = 0; i < n; i++) {
            assert_hex(&proof[i], ct_consistencies[v].proof[i]);
        }
    }
}

/* Full tiles must come in order, complete, and each once. */
static uint64_t next_tile[LEVELS];

static kw_status take_tile(struct kw_op *op, void *ctx, unsigned level, uint64_t index,
                           const struct tlog_hash hashes[TLOG_TILE_WIDTH])
{
    (void)op;
    (void)ctx;
    assert_true(level < LEVELS);
    assert_int_equal(index, next_tile[level]++);
    assert_memory_equal(hashes, levels[level] + index * 256, 256 * sizeof(hashes[0]));
    return KW_OK;
}

static void test_growing_log(void **state)
{
    (void)state;
    static struct tlog_edge edge, loaded;

    memset(next_tile, 0, sizeof(next_tile));
    tlog_edge_init(&edge);
    for (uint64_t size = 0; size < LARGE; size++) {
        bool look = size <= SMALL || random_below(4000) == 0 || size == 65536 || size == 65793;
        if (look) {
            struct tlog_hash root = tlog_edge_root(&edge);
            struct tlog_hash expected = oracle_mth(leaves, size);
            assert_hash(&root, &expected);
            struct tlog_reader reader = reader_of(&size);
            assert_true(kw_ok(tlog_edge_load(NULL, &reader, size, &loaded)));
            assert_int_equal(loaded.size, edge.size);
            assert_memory_equal(loaded.width, edge.width, sizeof(edge.width));
            for (unsigned level = 0; level < TLOG_LEVELS_MAX; level++) {
                assert_memory_equal(loaded.tile[level], edge.tile[level],
                                    edge.width[level] * sizeof(struct tlog_hash));
            }
            assert_true(kw_ok(tlog_root(NULL, &reader, size, &root)));
            assert_hash(&root, &expected);
        }
        assert_true(kw_ok(tlog_edge_append(NULL, &edge, &leaves[size], take_tile, NULL)));
    }
    assert_int_equal(next_tile[0], LARGE / 256);
    assert_int_equal(next_tile[1], 1);
}

static void check_inclusion(uint64_t size, uint64_t index)
{
    struct tlog_hash proof[TLOG_PROOF_MAX], expected[TLOG_PROOF_MAX];
    struct tlog_reader reader = reader_of(&size);
    struct tlog_hash root = oracle_mth(leaves, size);
    unsigned n = 0;

    assert_true(kw_ok(tlog_inclusion(NULL, &reader, size, index, proof, &n)));
    assert_int_equal(n, oracle_path(index, leaves, size, expected));
    assert_memory_equal(proof, expected, n * sizeof(proof[0]));
    assert_true(kw_ok(tlog_inclusion_verify(&leaves[index], index, size, proof, n, &root)));
}

static void check_consistency(uint64_t old_size, uint64_t size)
{
    struct tlog_hash proof[TLOG_PROOF_MAX], expected[TLOG_PROOF_MAX];
    struct tlog_reader reader = reader_of(&size);
    struct tlog_hash old_root = oracle_mth(leaves, old_size);
    struct tlog_hash root = oracle_mth(leaves, size);
    unsigned n = 0;

    assert_true(kw_ok(tlog_consistency(NULL, &reader, old_size, size, proof, &n)));
    assert_int_equal(n, old_size == 0 ? 0 : oracle_proof(old_size, leaves, size, expected));
    assert_memory_equal(proof, expected, n * sizeof(proof[0]));
    assert_true(kw_ok(tlog_consistency_verify(old_size, &old_root, size, &root, proof, n)));
}

static void test_all_proofs_of_small_logs(void **state)
{
    (void)state;
    for (uint64_t size = 0; size <= 70; size++) {
        for (uint64_t i = 0; i <= size; i++) {
            if (i < size) {
                check_inclusion(size, i);
            }
            check_consistency(i, size);
        }
    }
}

static void test_sampled_proofs_of_larger_logs(void **state)
{
    (void)state;
    static const uint64_t corners[] = {255,   256,   257,   511,   512,  513,
                                       65535, 65536, 65537, 65792, LARGE};

    for (size_t c = 0; c < KW_COUNT(corners); c++) {
        check_inclusion(corners[c], corners[c] - 1);
        check_inclusion(corners[c], random_below(corners[c]));
        check_consistency(corners[c] - 1, corners[c]);
    }
    for (unsigned i = 0; i < 100; i++) {
        uint64_t size = 1 + random_below(i < 97 ? 3000 : LARGE);
        check_inclusion(size, random_below(size));
        check_consistency(random_below(size + 1), size);
    }
}

/* A proof of a log that fits into two levels of tiles costs at most two reads a level. */
static void test_proofs_read_few_tiles(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 40; i++) {
        uint64_t size = LARGE - random_below(3000);
        n_reads = 0;
        struct tlog_hash proof[TLOG_PROOF_MAX];
        struct tlog_reader reader = reader_of(&size);
        unsigned n = 0;
        assert_true(kw_ok(tlog_inclusion(NULL, &reader, size, random_below(size), proof, &n)));
        assert_true(n_reads <= 2 * LEVELS);
        n_reads = 0;
        assert_true(kw_ok(tlog_consistency(NULL, &reader, random_below(size), size, proof, &n)));
        assert_true(n_reads <= 2 * LEVELS);
    }
}

static void test_questions_out_of_range(void **state)
{
    (void)state;
    struct tlog_hash proof[TLOG_PROOF_MAX];
    static struct tlog_edge edge;
    uint64_t size = 100;
    struct tlog_reader reader = reader_of(&size);
    unsigned n = 0;

    assert_int_equal(tlog_inclusion(NULL, &reader, 100, 100, proof, &n).code, KW_E_INPUT);
    assert_int_equal(tlog_inclusion(NULL, &reader, 0, 0, proof, &n).code, KW_E_INPUT);
    assert_int_equal(tlog_inclusion(NULL, &reader, UINT64_MAX, 5, proof, &n).code, KW_E_INPUT);
    assert_int_equal(tlog_consistency(NULL, &reader, 101, 100, proof, &n).code, KW_E_INPUT);
    assert_int_equal(tlog_consistency(NULL, &reader, 1, UINT64_MAX, proof, &n).code, KW_E_INPUT);
    assert_int_equal(tlog_edge_load(NULL, &reader, UINT64_MAX, &edge).code, KW_E_INPUT);
    /* A tile that is away is the reader's word, handed on. */
    assert_int_equal(tlog_inclusion(NULL, &reader, UINT64_C(1) << 40, 5, proof, &n).code,
                     KW_E_NOT_FOUND);
}

static kw_status refuse_tile(struct kw_op *op, void *ctx, unsigned level, uint64_t index,
                             const struct tlog_hash hashes[TLOG_TILE_WIDTH])
{
    (void)ctx;
    (void)hashes;
    return FAIL(op, KW_E_FULL, "no room for %u/%ju", level, (uintmax_t)index);
}

static void test_append_that_cannot_store_is_undone_by_a_copy(void **state)
{
    (void)state;
    static struct tlog_edge edge, before;

    tlog_edge_init(&edge);
    memset(next_tile, 0, sizeof(next_tile));
    for (unsigned i = 0; i < 255; i++) {
        assert_true(kw_ok(tlog_edge_append(NULL, &edge, &leaves[i], refuse_tile, NULL)));
    }
    before = edge;
    assert_int_equal(tlog_edge_append(NULL, &edge, &leaves[255], refuse_tile, NULL).code,
                     KW_E_FULL);
    edge = before;
    assert_true(kw_ok(tlog_edge_append(NULL, &edge, &leaves[255], take_tile, NULL)));
    struct tlog_hash root = tlog_edge_root(&edge);
    struct tlog_hash expected = oracle_mth(leaves, 256);
    assert_hash(&root, &expected);
    edge.size = UINT64_C(1) << 60;
    assert_int_equal(tlog_edge_append(NULL, &edge, &leaves[0], take_tile, NULL).code, KW_E_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors_of_certificate_transparency),
        cmocka_unit_test(test_growing_log),
        cmocka_unit_test(test_all_proofs_of_small_logs),
        cmocka_unit_test(test_sampled_proofs_of_larger_logs),
        cmocka_unit_test(test_proofs_read_few_tiles),
        cmocka_unit_test(test_questions_out_of_range),
        cmocka_unit_test(test_append_that_cannot_store_is_undone_by_a_copy),
    };

    return cmocka_run_group_tests(tests, make_log, drop_log);
}
