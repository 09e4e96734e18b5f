#include "crypto/rsa_quality.h"

#include <openssl/core_names.h>
#include <stdlib.h>

#include "crypto/openssl.h"

KW_OWNED(BN_CTX, BN_CTX, BN_CTX_free)

enum {
    BITS_MIN = 2048,
    E_MIN = 65537,
    SIEVE_MAX = 65536,
    FERMAT_ROUNDS = 100, /* p and q that share their upper half are found in the first ones */
    ROCA_PRIMES = 39,
    ROCA_GENERATOR = 65537,
};

/* clang-format off */
static const struct {
    const char *text, *meaning;
} flaws[] = {
    [RSA_SOUND] = {"sound",
        "no flaw was found"},
    [RSA_FLAW_SIZE] = {"size",
        "the RSA modulus is shorter than 2048 bits"},
    [RSA_FLAW_EXPONENT_EVEN] = {"even-exponent",
        "the RSA exponent is even"},
    [RSA_FLAW_EXPONENT_SMALL] = {"small-exponent",
        "the RSA exponent is below 65537"},
    [RSA_FLAW_EVEN] = {"even-modulus",
        "the RSA modulus is even"},
    [RSA_FLAW_SMALL_FACTOR] = {"small-factor",
        "the RSA modulus has a prime factor below 65536"},
    [RSA_FLAW_PRIME] = {"prime",
        "the RSA modulus is a prime number"},
    [RSA_FLAW_SQUARE] = {"square",
        "the RSA modulus is a square"},
    [RSA_FLAW_FERMAT] = {"fermat",
        "the RSA primes are so close together that Fermat's method finds them"},
    [RSA_FLAW_ROCA] = {"roca",
        "the RSA primes have the form of CVE-2017-15361 (ROCA)"},
};
/* clang-format on */
_Static_assert(KW_COUNT(flaws) == RSA_FLAW_MAX, "every flaw has a row");

const char *rsa_flaw_text(enum rsa_flaw flaw)
{
    return (unsigned)flaw < RSA_FLAW_MAX ? flaws[flaw].text : "unknown";
}

const char *rsa_flaw_meaning(enum rsa_flaw flaw)
{
    return (unsigned)flaw < RSA_FLAW_MAX ? flaws[flaw].meaning : "unknown";
}

/* What one examination works with. */
struct examination {
    BN_CTX *ctx;
    BIGNUM *n, *e;
};

/* --- small factors
 * ------------------------------------------------------------------------------ */

/* Odd primes below SIEVE_MAX, as products that fit a word: one division of n for four of them. */
static struct {
    unsigned n_primes, n_words;
    uint16_t primes[6542];
    struct {
        uint64_t product;
        uint16_t first, n;
    } words[2200];
} sieve;
static CRYPTO_ONCE sieve_once = CRYPTO_ONCE_STATIC_INIT;

static void find_primes(void)
{
    static uint8_t composite[SIEVE_MAX];

    for (uint32_t p = 3; p < SIEVE_MAX; p += 2) {
        if (composite[p]) {
            continue;
        }
        sieve.primes[sieve.n_primes++] = (uint16_t)p;
        for (uint64_t q = (uint64_t)p * p; q < SIEVE_MAX; q += p) {
            composite[q] = 1;
        }
    }
}

static void make_sieve(void)
{
    find_primes();
    for (unsigned i = 0; i < sieve.n_primes;) {
        uint64_t product = 1;
        unsigned first = i;
        while (i < sieve.n_primes && product <= UINT64_MAX / sieve.primes[i]) {
            product *= sieve.primes[i++];
        }
        sieve.words[sieve.n_words].product = product;
        sieve.words[sieve.n_words].first = (uint16_t)first;
        sieve.words[sieve.n_words++].n = (uint16_t)(i - first);
    }
}

static kw_status has_small_factor(struct kw_op *op, const struct examination *it, bool *ret)
{
    OSSL_ENSURE(op, CRYPTO_THREAD_run_once(&sieve_once, make_sieve) == 1, KW_E_INTERNAL,
                "small primes");
    *ret = false;
    for (unsigned w = 0; w < sieve.n_words && !*ret; w++) {
        uint64_t rest = BN_mod_word(it->n, sieve.words[w].product);
        for (unsigned i = 0; i < sieve.words[w].n; i++) {
            *ret = *ret || rest % sieve.primes[sieve.words[w].first + i] == 0;
        }
    }
    return KW_OK;
}

static kw_status is_even(struct kw_op *op, const struct examination *it, bool *ret)
{
    (void)op;
    *ret = !BN_is_odd(it->n);
    return KW_OK;
}

static kw_status is_short(struct kw_op *op, const struct examination *it, bool *ret)
{
    (void)op;
    *ret = BN_num_bits(it->n) < BITS_MIN;
    return KW_OK;
}

static kw_status has_even_exponent(struct kw_op *op, const struct examination *it, bool *ret)
{
    (void)op;
    *ret = !BN_is_odd(it->e);
    return KW_OK;
}

static kw_status has_small_exponent(struct kw_op *op, const struct examination *it, bool *ret)
{
    (void)op;
    *ret = BN_num_bits(it->e) <= 17 && BN_get_word(it->e) < E_MIN;
    return KW_OK;
}

static kw_status is_prime(struct kw_op *op, const struct examination *it, bool *ret)
{
    int verdict = BN_check_prime(it->n, it->ctx, NULL);

    OSSL_ENSURE(op, verdict >= 0, KW_E_MEMORY, "testing an RSA modulus");
    *ret = verdict == 1;
    return KW_OK;
}

/* --- close primes
 * ------------------------------------------------------------------------------- */

/* The largest root with root^2 <= n; Newton's method from above. next, rest: room. */
static bool square_root(const BIGNUM *n, BIGNUM *root, BIGNUM *next, BN_CTX *ctx)
{
    BN_zero(next);
    if (!BN_set_bit(next, (BN_num_bits(n) + 1) / 2)) {
        return false;
    }
    do {
        if (!BN_copy(root, next) || !BN_div(next, NULL, n, root, ctx) ||
            !BN_add(next, next, root) || !BN_rshift1(next, next)) {
            return false;
        }
    } while (BN_cmp(next, root) < 0);
    return true;
}

struct fermat {
    BIGNUM *a, *rest, *root, *square;
};

/* Is `rest` a square? Squares leave few remainders modulo 64 and 63·65·11. */
static bool may_be_square(const BIGNUM *rest)
{
    static const uint64_t mod64 = UINT64_C(0x0202021202030213);
    BN_ULONG low = BN_mod_word(rest, 64);

    return (mod64 >> low & 1) != 0;
}

static bool is_square(const BIGNUM *rest, const struct fermat *room, BN_CTX *ctx, bool *ret)
{
    *ret = false;
    if (!may_be_square(rest)) {
        return true;
    }
    if (BN_is_zero(rest)) {
        *ret = true;
        return true;
    }
    if (!square_root(rest, room->root, room->square, ctx) ||
        !BN_sqr(room->square, room->root, ctx)) {
        return false;
    }
    *ret = BN_cmp(room->square, rest) == 0;
    return true;
}

/* a^2 - n a square for one of the first a above the root of n: then n = (a-b)(a+b). */
static bool fermat_finds(const struct examination *it, const struct fermat *room, bool *ret)
{
    bool fine = square_root(it->n, room->a, room->square, it->ctx);

    *ret = false;
    for (unsigned i = 0; fine && !*ret && i < FERMAT_ROUNDS; i++) {
        fine = BN_add_word(room->a, 1) && BN_sqr(room->rest, room->a, it->ctx) &&
               BN_sub(room->rest, room->rest, it->n) && is_square(room->rest, room, it->ctx, ret);
    }
    return fine;
}

static bool take_room(BN_CTX *ctx, struct fermat *ret)
{
    BN_CTX_start(ctx);
    ret->a = BN_CTX_get(ctx);
    ret->rest = BN_CTX_get(ctx);
    ret->root = BN_CTX_get(ctx);
    ret->square = BN_CTX_get(ctx);
    return ret->square != NULL;
}

static kw_status is_a_square(struct kw_op *op, const struct examination *it, bool *ret)
{
    struct fermat room;

    bool fine = take_room(it->ctx, &room) && is_square(it->n, &room, it->ctx, ret);
    BN_CTX_end(it->ctx);
    OSSL_ENSURE(op, fine, KW_E_MEMORY, "testing an RSA modulus");
    return KW_OK;
}

static kw_status has_close_primes(struct kw_op *op, const struct examination *it, bool *ret)
{
    struct fermat room;

    bool fine = take_room(it->ctx, &room) && fermat_finds(it, &room, ret);
    BN_CTX_end(it->ctx);
    OSSL_ENSURE(op, fine, KW_E_MEMORY, "testing an RSA modulus");
    return KW_OK;
}

/* --- ROCA
 * ---------------------------------------------------------------------------------------
 * Nemec, Sys, Svenda, Klinec, Matyas: The Return of Coppersmith's Attack, CCS 2017. Such primes are
 * k·M + (65537^a mod M) with M the product of the first primes, so n is a power of 65537 modulo
 * each of these; with the exponents that belong to one a, by their common divisors.
 */
static const uint8_t roca_primes[ROCA_PRIMES] = {
    2,  3,  5,  7,  11, 13,  17,  19,  23,  29,  31,  37,  41,  43,  47,  53,  59,  61,  67,  71,
    73, 79, 83, 89, 97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
};

/* The exponent of 65537 that gives `value` modulo p, and the order of 65537. False: none does. */
static bool small_log(unsigned value, unsigned p, unsigned *ret_log, unsigned *ret_order)
{
    unsigned power = 1, order = 0;
    bool found = false;

    do {
        if (power == value) {
            *ret_log = order;
            found = true;
        }
        power = power * (ROCA_GENERATOR % p) % p;
        order++;
    } while (power != 1 % p);
    *ret_order = order;
    return found;
}

static unsigned common_divisor(unsigned a, unsigned b)
{
    while (b != 0) {
        unsigned rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

bool rsa_has_roca_form(const void *bignum)
{
    unsigned logs[ROCA_PRIMES] = {0}, orders[ROCA_PRIMES] = {0};

    for (unsigned i = 0; i < ROCA_PRIMES; i++) {
        unsigned p = roca_primes[i];
        if (!small_log((unsigned)BN_mod_word(bignum, p), p, &logs[i], &orders[i])) {
            return false;
        }
        for (unsigned k = 0; k < i; k++) {
            unsigned shared = common_divisor(orders[i], orders[k]);
            if (logs[i] % shared != logs[k] % shared) {
                return false;
            }
        }
    }
    return true;
}

static kw_status has_roca(struct kw_op *op, const struct examination *it, bool *ret)
{
    (void)op;
    *ret = rsa_has_roca_form(it->n);
    return KW_OK;
}

/* --- all of them ------------------------------------------------------------------------------ */

static const struct {
    enum rsa_flaw flaw;
    kw_status (*test)(struct kw_op *op, const struct examination *it, bool *ret);
} tests[] = {
    {RSA_FLAW_SIZE,           is_short          },
    {RSA_FLAW_EXPONENT_EVEN,  has_even_exponent },
    {RSA_FLAW_EXPONENT_SMALL, has_small_exponent},
    {RSA_FLAW_EVEN,           is_even           },
    {RSA_FLAW_SMALL_FACTOR,   has_small_factor  },
    {RSA_FLAW_ROCA,           has_roca          },
    {RSA_FLAW_SQUARE,         is_a_square       },
    {RSA_FLAW_FERMAT,         has_close_primes  },
    {RSA_FLAW_PRIME,          is_prime          },
};
_Static_assert(KW_COUNT(tests) == RSA_FLAW_MAX - 1, "every flaw has a test");

kw_status rsa_examine(struct kw_op *op, struct kw_span n, struct kw_span e, enum rsa_flaw *ret)
{
    ENSURE(op, n.len > 0 && n.len <= KW_SPKI_MAX && e.len > 0 && e.len <= KW_SPKI_MAX, KW_E_INPUT,
           "an RSA modulus of %zu octets", n.len);
    AUTO(BN_CTX) *ctx = BN_CTX_new();
    AUTO(BIGNUM) *modulus = BN_bin2bn(n.p, (int)n.len, NULL);
    AUTO(BIGNUM) *exponent = BN_bin2bn(e.p, (int)e.len, NULL);
    const struct examination it = {.ctx = ctx, .n = modulus, .e = exponent};

    OSSL_ENSURE(op, ctx && modulus && exponent, KW_E_MEMORY, "testing an RSA modulus");
    for (unsigned i = 0; i < KW_COUNT(tests); i++) {
        bool found = false;
        TRY(op, tests[i].test(op, &it, &found));
        if (found) {
            *ret = tests[i].flaw;
            return KW_OK;
        }
    }
    *ret = RSA_SOUND;
    return KW_OK;
}

/* One number of an RSA key. */
static kw_status take_number(struct kw_op *op, const struct pubkey *key, const char *name,
                             struct kw_out *out)
{
    AUTO(BIGNUM) *number = NULL;

    OSSL_ENSURE(op, EVP_PKEY_get_bn_param(pubkey_evp(key), name, &number) == 1, KW_E_INTERNAL,
                "reading an RSA key");
    ENSURE(op, (size_t)BN_num_bytes(number) <= out->cap, KW_E_TOO_LARGE, "an RSA key of %d octets",
           BN_num_bytes(number));
    out->len = (size_t)BN_bn2bin(number, out->p);
    return KW_OK;
}

kw_status rsa_modulus(struct kw_op *op, const struct pubkey *key, struct kw_out *out)
{
    ENSURE(op, pubkey_alg(key) == KEY_ALG_RSA_3072, KW_E_UNSUPPORTED, "a key of type %s",
           key_alg_text(pubkey_alg(key)));
    return take_number(op, key, OSSL_PKEY_PARAM_RSA_N, out);
}

kw_status rsa_examine_key(struct kw_op *op, const struct pubkey *key, enum rsa_flaw *ret)
{
    uint8_t n_room[KW_SPKI_MAX], e_room[16];
    struct kw_out n = KW_OUT_ARRAY(n_room), e = KW_OUT_ARRAY(e_room);

    *ret = RSA_SOUND;
    if (pubkey_alg(key) != KEY_ALG_RSA_3072) {
        return KW_OK;
    }
    TRY(op, rsa_modulus(op, key, &n));
    TRY(op, take_number(op, key, OSSL_PKEY_PARAM_RSA_E, &e));
    return rsa_examine(op, kw_out_span(&n), kw_out_span(&e), ret);
}
