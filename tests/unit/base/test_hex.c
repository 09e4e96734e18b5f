#include "base/hex.h"
#include "check.h"

static void hex_goes_there_and_back(void **state)
{
    uint8_t octets[256];
    uint8_t back[256];
    char text[513];
    struct kw_out out = KW_OUT_ARRAY(back);

    (void)state;
    for (int i = 0; i < 256; i++) {
        octets[i] = (uint8_t)i;
    }
    assert_ptr_equal(kw_hex(KW_SPAN_ARRAY(octets), text, sizeof(text)), text);
    assert_int_equal(strlen(text), 512);
    assert_memory_equal(text, "000102", 6);
    assert_ok(kw_unhex(text, &out));
    assert_true(kw_span_equal(kw_out_span(&out), KW_SPAN_ARRAY(octets)));
}

static void text_is_cut_to_whole_octets(void **state)
{
    char text[6];

    (void)state;
    assert_string_equal(kw_hex(KW_SPAN("\xab\xcd\xef", 3), text, 6), "abcd");
    assert_string_equal(kw_hex(KW_SPAN("\xab\xcd\xef", 3), text, 5), "abcd");
    assert_string_equal(kw_hex(KW_SPAN("\xab\xcd\xef", 3), text, 4), "ab");
    assert_string_equal(kw_hex(KW_SPAN("\xab\xcd\xef", 3), text, 1), "");
    assert_string_equal(kw_hex(KW_SPAN(NULL, 0), text, 6), "");
}

static void only_pairs_of_digits_are_taken(void **state)
{
    static const char *const bad[] = {"a", "abc", "0g", "g0", " 00", "00 ", "0x", "-1", "+1", "0:"};
    uint8_t room[2] = {7, 7};
    struct kw_out out = {room, 2, 2};

    (void)state;
    for (size_t i = 0; i < KW_COUNT(bad); i++) {
        assert_code(kw_unhex(bad[i], &out), KW_E_INPUT);
    }
    assert_code(kw_unhex("aabbcc", &out), KW_E_TOO_LARGE);
    assert_int_equal(out.len, 2);
    assert_memory_equal(room, "\7\7", 2);
    assert_ok(kw_unhex("AbcD", &out));
    assert_memory_equal(room, "\xab\xcd", 2);
    assert_ok(kw_unhex("", &out));
    assert_int_equal(out.len, 0);
    assert_ok(kw_unhex_span(KW_SPAN("aabb", 2), &out));
    assert_int_equal(out.len, 1);
}

/* As openssl x509 -serial, -text and Python's :x print the same number. */
static void numbers_are_taken_as_tools_print_them(void **state)
{
    static const char *const same[] = {"0A0B", "a0b", "0xA0B", "0a:0b", "00:0a:0b", "000000a0b"};
    static const char *const bad[] = {"", "0x", ":", "0xg", "a b", "-1", "0x0x1"};
    char longest[201] = {0};
    uint8_t room[3] = {7, 7, 7};
    struct kw_out out = KW_OUT_ARRAY(room);

    (void)state;
    for (size_t i = 0; i < KW_COUNT(same); i++) {
        assert_ok(kw_unhex_number(same[i], &out));
        assert_true(kw_span_equal(kw_out_span(&out), KW_SPAN("\x0a\x0b", 2)));
    }
    assert_ok(kw_unhex_number("000", &out));
    assert_true(kw_span_equal(kw_out_span(&out), KW_SPAN("", 1)));
    for (size_t i = 0; i < KW_COUNT(bad); i++) {
        assert_code(kw_unhex_number(bad[i], &out), KW_E_INPUT);
    }
    memset(longest, '1', sizeof(longest) - 1);
    assert_code(kw_unhex_number(longest, &out), KW_E_TOO_LARGE);
    assert_code(kw_unhex_number("11223344", &out), KW_E_TOO_LARGE);
    assert_int_equal(out.len, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hex_goes_there_and_back),
        cmocka_unit_test(text_is_cut_to_whole_octets),
        cmocka_unit_test(only_pairs_of_digits_are_taken),
        cmocka_unit_test(numbers_are_taken_as_tools_print_them),
    };
    return cmocka_run_group_tests_name("hex", tests, NULL, NULL);
}
