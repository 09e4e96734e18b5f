/* Key wrap with padding: RFC 5649's examples, and AES-256 ones that python-cryptography made. */
#include "crypto/wrap.h"
#include "kit.h"

#define KEK_192 "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8"
#define KEK_256 "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

/* clang-format off */
static const struct {
    const char *key, *plain, *wrapped;
} rows[] = {
    /* RFC 5649 section 6 */
    {KEK_192, "c37b7e6492584340bed12207808941155068f738",
     "138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a"},
    {KEK_192, "466f7250617369", "afbeb0f07dfbf5419200f2ccb50bb24f"},
    {KEK_256, "a0", "ccc49fbf20f2ace7eb31a8dde226506a"},
    {KEK_256, "a0a1a2a3a4a5a6a7", "ea91dd60e59bd68bad0d6e254b5e1c39"},
    {KEK_256, "a0a1a2a3a4a5a6a7a8", "c9722a9551dfa2832aa1cae487821e06991294aebce09848"},
    {KEK_256, "a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf",
     "38e280155ccf3f09397e0b9f610a43c91183334bc5eb520a01ff1377bf9f95f3e20cb09f4f3d59cd"},
};
/* clang-format on */

static struct kw_secret *secret_hex(const char *hex)
{
    AUTO(kw_bytes) *bytes = from_hex(hex);

    return secret_of(kw_bytes_span(bytes));
}

static void known_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < KW_COUNT(rows); i++) {
        AUTO(kw_secret) *key = secret_hex(rows[i].key);
        AUTO(kw_bytes) *plain = from_hex(rows[i].plain);
        AUTO(kw_bytes) *want = from_hex(rows[i].wrapped);
        AUTO(kw_secret) *again = NULL;
        uint8_t room[WRAP_SIZE(WRAP_PLAIN_MAX)];
        struct kw_out wrapped = KW_OUT_ARRAY(room);
        struct kw_op op;

        kw_op_init(&op, "test", 0);
        assert_ok(&op, wrap_kwp(&op, key, kw_bytes_span(plain), &wrapped));
        assert_span_equal(kw_out_span(&wrapped), kw_bytes_span(want));
        assert_int_equal(WRAP_SIZE(plain->len), wrapped.len);
        assert_ok(&op, unwrap_kwp(&op, key, kw_bytes_span(want), &again));
        assert_span_equal(kw_secret_span(again), kw_bytes_span(plain));
    }
}

/* One bit anywhere, another key, a block less or more. */
static void altered_is_refused(void **state)
{
    AUTO(kw_secret) *key = secret_hex(KEK_256);
    AUTO(kw_secret) *other = secret_hex(KEK_192);
    AUTO(kw_bytes) *good = from_hex(rows[5].wrapped);
    struct kw_secret *plain = NULL;
    uint8_t bad[64];

    (void)state;
    for (size_t bit = 0; bit < good->len * 8; bit++) {
        memcpy(bad, good->p, good->len);
        bad[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_code(unwrap_kwp(NULL, key, KW_SPAN(bad, good->len), &plain), KW_E_INTEGRITY);
    }
    memcpy(bad, good->p, good->len);
    memset(bad + good->len, 0, 8);
    assert_code(unwrap_kwp(NULL, other, kw_bytes_span(good), &plain), KW_E_INTEGRITY);
    assert_code(unwrap_kwp(NULL, key, KW_SPAN(bad, good->len + 8), &plain), KW_E_INTEGRITY);
    for (size_t n = 0; n < good->len; n++) {
        assert_code(unwrap_kwp(NULL, key, KW_SPAN(bad, n), &plain), KW_E_INTEGRITY);
    }
    assert_null(plain);
}

static void sizes(void **state)
{
    AUTO(kw_secret) *key = secret_hex(KEK_256);
    AUTO(kw_secret) *odd = secret_hex("00112233445566778899");
    uint8_t much[WRAP_PLAIN_MAX + 1] = {1};
    uint8_t room[WRAP_SIZE(WRAP_PLAIN_MAX)];
    struct kw_out wrapped = KW_OUT_ARRAY(room);
    struct kw_out small = {.p = room, .cap = 39};

    (void)state;
    for (size_t n = 1; n <= WRAP_PLAIN_MAX; n += n < 32 ? 1 : 37) {
        AUTO(kw_secret) *again = NULL;
        assert_code(wrap_kwp(NULL, key, KW_SPAN(much, n), &wrapped), KW_CODE_OK);
        assert_code(unwrap_kwp(NULL, key, kw_out_span(&wrapped), &again), KW_CODE_OK);
        assert_span_equal(kw_secret_span(again), KW_SPAN(much, n));
    }
    assert_code(wrap_kwp(NULL, key, KW_SPAN(much, 0), &wrapped), KW_E_INPUT);
    assert_code(wrap_kwp(NULL, key, KW_SPAN(much, sizeof(much)), &wrapped), KW_E_INPUT);
    assert_code(wrap_kwp(NULL, odd, KW_SPAN(much, 32), &wrapped), KW_E_INPUT);
    assert_code(wrap_kwp(NULL, key, KW_SPAN(much, 32), &small), KW_E_TOO_LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answers),
        cmocka_unit_test(altered_is_refused),
        cmocka_unit_test(sizes),
    };
    return cmocka_run_group_tests_name("crypto_wrap", tests, NULL, NULL);
}
