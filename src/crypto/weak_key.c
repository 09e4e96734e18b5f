#include "crypto/weak_key.h"

#include <openssl/ec.h>
#include <stdlib.h>

#include "base/hex.h"
#include "crypto/digest.h"
#include "crypto/openssl.h"
#include "crypto/rsa_quality.h"

KW_OWNED(EC_GROUP, EC_GROUP, EC_GROUP_free)
KW_OWNED(EC_POINT, EC_POINT, EC_POINT_free)
KW_OWNED(BN_CTX, BN_CTX, BN_CTX_free)

enum { POINT_MAX = 97, HEAD = 16, SEEDS = 256, ED25519_BYTES = 32, SHA1_BYTES = 20 };

/* Beginnings of x coordinates (of keys, for Ed25519), sorted: 128 bits are enough to tell. */
struct heads {
    unsigned n;
    uint8_t at[WEAK_MULTIPLES][HEAD];
};

static int compare_heads(const void *a, const void *b)
{
    return memcmp(a, b, HEAD);
}

static bool has_head(const struct heads *heads, const uint8_t *octets)
{
    return bsearch(octets, heads->at, heads->n, HEAD, compare_heads) != NULL;
}

static void add_head(struct heads *heads, const uint8_t *octets)
{
    memcpy(heads->at[heads->n++], octets, HEAD);
}

/* --- small multiples of a curve's generator
 * ----------------------------------------------------- */

static struct heads p256, p384, seeds;
static bool tables_made;
static CRYPTO_ONCE tables_once = CRYPTO_ONCE_STATIC_INIT;

/* G, 2G, 3G …; -kG has the same x as kG. */
static bool add_multiples(int curve, struct heads *heads)
{
    AUTO(EC_GROUP) *group = EC_GROUP_new_by_curve_name(curve);
    AUTO(EC_POINT) *point = group ? EC_POINT_new(group) : NULL;
    AUTO(BN_CTX) *ctx = BN_CTX_new();
    uint8_t octets[POINT_MAX];

    bool fine = point && ctx && EC_POINT_copy(point, EC_GROUP_get0_generator(group)) == 1;
    for (unsigned i = 0; fine && i < WEAK_MULTIPLES; i++) {
        fine = EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, octets,
                                  sizeof(octets), ctx) > HEAD;
        add_head(heads, octets + 1);
        fine = fine && EC_POINT_add(group, point, point, EC_GROUP_get0_generator(group), ctx) == 1;
    }
    return fine;
}

static bool add_seeds(struct heads *heads)
{
    for (unsigned i = 0; i < SEEDS; i++) {
        uint8_t seed[ED25519_BYTES], octets[ED25519_BYTES];
        size_t n = sizeof(octets);
        memset(seed, (int)i, sizeof(seed));
        AUTO(EVP_PKEY) *key =
            EVP_PKEY_new_raw_private_key_ex(NULL, "ED25519", NULL, seed, sizeof(seed));
        if (!key || EVP_PKEY_get_raw_public_key(key, octets, &n) != 1) {
            return false;
        }
        add_head(heads, octets);
    }
    return true;
}

static void make_tables(void)
{
    struct heads *const all[] = {&p256, &p384, &seeds};

    tables_made = add_multiples(NID_X9_62_prime256v1, &p256) &&
                  add_multiples(NID_secp384r1, &p384) && add_seeds(&seeds);
    for (unsigned i = 0; i < KW_COUNT(all); i++) {
        qsort(all[i]->at, all[i]->n, HEAD, compare_heads);
    }
}

/* --- Ed25519 points of small order
 * -------------------------------------------------------------- */

/*
 * y of the points of order 1, 2, 4 and 8 (two), little-endian, without the sign of x; and the two
 * that are not below the field's prime. A signature by such a key verifies for any message.
 */
static const uint8_t small_order[][ED25519_BYTES] = {
    {0x01},
    {0x00},
    {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4,
     0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
     0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
    {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b,
     0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
     0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
    {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
    {0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
    {0xee, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
};

static bool has_small_order(const uint8_t key[ED25519_BYTES])
{
    uint8_t y[ED25519_BYTES];

    memcpy(y, key, sizeof(y));
    y[ED25519_BYTES - 1] &= 0x7f;
    for (unsigned i = 0; i < KW_COUNT(small_order); i++) {
        if (memcmp(y, small_order[i], sizeof(y)) == 0) {
            return true;
        }
    }
    return false;
}

/* --- by algorithm ----------------------------------------------------------------------------- */

static const char *examine_ec(const struct heads *heads, const uint8_t *point)
{
    return has_head(heads, point + 1) ? "the EC private key is a small number" : NULL;
}

static const char *examine_p256(const uint8_t *point)
{
    return examine_ec(&p256, point);
}

static const char *examine_p384(const uint8_t *point)
{
    return examine_ec(&p384, point);
}

static const char *examine_ed25519(const uint8_t *key)
{
    if (has_small_order(key)) {
        return "the Ed25519 key is a point of small order";
    }
    return has_head(&seeds, key) ? "the Ed25519 seed is one octet, repeated" : NULL;
}

/* Where in the SubjectPublicKeyInfo the key itself begins, from its end, and what looks at it. */
static const struct {
    size_t n_key;
    size_t n_number; /* octets of x, or of all */
    const char *(*examine)(const uint8_t *key);
} by_alg[KEY_ALG_MAX] = {
    [KEY_ALG_EC_P256] = {65, 32, examine_p256   },
    [KEY_ALG_EC_P384] = {97, 48, examine_p384   },
    [KEY_ALG_ED25519] = {32, 32, examine_ed25519},
};

static struct kw_span key_octets(const struct pubkey *key)
{
    struct kw_span spki = pubkey_spki(key);
    size_t n = by_alg[pubkey_alg(key)].n_key;

    return kw_span_sub(spki, spki.len - n, n);
}

kw_status weak_key_examine(struct kw_op *op, const struct pubkey *key, const char **ret)
{
    OSSL_ENSURE(op, CRYPTO_THREAD_run_once(&tables_once, make_tables) == 1 && tables_made,
                KW_E_INTERNAL, "tables of weak keys");
    *ret = NULL;
    if (by_alg[pubkey_alg(key)].examine) {
        *ret = by_alg[pubkey_alg(key)].examine(key_octets(key).p);
    }
    return KW_OK;
}

/* --- names on block lists
 * ----------------------------------------------------------------------- */

static kw_status name_modulus(struct kw_op *op, struct kw_span n, struct key_names *ret)
{
    char hex[2 * KW_SPKI_MAX + 1];
    uint8_t hash[SHA1_BYTES];
    AUTO(kw_bytes) *line = NULL;

    kw_hex(n, hex, sizeof(hex));
    for (char *p = hex; *p; p++) {
        *p = *p >= 'a' ? (char)(*p - 'a' + 'A') : *p;
    }
    TRY(op, kw_bytes_new(sizeof(hex) + 16, &line));
    TRY(op, kw_bytes_printf(line, "Modulus=%s\n", hex));
    digest_sha1(kw_bytes_span(line), hash);
    memcpy(ret->modulus, hash + sizeof(hash) - sizeof(ret->modulus), sizeof(ret->modulus));
    ret->has_modulus = true;
    return KW_OK;
}

/* The number that badkeys hashes. */
static kw_status take_number(struct kw_op *op, const struct pubkey *key, struct kw_out *out)
{
    size_t n = by_alg[pubkey_alg(key)].n_number;
    struct kw_span octets = key_octets(key);

    if (n == 0) {
        return rsa_modulus(op, key, out);
    }
    octets = kw_span_sub(octets, octets.len > n ? 1 : 0, n); /* behind a point's first octet */
    while (octets.len > 0 && octets.p[0] == 0) {
        octets = kw_span_sub(octets, 1, octets.len);
    }
    return kw_out_set(out, octets);
}

kw_status key_names(struct kw_op *op, const struct pubkey *key, struct key_names *ret)
{
    uint8_t room[KW_SPKI_MAX], hash[KW_HASH_BYTES];
    struct kw_out number = KW_OUT_ARRAY(room);

    memset(ret, 0, sizeof(*ret));
    memcpy(ret->spki, pubkey_id(key), sizeof(ret->spki));
    TRY(op, take_number(op, key, &number));
    digest_sha256(kw_out_span(&number), hash);
    memcpy(ret->number, hash, sizeof(ret->number));
    if (pubkey_alg(key) == KEY_ALG_RSA_3072) {
        TRY(op, name_modulus(op, kw_out_span(&number), ret));
    }
    return KW_OK;
}
