#include "store/query.h"

#include "check.h"

static void keys_sort_as_octets_do(void **state)
{
    static const char *const rising[] = {
        "\x00\x00\x00\x00\x00\x00\x00\x00", "\x00\x00\x00\x00\x00\x00\x00\x01",
        "\x00\xff\xff\xff\xff\xff\xff\xff", "\x7f\xff\xff\xff\xff\xff\xff\xff",
        "\x80\x00\x00\x00\x00\x00\x00\x00", "\x80\x00\x00\x00\x00\x00\x00\x01",
        "\xff\xff\xff\xff\xff\xff\xff\xff",
    };

    (void)state;
    for (size_t i = 1; i < KW_COUNT(rising); i++) {
        assert_true(store_key_head(KW_SPAN(rising[i - 1], 8)) <
                    store_key_head(KW_SPAN(rising[i], 8)));
    }
}

static void only_the_head_counts(void **state)
{
    (void)state;
    assert_true(store_key_head(KW_SPAN("12345678abc", 11)) ==
                store_key_head(KW_SPAN("12345678xyz", 11)));
    assert_true(store_key_head(KW_SPAN("1", 1)) != store_key_head(KW_SPAN("2", 1)));
    assert_true(store_key_head(KW_SPAN(NULL, 0)) == store_key_head(KW_SPAN("\0\0", 2)));
}

static void hash_of_zeroes_is_absent(void **state)
{
    uint8_t hash[KW_HASH_BYTES] = {0};

    (void)state;
    assert_int_equal(store_value_hash(hash).type, STORE_NULL);
    hash[31] = 1;
    assert_int_equal(store_value_hash(hash).type, STORE_BLOB);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_sort_as_octets_do),
        cmocka_unit_test(only_the_head_counts),
        cmocka_unit_test(hash_of_zeroes_is_absent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
