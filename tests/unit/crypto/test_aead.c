/* The sealed form, crossed with the GCM specification's test cases 14 and 16 (AES-256). */
#include "crypto/aead.h"
#include "kit.h"

static const char *const key16 = "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308";
static const char *const aad16 = "feedfacedeadbeeffeedfacedeadbeefabaddad2";
static const char *const plain16 =
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b5"
    "25b16aedf5aa0de657ba637b39";
/* nonce || ciphertext || tag */
static const char *const sealed16 =
    "cafebabefacedbaddecaf888"
    "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
    "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
    "76fc6ece0f4e1768cddf8853bb2d551b";
static const char *const sealed14 = "000000000000000000000000"
                                    "cea7403d4d606b6e074ec5d3baf39d18"
                                    "d0d1c8a799996bf0265b98b5d48ab919";

static struct kw_secret *key_of(const char *hex)
{
    AUTO(kw_bytes) *bytes = from_hex(hex);
    return secret_of(kw_bytes_span(bytes));
}

static void opens_the_specification_s_cases(void **state)
{
    AUTO(kw_secret) *key = key_of(key16);
    AUTO(kw_bytes) *aad = from_hex(aad16);
    AUTO(kw_bytes) *sealed = from_hex(sealed16);
    AUTO(kw_bytes) *want = from_hex(plain16);
    AUTO(kw_secret) *plain = NULL;
    AUTO(kw_secret) *plain_zero = NULL;
    struct kw_op op;
    (void)state;

    kw_op_init(&op, "test", 0);
    assert_ok(&op, aead_open(&op, key, kw_bytes_span(aad), kw_bytes_span(sealed), &plain));
    assert_span_equal(kw_secret_span(plain), kw_bytes_span(want));

    uint8_t zero[32] = {0};
    AUTO(kw_secret) *zero_key = secret_of(KW_SPAN_ARRAY(zero));
    AUTO(kw_bytes) *sealed_zero = from_hex(sealed14);
    assert_ok(&op,
              aead_open(&op, zero_key, KW_SPAN(NULL, 0), kw_bytes_span(sealed_zero), &plain_zero));
    assert_span_equal(kw_secret_span(plain_zero), KW_SPAN(zero, 16));
}

static void what_is_sealed_opens(void **state)
{
    static const size_t lens[] = {0, 1, 15, 16, 17, 100000};
    AUTO(kw_secret) *key = key_of(key16);
    struct kw_span aad = kw_span_text("purpose");
    struct kw_op op;
    (void)state;

    kw_op_init(&op, "test", 0);
    AUTO(kw_bytes) *data = NULL;
    assert_true(kw_ok(kw_bytes_new(100000, &data)));
    memset(data->p, 0x5a, 100000);
    for (size_t i = 0; i < KW_COUNT(lens); i++) {
        AUTO(kw_bytes) *sealed = NULL;
        AUTO(kw_secret) *plain = NULL;
        struct kw_span text = KW_SPAN(data->p, lens[i]);
        assert_ok(&op, aead_seal(&op, key, aad, text, &sealed));
        assert_int_equal(sealed->len, lens[i] + AEAD_OVERHEAD_BYTES);
        assert_ok(&op, aead_open(&op, key, aad, kw_bytes_span(sealed), &plain));
        assert_span_equal(kw_secret_span(plain), text);
    }
}

static void a_nonce_is_not_used_twice(void **state)
{
    AUTO(kw_secret) *key = key_of(key16);
    AUTO(kw_bytes) *a = NULL;
    AUTO(kw_bytes) *b = NULL;
    struct kw_op op;
    (void)state;

    kw_op_init(&op, "test", 0);
    assert_ok(&op, aead_seal(&op, key, KW_SPAN(NULL, 0), kw_span_text("same"), &a));
    assert_ok(&op, aead_seal(&op, key, KW_SPAN(NULL, 0), kw_span_text("same"), &b));
    assert_memory_not_equal(a->p, b->p, 12);
}

static void every_altered_bit_is_noticed(void **state)
{
    AUTO(kw_secret) *key = key_of(key16);
    AUTO(kw_bytes) *sealed = NULL;
    AUTO(kw_secret) *plain = NULL;
    struct kw_span aad = kw_span_text("purpose");
    struct kw_op op;
    (void)state;

    kw_op_init(&op, "test", 0);
    assert_ok(&op, aead_seal(&op, key, aad, kw_span_text("octets"), &sealed));
    for (size_t bit = 0; bit < 8 * sealed->len; bit++) {
        sealed->p[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_code(aead_open(&op, key, aad, kw_bytes_span(sealed), &plain), KW_E_INTEGRITY);
        sealed->p[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t n = 0; n < sealed->len; n++) {
        assert_code(aead_open(&op, key, aad, KW_SPAN(sealed->p, n), &plain), KW_E_INTEGRITY);
    }
    assert_code(aead_open(&op, key, kw_span_text("other"), kw_bytes_span(sealed), &plain),
                KW_E_INTEGRITY);
    kw_secret_data(key)[0] ^= 1;
    assert_code(aead_open(&op, key, aad, kw_bytes_span(sealed), &plain), KW_E_INTEGRITY);
    assert_null(plain);
}

static void a_key_has_32_octets(void **state)
{
    AUTO(kw_secret) *key = secret_text("sixteen octets..");
    AUTO(kw_bytes) *sealed = NULL;
    struct kw_op op;
    (void)state;

    kw_op_init(&op, "test", 0);
    assert_code(aead_seal(&op, key, KW_SPAN(NULL, 0), KW_SPAN(NULL, 0), &sealed), KW_E_INPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_the_specification_s_cases),
        cmocka_unit_test(what_is_sealed_opens),
        cmocka_unit_test(a_nonce_is_not_used_twice),
        cmocka_unit_test(every_altered_bit_is_noticed),
        cmocka_unit_test(a_key_has_32_octets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
