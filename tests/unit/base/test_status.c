#include "check.h"

static void each_code_has_its_row(void **state)
{
    (void)state;
    for (int i = 0; i < KW_CODE_MAX; i++) {
        enum kw_code code = (enum kw_code)i;
        assert_true(kw_code_text(code)[0] != '\0');
        assert_true(kw_code_meaning(code)[0] != '\0');
        assert_in_range(kw_code_http(code), 200, 599);
        assert_int_equal(kw_code_from_text(kw_code_text(code)), code);
    }
}

static void refusals_are_no_success(void **state)
{
    (void)state;
    assert_true(kw_ok(KW_OK));
    assert_int_equal(kw_code_http(KW_CODE_OK), 200);
    for (int i = KW_CODE_OK + 1; i < KW_CODE_MAX; i++) {
        assert_false(kw_ok(KW_FAIL((enum kw_code)i)));
        if (i != KW_E_APPROVAL) { /* taken, but not done: it waits for people */
            assert_in_range(kw_code_http((enum kw_code)i), 400, 599);
        }
    }
    assert_int_equal(kw_code_http(KW_E_APPROVAL), 202);
}

static void what_a_client_may_repeat(void **state)
{
    (void)state;
    assert_true(kw_code_may_retry(KW_E_LIMIT));
    assert_true(kw_code_may_retry(KW_E_UNAVAILABLE));
    assert_false(kw_code_may_retry(KW_E_UNSURE)); /* it may have been done */
    assert_false(kw_code_may_retry(KW_E_INPUT));
}

static void a_number_that_is_no_code_is_our_bug(void **state)
{
    (void)state;
    assert_string_equal(kw_code_text((enum kw_code)9999), "internal");
    assert_string_equal(kw_code_text((enum kw_code) - 1), "internal");
    assert_int_equal(kw_code_http(KW_CODE_MAX), 500);
    assert_int_equal(kw_code_from_text("no such text"), KW_E_INTERNAL);
    assert_int_equal(kw_code_from_text(NULL), KW_E_INTERNAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_code_has_its_row),
        cmocka_unit_test(refusals_are_no_success),
        cmocka_unit_test(what_a_client_may_repeat),
        cmocka_unit_test(a_number_that_is_no_code_is_our_bug),
    };
    return cmocka_run_group_tests_name("status", tests, NULL, NULL);
}
