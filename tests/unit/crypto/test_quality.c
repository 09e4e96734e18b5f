/* Keys that must not be certified: each flaw is found, and sound keys pass. */
#include "kit.h"

#include <stdlib.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/params.h>

#include "crypto/batch_gcd.h"
#include "crypto/openssl.h"
#include "crypto/rsa_quality.h"
#include "crypto/weak_key.h"

KW_OWNED(BN_CTX, BN_CTX, BN_CTX_free)

#define TEST_OP(op)                                                                                \
    struct kw_op op;                                                                               \
    kw_op_init(&op, "test", 0)

enum { OCTETS = 384, HALF_BITS = 1536 };

static void to_octets(const BIGNUM *n, uint8_t *octets, struct kw_span *ret)
{
    *ret = KW_SPAN(octets, (size_t)BN_bn2bin(n, octets));
}

static enum rsa_flaw examine(const BIGNUM *n, const BIGNUM *e)
{
    uint8_t n_octets[2 * OCTETS], e_octets[OCTETS];
    struct kw_span n_span, e_span;
    enum rsa_flaw flaw = RSA_FLAW_MAX;
    TEST_OP(op);

    to_octets(n, n_octets, &n_span);
    to_octets(e, e_octets, &e_span);
    assert_ok(&op, rsa_examine(&op, n_span, e_span, &flaw));
    return flaw;
}

static BIGNUM *prime(int bits)
{
    BIGNUM *p = BN_new();

    assert_int_equal(BN_generate_prime_ex(p, bits, 0, NULL, NULL, NULL), 1);
    return p;
}

static BIGNUM *times(const BIGNUM *a, const BIGNUM *b)
{
    AUTO(BN_CTX) *ctx = BN_CTX_new();
    BIGNUM *r = BN_new();

    assert_int_equal(BN_mul(r, a, b, ctx), 1);
    return r;
}

static BIGNUM *number(unsigned long value)
{
    BIGNUM *n = BN_new();

    assert_int_equal(BN_set_word(n, value), 1);
    return n;
}

static void sound_rsa_keys_pass(void **state)
{
    (void)state;
    AUTO(BIGNUM) *e = number(65537);
    for (unsigned i = 0; i < 3; i++) {
        AUTO(BIGNUM) *p = prime(HALF_BITS);
        AUTO(BIGNUM) *q = prime(HALF_BITS);
        AUTO(BIGNUM) *n = times(p, q);
        assert_int_equal(examine(n, e), RSA_SOUND);
    }
}

static void numbers_that_are_no_rsa_key(void **state)
{
    (void)state;
    static const unsigned long small[] = {3, 257, 65521};
    AUTO(BIGNUM) *e = number(65537);
    AUTO(BIGNUM) *three = number(3);
    AUTO(BIGNUM) *even = number(65538);
    AUTO(BIGNUM) *two = number(2);
    AUTO(BIGNUM) *p = prime(HALF_BITS);
    AUTO(BIGNUM) *q = prime(HALF_BITS);
    AUTO(BIGNUM) *n = times(p, q);

    assert_int_equal(examine(n, three), RSA_FLAW_EXPONENT_SMALL);
    assert_int_equal(examine(n, even), RSA_FLAW_EXPONENT_EVEN);
    assert_int_equal(examine(p, e), RSA_FLAW_SIZE);
    AUTO(BIGNUM) *doubled = times(n, two);
    assert_int_equal(examine(doubled, e), RSA_FLAW_EVEN);
    for (unsigned i = 0; i < KW_COUNT(small); i++) {
        AUTO(BIGNUM) *factor = number(small[i]);
        AUTO(BIGNUM) *bad = times(n, factor);
        assert_int_equal(examine(bad, e), RSA_FLAW_SMALL_FACTOR);
    }
    AUTO(BIGNUM) *square = times(p, p);
    assert_int_equal(examine(square, e), RSA_FLAW_SQUARE);
    AUTO(BIGNUM) *whole = prime(2048);
    assert_int_equal(examine(whole, e), RSA_FLAW_PRIME);
}

/* The next prime behind p + 2^bits. */
static BIGNUM *prime_near(const BIGNUM *p, int bits)
{
    AUTO(BN_CTX) *ctx = BN_CTX_new();
    BIGNUM *q = BN_dup(p), *step = BN_new();

    assert_int_equal(BN_set_bit(step, bits), 1);
    assert_int_equal(BN_add(q, q, step), 1);
    while (BN_check_prime(q, ctx, NULL) == 0) {
        assert_int_equal(BN_add_word(q, 2), 1);
    }
    BN_free(step);
    return q;
}

static void close_primes(void **state)
{
    (void)state;
    AUTO(BIGNUM) *e = number(65537);
    AUTO(BIGNUM) *p = prime(1024);
    AUTO(BIGNUM) *near = prime_near(p, 100);
    AUTO(BIGNUM) *half = prime_near(p, 512); /* as FIPS 186 forbids, just so found at once */
    AUTO(BIGNUM) *far = prime_near(p, 900);
    AUTO(BIGNUM) *n1 = times(p, near);
    AUTO(BIGNUM) *n2 = times(p, half);
    AUTO(BIGNUM) *n3 = times(p, far);

    assert_int_equal(examine(n1, e), RSA_FLAW_FERMAT);
    assert_int_equal(examine(n2, e), RSA_FLAW_FERMAT);
    assert_int_equal(examine(n3, e), RSA_SOUND);
}

/* k M + (65537^a mod M), as the library made them; M for 2048 bits is the product of the first 126
 * primes. */
static BIGNUM *roca_prime(unsigned n_primes, int bits)
{
    AUTO(BN_CTX) *ctx = BN_CTX_new();
    AUTO(BIGNUM) *m = number(1);
    AUTO(BIGNUM) *k = BN_new();
    AUTO(BIGNUM) *a = BN_new();
    AUTO(BIGNUM) *g = number(65537);
    BIGNUM *p = BN_new();

    for (unsigned i = 0, candidate = 2; i < n_primes; candidate++) {
        bool is_prime = true;
        for (unsigned d = 2; d * d <= candidate; d++) {
            is_prime = is_prime && candidate % d != 0;
        }
        if (is_prime) {
            assert_int_equal(BN_mul_word(m, candidate), 1);
            i++;
        }
    }
    do {
        assert_int_equal(BN_rand(k, bits - BN_num_bits(m), BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY), 1);
        assert_int_equal(BN_rand(a, 64, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY), 1);
        assert_int_equal(BN_mod_exp(p, g, a, m, ctx), 1);
        assert_int_equal(BN_mul(k, k, m, ctx), 1);
        assert_int_equal(BN_add(p, p, k), 1);
    } while (BN_check_prime(p, ctx, NULL) == 0);
    return p;
}

static void roca(void **state)
{
    (void)state;
    static const struct {
        unsigned n_primes;
        int bits;
    } sizes[] = {
        {126, 1040},
        {126, 1552},
    };
    AUTO(BIGNUM) *e = number(65537);

    for (unsigned i = 0; i < KW_COUNT(sizes); i++) {
        AUTO(BIGNUM) *p = roca_prime(sizes[i].n_primes, sizes[i].bits);
        AUTO(BIGNUM) *q = roca_prime(sizes[i].n_primes, sizes[i].bits);
        AUTO(BIGNUM) *sound = prime(sizes[i].bits);
        AUTO(BIGNUM) *n = times(p, q);
        AUTO(BIGNUM) *half = times(p, sound);
        assert_int_equal(examine(n, e), RSA_FLAW_ROCA);
        assert_int_equal(examine(half, e), RSA_SOUND);
    }
    /* Many numbers that are no such product: none is taken for one. */
    for (unsigned i = 0; i < 2000; i++) {
        AUTO(BIGNUM) *n = BN_new();
        assert_int_equal(BN_rand(n, 2048, BN_RAND_TOP_TWO, BN_RAND_BOTTOM_ODD), 1);
        assert_false(rsa_has_roca_form(n));
    }
}

/* Each residue is a power of 65537, but no exponent fits modulo 3 and modulo 5: looking at primes
 * one by one would take it for ROCA. */
static void roca_needs_one_exponent(void **state)
{
    (void)state;
    static const unsigned primes[] = {
        2,  3,  7,  11, 13, 17,  19,  23,  29,  31,  37,  41,  43,  47,  53,  59,  61,  67,  71,
        73, 79, 83, 89, 97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167};
    AUTO(BIGNUM) *step = number(1);
    AUTO(BIGNUM) *n = number(1);

    for (unsigned i = 0; i < KW_COUNT(primes); i++) {
        assert_int_equal(BN_mul_word(step, primes[i]), 1);
    }
    assert_true(rsa_has_roca_form(n)); /* 1 = 65537^0 everywhere */
    while (BN_mod_word(n, 5) != 2) {   /* 65537^1 modulo 5, 65537^0 modulo 3 */
        assert_int_equal(BN_add(n, n, step), 1);
    }
    assert_int_equal(BN_mod_word(n, 3), 1);
    assert_false(rsa_has_roca_form(n));
}

/* --- shared factors
 * ----------------------------------------------------------------------------- */

struct moduli {
    unsigned n;
    uint8_t octets[64][2 * OCTETS];
    struct kw_span at[64];
};

static void put(struct moduli *moduli, const BIGNUM *p, const BIGNUM *q)
{
    AUTO(BIGNUM) *n = times(p, q);

    to_octets(n, moduli->octets[moduli->n], &moduli->at[moduli->n]);
    moduli->n++;
}

static void shared_factors_are_found(void **state)
{
    (void)state;
    static struct moduli moduli;
    bool shared[64];
    TEST_OP(op);

    for (unsigned n = 1; n <= 40; n = n < 9 ? n + 1 : n + 7) { /* trees of all shapes */
        AUTO(BIGNUM) *common = prime(300);
        moduli.n = 0;
        for (unsigned i = 0; i < n; i++) {
            bool has = n > 3 && (i == 1 || i == n - 1);
            AUTO(BIGNUM) *p = prime(i % 3 ? 300 : 260); /* lengths differ */
            AUTO(BIGNUM) *q = prime(i % 3 ? 300 : 310);
            put(&moduli, has ? common : p, q);
        }
        memset(shared, 0xff, sizeof(shared));
        assert_ok(&op, batch_gcd(&op, moduli.at, n, NULL, NULL, shared));
        for (unsigned i = 0; i < n; i++) {
            assert_int_equal(shared[i], n > 3 && (i == 1 || i == n - 1));
        }
    }
}

/* Against the definition: each pair by itself. */
static void as_each_pair_by_itself(void **state)
{
    (void)state;
    static struct moduli moduli;
    bool shared[64], want[64] = {false}, pair = false;
    BIGNUM *primes[40];
    TEST_OP(op);

    for (unsigned i = 0; i < KW_COUNT(primes); i++) {
        primes[i] = prime(512 + (int)(i % 5) * 40);
    }
    moduli.n = 0;
    for (unsigned i = 0; i < 24; i++) { /* some chains, a triangle, a double, many alone */
        static const uint8_t a[] = {0, 1, 2, 0, 7, 7};
        static const uint8_t b[] = {1, 2, 3, 2, 8, 8};
        put(&moduli, primes[i < 6 ? a[i] : i + 3], primes[i < 6 ? b[i] : (i + 10) % 40]);
    }
    for (unsigned i = 0; i < moduli.n; i++) {
        for (unsigned k = 0; k < moduli.n; k++) {
            assert_ok(&op, moduli_share(&op, moduli.at[i], moduli.at[k], &pair));
            want[i] = want[i] || (pair && i != k);
        }
    }
    assert_ok(&op, batch_gcd(&op, moduli.at, moduli.n, NULL, NULL, shared));
    assert_memory_equal(shared, want, moduli.n * sizeof(bool));
    for (unsigned i = 0; i < KW_COUNT(primes); i++) {
        BN_free(primes[i]);
    }
}

/* Long enough that products go through all ways of multiplying. */
static void many_moduli(void **state)
{
    (void)state;
    enum { N = 600, LEN = 256 };
    static uint8_t octets[N][LEN];
    static struct kw_span at[N];
    static bool shared[N];
    TEST_OP(op);

    AUTO(BIGNUM) *common = prime(1024);
    for (unsigned i = 0; i < N; i++) {
        AUTO(BIGNUM) *p = BN_new();
        assert_int_equal(BN_rand(p, 2048, BN_RAND_TOP_TWO, BN_RAND_BOTTOM_ODD), 1);
        to_octets(p, octets[i], &at[i]);
    }
    AUTO(BIGNUM) *q1 = prime(1024);
    AUTO(BIGNUM) *q2 = prime(1024);
    AUTO(BIGNUM) *n1 = times(common, q1);
    AUTO(BIGNUM) *n2 = times(common, q2);
    to_octets(n1, octets[17], &at[17]);
    to_octets(n2, octets[577], &at[577]);
    assert_ok(&op, batch_gcd(&op, at, N, NULL, NULL, shared));
    assert_true(shared[17] && shared[577]);
    bool pair = false;
    for (unsigned i = 0; i < N; i += 97) { /* random numbers share small factors often */
        bool want = false;
        for (unsigned k = 0; k < N; k++) {
            assert_ok(&op, moduli_share(&op, at[i], at[k], &pair));
            want = want || (pair && i != k);
        }
        assert_int_equal(shared[i], want);
    }
}

static bool never(void *ctx)
{
    (void)ctx;
    return false;
}

static void bad_moduli(void **state)
{
    (void)state;
    static const uint8_t even[16] = {9, [15] = 2}, small[15] = {9, [14] = 1}, large[1025] = {1};
    static const uint8_t good[16] = {0x80, [15] = 15};
    struct kw_span at[2] = {KW_SPAN_ARRAY(good), KW_SPAN_ARRAY(even)};
    bool shared[2];
    TEST_OP(op);

    assert_code(batch_gcd(&op, at, 0, NULL, NULL, shared), KW_E_INPUT);
    assert_code(batch_gcd(&op, at, 2, NULL, NULL, shared), KW_E_INPUT);
    at[1] = KW_SPAN_ARRAY(small);
    assert_code(batch_gcd(&op, at, 2, NULL, NULL, shared), KW_E_INPUT);
    at[1] = KW_SPAN_ARRAY(large);
    assert_code(batch_gcd(&op, at, 2, NULL, NULL, shared), KW_E_INPUT);
    at[1] = KW_SPAN(NULL, 0);
    assert_code(batch_gcd(&op, at, 2, NULL, NULL, shared), KW_E_INPUT);
    at[1] = at[0];
    assert_code(batch_gcd(&op, at, 2, never, NULL, shared), KW_E_UNAVAILABLE);
    assert_ok(&op, batch_gcd(&op, at, 2, NULL, NULL, shared));
    assert_true(shared[0] && shared[1]); /* the same twice */
}

/* --- keys without randomness
 * -------------------------------------------------------------------- */

static struct pubkey *ec_key(int nid, unsigned long d, bool negative)
{
    EC_GROUP *group = EC_GROUP_new_by_curve_name(nid);
    EC_POINT *point = EC_POINT_new(group);
    AUTO(BIGNUM) *scalar = number(d);
    uint8_t octets[97];
    struct pubkey *key = NULL;
    TEST_OP(op);

    assert_int_equal(EC_POINT_mul(group, point, scalar, NULL, NULL, NULL), 1);
    if (negative) {
        assert_int_equal(EC_POINT_invert(group, point, NULL), 1);
    }
    size_t n = EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, octets,
                                  sizeof(octets), NULL);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME,
                                         (char *)(uintptr_t)OBJ_nid2sn(nid), 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, octets, n),
        OSSL_PARAM_construct_end(),
    };
    AUTO(EVP_PKEY_CTX) *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    EVP_PKEY *made = NULL;
    assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
    assert_int_equal(EVP_PKEY_fromdata(ctx, &made, EVP_PKEY_PUBLIC_KEY, params), 1);
    AUTO(EVP_PKEY) *evp = made;
    assert_ok(&op, pubkey_from_evp(&op, evp, &key));
    EC_POINT_free(point);
    EC_GROUP_free(group);
    return key;
}

static void small_private_keys(void **state)
{
    (void)state;
    static const unsigned long found[] = {1, 2, 3, 500, WEAK_MULTIPLES};
    static const int curves[] = {NID_X9_62_prime256v1, NID_secp384r1};
    const char *what = NULL;
    TEST_OP(op);

    for (unsigned c = 0; c < KW_COUNT(curves); c++) {
        for (unsigned i = 0; i < 2 * KW_COUNT(found); i++) {
            AUTO(pubkey) *key = ec_key(curves[c], found[i / 2], /* negative= */ i % 2);
            assert_ok(&op, weak_key_examine(&op, key, &what));
            assert_non_null(what);
        }
        AUTO(pubkey) *key = ec_key(curves[c], WEAK_MULTIPLES + 1, /* negative= */ false);
        assert_ok(&op, weak_key_examine(&op, key, &what));
        assert_null(what);
    }
}

static struct pubkey *ed25519(const uint8_t raw[32])
{
    AUTO(EVP_PKEY) *evp = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, raw, 32);
    struct pubkey *key = NULL;
    TEST_OP(op);

    assert_ok(&op, pubkey_from_evp(&op, evp, &key));
    return key;
}

static void ed25519_without_randomness(void **state)
{
    (void)state;
    /* Ed25519 of 32 zero octets, as RFC 8032's algorithm gives it. */
    static const uint8_t of_zero[] = {0x3b, 0x6a, 0x27, 0xbc, 0xce, 0xb6, 0xa4, 0x2d,
                                      0x62, 0xa3, 0xa8, 0xd0, 0x2a, 0x6f, 0x0d, 0x73,
                                      0x65, 0x32, 0x15, 0x77, 0x1d, 0xe2, 0x43, 0xa6,
                                      0x3a, 0xc0, 0x48, 0xa1, 0x8b, 0x59, 0xda, 0x29};
    static const uint8_t identity[32] = {1}, negative_zero[32] = {[31] = 0x80};
    static const uint8_t *const weak[] = {of_zero, identity, negative_zero};
    const char *what = NULL;
    TEST_OP(op);

    for (unsigned i = 0; i < KW_COUNT(weak); i++) {
        AUTO(pubkey) *key = ed25519(weak[i]);
        assert_ok(&op, weak_key_examine(&op, key, &what));
        assert_non_null(what);
    }
    AUTO(privkey) *made = NULL;
    assert_ok(&op, privkey_generate(&op, KEY_ALG_ED25519, &made));
    assert_ok(&op, weak_key_examine(&op, privkey_public(made), &what));
    assert_null(what);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sound_rsa_keys_pass),
        cmocka_unit_test(numbers_that_are_no_rsa_key),
        cmocka_unit_test(close_primes),
        cmocka_unit_test(roca),
        cmocka_unit_test(roca_needs_one_exponent),
        cmocka_unit_test(shared_factors_are_found),
        cmocka_unit_test(as_each_pair_by_itself),
        cmocka_unit_test(many_moduli),
        cmocka_unit_test(bad_moduli),
        cmocka_unit_test(small_private_keys),
        cmocka_unit_test(ed25519_without_randomness),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
