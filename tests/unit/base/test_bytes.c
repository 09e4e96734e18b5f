#include "check.h"

static void spans_compare_by_content(void **state)
{
    (void)state;
    assert_true(kw_span_equal(kw_span_text("abc"), KW_SPAN("abcd", 3)));
    assert_false(kw_span_equal(kw_span_text("abc"), kw_span_text("abd")));
    assert_false(kw_span_equal(kw_span_text("abc"), kw_span_text("ab")));
    assert_true(kw_span_equal(KW_SPAN(NULL, 0), kw_span_text("")));
    assert_true(kw_equal_consttime(kw_span_text("abc"), kw_span_text("abc")));
    assert_false(kw_equal_consttime(kw_span_text("abc"), kw_span_text("bbc")));
    assert_false(kw_equal_consttime(kw_span_text("abc"), kw_span_text("abd")));
    assert_false(kw_equal_consttime(kw_span_text("abc"), kw_span_text("ab")));
    assert_true(kw_equal_consttime(KW_SPAN(NULL, 0), KW_SPAN(NULL, 0)));
}

static void a_part_never_reaches_beyond(void **state)
{
    struct kw_span span = kw_span_text("abcdef");

    (void)state;
    assert_span(kw_span_sub(span, 2, 3), "cde");
    assert_span(kw_span_sub(span, 2, 100), "cdef");
    assert_span(kw_span_sub(span, 2, SIZE_MAX), "cdef");
    assert_span(kw_span_sub(span, 6, 1), "");
    assert_span(kw_span_sub(span, SIZE_MAX, SIZE_MAX), "");
    assert_span(kw_span_sub(KW_SPAN(NULL, 0), 0, 1), "");
}

static void bytes_grow_and_keep_their_content(void **state)
{
    AUTO(kw_bytes) *bytes = NULL;

    (void)state;
    assert_ok(kw_bytes_new(0, &bytes));
    for (int i = 0; i < 10000; i++) {
        uint8_t octets[3] = {(uint8_t)i, (uint8_t)(i >> 8), 7};
        assert_ok(kw_bytes_append(bytes, KW_SPAN_ARRAY(octets)));
    }
    assert_int_equal(bytes->len, 30000);
    for (int i = 0; i < 10000; i++) {
        uint8_t octets[3] = {(uint8_t)i, (uint8_t)(i >> 8), 7};
        assert_memory_equal(bytes->p + 3 * i, octets, 3);
    }
}

static void text_and_formats_are_appended(void **state)
{
    AUTO(kw_bytes) *bytes = NULL;

    (void)state;
    assert_ok(kw_bytes_copy(kw_span_text("a"), &bytes));
    assert_ok(kw_bytes_append_text(bytes, "bc"));
    assert_ok(kw_bytes_printf(bytes, "-%d-%s", 42, "x"));
    assert_ok(kw_bytes_printf(bytes, "%s", ""));
    assert_ok(kw_bytes_append(bytes, KW_SPAN(NULL, 0)));
    assert_span(kw_bytes_span(bytes), "abc-42-x");
    assert_span(kw_bytes_span(NULL), "");
}

static void impossible_sizes_are_refused(void **state)
{
    AUTO(kw_bytes) *bytes = NULL;

    (void)state;
    assert_code(kw_bytes_new(SIZE_MAX, &bytes), KW_E_MEMORY);
    assert_null(bytes);
    assert_ok(kw_bytes_copy(kw_span_text("abc"), &bytes));
    assert_code(kw_bytes_reserve(bytes, SIZE_MAX), KW_E_MEMORY);
    assert_code(kw_bytes_reserve(bytes, SIZE_MAX - 3), KW_E_MEMORY);
    assert_span(kw_bytes_span(bytes), "abc");
}

static void taken_owners_are_not_freed(void **state)
{
    struct kw_bytes *kept = NULL;

    (void)state;
    {
        AUTO(kw_bytes) *bytes = NULL;
        assert_ok(kw_bytes_copy(kw_span_text("abc"), &bytes));
        kept = TAKE(bytes);
        assert_null(bytes);
    }
    assert_span(kw_bytes_span(kept), "abc"); /* a wrong free shows under ASan */
    kw_bytes_free(kept);
    kw_bytes_free(NULL);
}

static void the_callers_room_is_never_left(void **state)
{
    uint8_t room[6] = {9, 9, 9, 9, 9, 9};
    struct kw_out out = {room, 5, 0};

    (void)state;
    assert_ok(kw_out_append(&out, kw_span_text("abc")));
    assert_code(kw_out_append(&out, kw_span_text("def")), KW_E_TOO_LARGE);
    assert_span(kw_out_span(&out), "abc");
    assert_ok(kw_out_append(&out, kw_span_text("de")));
    assert_code(kw_out_append(&out, kw_span_text("f")), KW_E_TOO_LARGE);
    assert_span(kw_out_span(&out), "abcde");
    assert_code(kw_out_set(&out, kw_span_text("123456")), KW_E_TOO_LARGE);
    assert_span(kw_out_span(&out), "abcde");
    assert_ok(kw_out_set(&out, KW_SPAN(room + 1, 3))); /* a part of itself */
    assert_span(kw_out_span(&out), "bcd");
    assert_int_equal(room[5], 9);
}

static void text_is_copied_whole_or_not_at_all(void **state)
{
    char array[4] = "xyz";

    (void)state;
    assert_true(KW_TEXT_SET(array, "abc"));
    assert_string_equal(array, "abc");
    assert_false(KW_TEXT_SET(array, "abcd"));
    assert_string_equal(array, "");
    assert_false(kw_text_copy(NULL, 0, "a"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spans_compare_by_content),
        cmocka_unit_test(a_part_never_reaches_beyond),
        cmocka_unit_test(bytes_grow_and_keep_their_content),
        cmocka_unit_test(text_and_formats_are_appended),
        cmocka_unit_test(impossible_sizes_are_refused),
        cmocka_unit_test(taken_owners_are_not_freed),
        cmocka_unit_test(the_callers_room_is_never_left),
        cmocka_unit_test(text_is_copied_whole_or_not_at_all),
    };
    return cmocka_run_group_tests_name("bytes", tests, NULL, NULL);
}
