/* Event types: what auditors search for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "model/event.h"

static void test_texts_are_unique_and_well_formed(void **state)
{
    (void)state;
    for (unsigned i = 0; i < EVENT_MAX; i++) {
        const char *text = event_type_text((enum event_type)i);
        assert_int_equal(strspn(text, "abcdefghijklmnopqrstuvwxyz"), strcspn(text, "."));
        assert_non_null(strchr(text, '.'));
        assert_true(event_type_category((enum event_type)i)[0] != '\0');
        for (unsigned j = 0; j < i; j++) {
            assert_string_not_equal(text, event_type_text((enum event_type)j));
        }
    }
}

static void test_known_rows(void **state)
{
    (void)state;
    assert_string_equal(event_type_text(EVENT_CERT_ISSUE), "cert.issue");
    assert_string_equal(event_type_category(EVENT_CRL_SIGN), "certificate");
    assert_string_equal(event_type_text(EVENT_MAX), "unknown");
    assert_string_equal(event_type_category((enum event_type) - 1), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts_are_unique_and_well_formed),
        cmocka_unit_test(test_known_rows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
