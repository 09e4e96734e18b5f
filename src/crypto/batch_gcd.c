#include "crypto/batch_gcd.h"

#include <stdlib.h>

#include "crypto/openssl.h"

KW_OWNED(BN_CTX, BN_CTX, BN_CTX_free)

enum {
    MODULUS_MAX = 1024, /* octets */
    BITS_MIN = 128,     /* a reciprocal is as long as its number, and must hold the guard bits */
    LEVELS_MAX = 18,
    GUARD_BITS = 64, /* each level loses at most one and a half of them */
    WORD_BITS = 64,
    SMALL_WORDS = 64,   /* below, splitting costs more than it saves */
    NEWTON_BITS = 4096, /* below, a plain division is as fast */
};

/* A level of the product tree: the products of pairs of the level below; an odd last one as is. */
struct level {
    unsigned n;
    BIGNUM **at;
};

struct tree {
    struct level levels[LEVELS_MAX];
    unsigned n_levels;
    struct level walk; /* numerators on the way up, fractions on the way down */
    BN_CTX *ctx;
    bool (*go_on)(void *ctx);
    void *go_on_ctx;
};

static void level_done(struct level *level)
{
    for (unsigned i = 0; level->at && i < level->n; i++) {
        BN_free(level->at[i]);
    }
    free(level->at);
    *level = (struct level){0};
}

static void tree_done(struct tree *tree)
{
    for (unsigned i = 0; i < LEVELS_MAX; i++) {
        level_done(&tree->levels[i]);
    }
    level_done(&tree->walk);
    BN_CTX_free(tree->ctx);
}
KW_OWNED(tree, struct tree, tree_done)

static kw_status level_init(struct kw_op *op, struct level *level, unsigned n)
{
    level->at = calloc(n, sizeof(BIGNUM *));
    ENSURE(op, level->at, KW_E_MEMORY, "no memory for %u moduli", n);
    level->n = n;
    for (unsigned i = 0; i < n; i++) {
        level->at[i] = BN_new();
        OSSL_ENSURE(op, level->at[i], KW_E_MEMORY, "room for moduli");
    }
    return KW_OK;
}

static kw_status may_go_on(struct kw_op *op, const struct tree *tree)
{
    ENSURE(op, !tree->go_on || tree->go_on(tree->go_on_ctx), KW_E_UNAVAILABLE,
           "the search for shared factors was ended");
    return KW_OK;
}

/* --- large products
 * -----------------------------------------------------------------------------
 * OpenSSL multiplies by Karatsuba's method only numbers of the same length; others octet by octet,
 * so to speak. So the longer one is cut into pieces, and what is shorter is filled up with one bit.
 */

static int words_of(const BIGNUM *a)
{
    return (BN_num_bits(a) + WORD_BITS - 1) / WORD_BITS;
}

/* r = a * b, b of exactly `words` words and a of no more: (a + 2^k) b - 2^k b. */
static bool multiply_filled(BIGNUM *r, const BIGNUM *a, const BIGNUM *b, int words, BN_CTX *ctx)
{
    bool fill = words - words_of(a) > 1;

    BN_CTX_start(ctx);
    BIGNUM *room = BN_CTX_get(ctx);
    bool fine = room != NULL;
    if (fine && fill) {
        int top = words * WORD_BITS - 1;
        fine = BN_copy(room, a) && BN_set_bit(room, top) && BN_mul(r, room, b, ctx) &&
               BN_lshift(room, b, top) && BN_sub(r, r, room);
    } else if (fine) {
        fine = BN_mul(r, a, b, ctx) == 1;
    }
    BN_CTX_end(ctx);
    return fine;
}

/* r is neither a nor b. */
static bool multiply(BIGNUM *r, const BIGNUM *a, const BIGNUM *b, BN_CTX *ctx)
{
    const BIGNUM *longer = words_of(a) < words_of(b) ? b : a;
    const BIGNUM *shorter = longer == a ? b : a;
    int step = words_of(shorter);

    if (step < SMALL_WORDS) {
        return BN_mul(r, a, b, ctx) == 1;
    }
    BN_CTX_start(ctx);
    BIGNUM *piece = BN_CTX_get(ctx), *part = BN_CTX_get(ctx);
    bool fine = part != NULL;
    BN_zero(r);
    for (int at = 0; fine && at < words_of(longer); at += step) {
        fine = BN_rshift(piece, longer, at * WORD_BITS) == 1;
        if (fine && words_of(piece) > step) {
            fine = BN_mask_bits(piece, step * WORD_BITS) == 1;
        }
        fine = fine && multiply_filled(part, piece, shorter, step, ctx) &&
               BN_lshift(part, part, at * WORD_BITS) && BN_add(r, r, part);
    }
    BN_CTX_end(ctx);
    return fine;
}

/* r = 2^(2b) / p, b the bits of p; off by a few units. Newton: each step doubles what is right. */
static bool reciprocal(BIGNUM *r, const BIGNUM *p, BN_CTX *ctx)
{
    int bits[40], n = 0;

    for (bits[0] = BN_num_bits(p); bits[n] > NEWTON_BITS; n++) {
        bits[n + 1] = bits[n] / 2 + 16;
    }
    BN_CTX_start(ctx);
    BIGNUM *head = BN_CTX_get(ctx), *square = BN_CTX_get(ctx), *wide = BN_CTX_get(ctx);
    bool fine = wide && BN_rshift(head, p, bits[0] - bits[n]);
    BN_zero(r);
    fine = fine && BN_set_bit(r, 2 * bits[n]) && BN_div(r, NULL, r, head, ctx);
    for (; fine && n > 0; n--) {
        int from = bits[n], to = bits[n - 1];
        /* r' = 2 r 2^(to-from) - (head r^2) / 2^(2 from), head: the first `to` bits of p */
        fine = BN_rshift(head, p, bits[0] - to) && BN_sqr(square, r, ctx) &&
               multiply(wide, head, square, ctx) && BN_rshift(wide, wide, 2 * from) &&
               BN_lshift(r, r, to - from + 1) && BN_sub(r, r, wide);
    }
    BN_CTX_end(ctx);
    return fine;
}

/* --- up --------------------------------------------------------------------------------------- */

static kw_status load(struct kw_op *op, const struct kw_span moduli[], unsigned n,
                      struct tree *tree)
{
    TRY(op, level_init(op, &tree->levels[0], n));
    TRY(op, level_init(op, &tree->walk, n));
    for (unsigned i = 0; i < n; i++) {
        BIGNUM *one = tree->levels[0].at[i];
        ENSURE(op, moduli[i].len > 0 && moduli[i].len <= MODULUS_MAX, KW_E_INPUT,
               "a modulus of %zu octets", moduli[i].len);
        OSSL_ENSURE(op, BN_bin2bn(moduli[i].p, (int)moduli[i].len, one), KW_E_MEMORY,
                    "reading a modulus");
        ENSURE(op, BN_is_odd(one) && BN_num_bits(one) >= BITS_MIN, KW_E_INPUT,
               "modulus %u is even, or has %d bits", i, BN_num_bits(one));
        OSSL_ENSURE(op, BN_one(tree->walk.at[i]), KW_E_MEMORY, "room for moduli");
    }
    tree->n_levels = 1;
    return KW_OK;
}

/* d = dl pr + dr pl. */
static bool join(struct tree *tree, const struct level *below, unsigned i, BIGNUM *ret_p,
                 BIGNUM *ret_d)
{
    BIGNUM **p = &below->at[(size_t)2 * i], **d = &tree->walk.at[(size_t)2 * i];

    if (2 * i + 1 == below->n) {
        return BN_copy(ret_p, p[0]) && BN_copy(ret_d, d[0]);
    }
    BN_CTX_start(tree->ctx);
    BIGNUM *left = BN_CTX_get(tree->ctx);
    bool fine = left && multiply(ret_p, p[0], p[1], tree->ctx) &&
                multiply(left, d[0], p[1], tree->ctx) && multiply(ret_d, d[1], p[0], tree->ctx) &&
                BN_add(ret_d, ret_d, left);
    BN_CTX_end(tree->ctx);
    return fine;
}

static kw_status climb(struct kw_op *op, struct tree *tree)
{
    const struct level *below = &tree->levels[tree->n_levels - 1];
    struct level *level = &tree->levels[tree->n_levels];
    struct level walk = {0};

    TRY(op, level_init(op, level, (below->n + 1) / 2));
    kw_status status = level_init(op, &walk, level->n);
    for (unsigned i = 0; kw_ok(status) && i < level->n; i++) {
        status = may_go_on(op, tree);
        if (kw_ok(status) && !join(tree, below, i, level->at[i], walk.at[i])) {
            status = crypto_fail(op, KW_E_MEMORY, __FILE__, __LINE__, "multiplying moduli");
        }
    }
    level_done(&tree->walk);
    tree->walk = walk;
    tree->n_levels++;
    return status;
}

/* --- down ------------------------------------------------------------------------------------- */

static int fraction_bits(const BIGNUM *product)
{
    return BN_num_bits(product) + GUARD_BITS;
}

/* D / P as a fraction of that many bits; below 1, as D / P = sum of 1 / n_i. */
static kw_status divide_root(struct kw_op *op, struct tree *tree)
{
    const BIGNUM *p = tree->levels[tree->n_levels - 1].at[0];
    BIGNUM *d = tree->walk.at[0];
    AUTO(BIGNUM) *inverse = BN_new();
    AUTO(BIGNUM) *quotient = BN_new();

    bool fine = inverse && quotient && reciprocal(inverse, p, tree->ctx) &&
                multiply(quotient, d, inverse, tree->ctx) &&
                BN_rshift(d, quotient, 2 * BN_num_bits(p) - fraction_bits(p));
    OSSL_ENSURE(op, fine, KW_E_MEMORY, "dividing by the product");
    return KW_OK;
}

/* The fraction of a child: its parent's times its sibling, without what is whole. */
static bool descend_one(struct tree *tree, const struct level *level, unsigned i,
                        const BIGNUM *parent, int parent_bits, BIGNUM *ret)
{
    int bits = fraction_bits(level->at[i]);

    if ((i ^ 1) >= level->n) {
        return BN_copy(ret, parent) != NULL;
    }
    BN_CTX_start(tree->ctx);
    BIGNUM *wide = BN_CTX_get(tree->ctx);
    bool fine = wide && multiply(wide, parent, level->at[i ^ 1], tree->ctx);
    if (fine && BN_num_bits(wide) > parent_bits) {
        fine = BN_mask_bits(wide, parent_bits) == 1;
    }
    fine = fine && BN_rshift(ret, wide, parent_bits - bits);
    BN_CTX_end(tree->ctx);
    return fine;
}

static kw_status descend(struct kw_op *op, struct tree *tree, unsigned to)
{
    const struct level *level = &tree->levels[to], *above = &tree->levels[to + 1];
    struct level walk = {0};
    kw_status status = level_init(op, &walk, level->n);

    for (unsigned i = 0; kw_ok(status) && i < level->n; i++) {
        status = may_go_on(op, tree);
        if (kw_ok(status) && !descend_one(tree, level, i, tree->walk.at[i / 2],
                                          fraction_bits(above->at[i / 2]), walk.at[i])) {
            status = crypto_fail(op, KW_E_MEMORY, __FILE__, __LINE__, "dividing moduli");
        }
    }
    level_done(&tree->walk);
    tree->walk = walk;
    return status;
}

/* Euclid's, by divisions: a third of BN_gcd()'s time, which hides its numbers. Leaves it in a. */
static bool common_divisor(BIGNUM *a, BIGNUM *b, BN_CTX *ctx)
{
    bool fine = true;

    while (fine && !BN_is_zero(b)) {
        fine = BN_mod(a, a, b, ctx) == 1;
        BN_swap(a, b);
    }
    return fine;
}

/* The fraction times the modulus, rounded, is D modulo it. */
static bool read_leaf(struct tree *tree, unsigned i, bool *ret)
{
    const BIGNUM *modulus = tree->levels[0].at[i];
    int bits = fraction_bits(modulus);

    BN_CTX_start(tree->ctx);
    BIGNUM *rest = BN_CTX_get(tree->ctx), *half = BN_CTX_get(tree->ctx);
    bool fine = half && BN_mul(rest, tree->walk.at[i], modulus, tree->ctx);
    if (fine) {
        BN_zero(half);
        fine = BN_set_bit(half, bits - 1) && BN_add(rest, rest, half) &&
               BN_rshift(rest, rest, bits) && BN_copy(half, modulus) &&
               common_divisor(half, rest, tree->ctx);
        *ret = fine && !BN_is_one(half);
    }
    BN_CTX_end(tree->ctx);
    return fine;
}

kw_status batch_gcd(struct kw_op *op, const struct kw_span moduli[], unsigned n,
                    bool (*go_on)(void *ctx), void *ctx, bool shared[])
{
    struct tree room = {.ctx = BN_CTX_new(), .go_on = go_on, .go_on_ctx = ctx};
    AUTO(tree) *tree = &room;

    OSSL_ENSURE(op, tree->ctx, KW_E_MEMORY, "room for moduli");
    ENSURE(op, n > 0 && n <= BATCH_GCD_MAX, KW_E_INPUT, "1 to %d moduli, not %u", BATCH_GCD_MAX, n);
    TRY(op, load(op, moduli, n, tree));
    while (tree->levels[tree->n_levels - 1].n > 1) {
        TRY(op, climb(op, tree));
    }
    ENSURE(op, tree->levels[tree->n_levels - 1].at && tree->walk.at, KW_E_INTERNAL,
           "a tree without a root");
    TRY(op, divide_root(op, tree));
    for (unsigned to = tree->n_levels - 1; to > 0; to--) {
        TRY(op, descend(op, tree, to - 1));
    }
    for (unsigned i = 0; i < n; i++) {
        TRY(op, may_go_on(op, tree));
        OSSL_ENSURE(op, read_leaf(tree, i, &shared[i]), KW_E_MEMORY, "comparing moduli");
    }
    return KW_OK;
}

kw_status moduli_share(struct kw_op *op, struct kw_span a, struct kw_span b, bool *ret)
{
    AUTO(BN_CTX) *ctx = BN_CTX_new();
    AUTO(BIGNUM) *one = BN_bin2bn(a.p, (int)a.len, NULL);
    AUTO(BIGNUM) *other = BN_bin2bn(b.p, (int)b.len, NULL);

    OSSL_ENSURE(op, ctx && one && other && common_divisor(one, other, ctx), KW_E_MEMORY,
                "comparing moduli");
    *ret = !BN_is_one(one);
    return KW_OK;
}
