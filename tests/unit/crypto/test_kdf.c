/* RFC 7914 section 12 and RFC 5869 appendix A. */
#include "crypto/kdf.h"
#include "kit.h"

static void scrypt_of_rfc_7914(void **state)
{
    static const struct {
        const char *passphrase, *salt;
        struct kdf_scrypt_cost cost;
        const char *want;
    } cases[] = {
        {"",
         "",               {16, 1, 1},
         "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442"
         "fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906"},
        {"password",
         "NaCl",           {1024, 8, 16},
         "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"
         "2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640"},
        {"pleaseletmein",
         "SodiumChloride", {16384, 8, 1},
         "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
         "d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887"},
    };
    struct kw_op op;
    (void)state;

    kw_op_init(&op, "test", 0);
    for (size_t i = 0; i < KW_COUNT(cases); i++) {
        AUTO(kw_secret) *passphrase = secret_text(cases[i].passphrase);
        AUTO(kw_secret) *key = NULL;
        AUTO(kw_bytes) *want = from_hex(cases[i].want);
        assert_ok(
            &op, kdf_scrypt(&op, passphrase, kw_span_text(cases[i].salt), cases[i].cost, 64, &key));
        assert_span_equal(kw_secret_span(key), kw_bytes_span(want));
    }
}

static void a_lying_cost_is_refused(void **state)
{
    static const struct kdf_scrypt_cost bad[] = {
        {0,             8,          1 },
        {1,             8,          1 },
        {3,             8,          1 },
        {(1 << 20) + 1, 8,          1 },
        {1 << 21,       8,          1 },
        {1u << 31,      8,          1 },
        {32768,         0,          1 },
        {32768,         33,         1 },
        {32768,         8,          0 },
        {32768,         8,          17},
        {UINT32_MAX,    32,         16},
        {32768,         UINT32_MAX, 1 },
    };
    AUTO(kw_secret) *passphrase = secret_text("x");
    AUTO(kw_secret) *key = NULL;
    struct kw_op op;
    (void)state;

    kw_op_init(&op, "test", 0);
    for (size_t i = 0; i < KW_COUNT(bad); i++) {
        assert_code(kdf_scrypt(&op, passphrase, kw_span_text("s"), bad[i], 32, &key), KW_E_INPUT);
    }
    struct kdf_scrypt_cost cheap = {16, 1, 1};
    assert_code(kdf_scrypt(&op, passphrase, kw_span_text("s"), cheap, 0, &key), KW_E_INPUT);
    assert_code(kdf_scrypt(&op, passphrase, kw_span_text("s"), cheap, 1025, &key), KW_E_INPUT);
    assert_null(key);
}

/* 64 MB and more: OpenSSL's own limit of 32 MB must not be in the way. */
static void the_default_cost_and_above_work(void **state)
{
    AUTO(kw_secret) *passphrase = secret_text("x");
    AUTO(kw_secret) *key = NULL;
    AUTO(kw_secret) *more = NULL;
    struct kw_op op;
    (void)state;

    kw_op_init(&op, "test", 0);
    assert_ok(&op, kdf_scrypt(&op, passphrase, kw_span_text("s"), KDF_SCRYPT_DEFAULT, 32, &key));
    struct kdf_scrypt_cost cost = {65536, 8, 2};
    assert_ok(&op, kdf_scrypt(&op, passphrase, kw_span_text("s"), cost, 32, &more));
    assert_false(kw_secret_equal(key, more));
}

static const char case2_key[] =
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425"
    "262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b"
    "4c4d4e4f";
static const char case2_salt[] =
    "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485"
    "868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaab"
    "acadaeaf";
static const char case2_info[] =
    "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5"
    "d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafb"
    "fcfdfeff";
static const char case2_want[] =
    "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7"
    "827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5"
    "c1f3434f1d87";

static const char case13_key[] = "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b";
static const char case1_salt[] = "000102030405060708090a0b0c";
static const char case1_info[] = "f0f1f2f3f4f5f6f7f8f9";
static const char case1_want[] =
    "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b8"
    "87185865";
static const char case3_want[] =
    "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4"
    "b61a96c8";

static void hkdf_of_rfc_5869(void **state)
{
    static const struct {
        const char *key, *salt, *info, *want;
    } cases[] = {
        {case13_key, case1_salt, case1_info, case1_want},
        {case2_key,  case2_salt, case2_info, case2_want},
        {case13_key, "",         "",         case3_want},
    };
    struct kw_op op;
    (void)state;

    kw_op_init(&op, "test", 0);
    for (size_t i = 0; i < KW_COUNT(cases); i++) {
        AUTO(kw_bytes) *ikm = from_hex(cases[i].key);
        AUTO(kw_bytes) *salt = from_hex(cases[i].salt);
        AUTO(kw_bytes) *info = from_hex(cases[i].info);
        AUTO(kw_bytes) *want = from_hex(cases[i].want);
        AUTO(kw_secret) *key = secret_of(kw_bytes_span(ikm));
        AUTO(kw_secret) *derived = NULL;
        assert_ok(&op, kdf_hkdf_sha256(&op, key, kw_bytes_span(salt), kw_bytes_span(info),
                                       want->len, &derived));
        assert_span_equal(kw_secret_span(derived), kw_bytes_span(want));
    }
}

static void hkdf_bounds(void **state)
{
    AUTO(kw_secret) *key = secret_text("input key");
    AUTO(kw_secret) *derived = NULL;
    struct kw_span none = {NULL, 0};
    struct kw_op op;
    (void)state;

    kw_op_init(&op, "test", 0);
    assert_code(kdf_hkdf_sha256(&op, key, none, none, 0, &derived), KW_E_INPUT);
    assert_code(kdf_hkdf_sha256(&op, key, none, none, 255 * 32 + 1, &derived), KW_E_INPUT);
    assert_ok(&op, kdf_hkdf_sha256(&op, key, none, none, 255 * 32, &derived));
    assert_int_equal(kw_secret_len(derived), 255 * 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scrypt_of_rfc_7914),
        cmocka_unit_test(a_lying_cost_is_refused),
        cmocka_unit_test(the_default_cost_and_above_work),
        cmocka_unit_test(hkdf_of_rfc_5869),
        cmocka_unit_test(hkdf_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
