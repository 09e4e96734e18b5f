/* "KIND:NAME" */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "model/object.h"

static void test_a_name_of_its_kind_only(void **state)
{
    (void)state;
    assert_string_equal(object_name(OBJECT_DEVICE, "device:DEV1"), "DEV1");
    assert_string_equal(object_name(OBJECT_DEVICE, "device:00:11:22"), "00:11:22");
    assert_string_equal(object_name(OBJECT_CERT, "cert:devices/4f1c"), "devices/4f1c");
    assert_string_equal(object_name(OBJECT_DEVICE, "device:"), "");
    assert_null(object_name(OBJECT_DEVICE, "device"));
    assert_null(object_name(OBJECT_DEVICE, "devices:DEV1"));
    assert_null(object_name(OBJECT_DEVICE, "Device:DEV1"));
    assert_null(object_name(OBJECT_DEVICE, "station:device:DEV1"));
    assert_null(object_name(OBJECT_CA, "cert:devices/4f1c"));
    assert_null(object_name(OBJECT_DEVICE, ""));
}

static void test_what_is_written_is_read(void **state)
{
    (void)state;
    for (enum object_kind kind = OBJECT_OTHER + 1; kind < OBJECT_KIND_MAX; kind++) {
        char text[KW_NAME_MAX], name[81];
        memset(name, 'n', sizeof(name) - 1);
        name[sizeof(name) - 1] = '\0';
        object_write(kind, name, text);
        assert_int_equal(object_kind(text), kind);
        assert_string_equal(object_name(kind, text), name); /* whole */
    }
}

static void test_a_certificate_is_named_by_its_ca_and_serial_number(void **state)
{
    static const uint8_t serial[] = {0x00, 0x4f, 0xff};
    char text[KW_NAME_MAX];

    (void)state;
    object_write_cert("devices.2", KW_SPAN_ARRAY(serial), text);
    assert_string_equal(text, "cert:devices.2/004fff");
}

static void test_another_kind_is_none_of_these(void **state)
{
    static const char *const others[] = {"",      "system",     "device", ":",
                                         ":DEV1", "toaster:T1", "ca-x"};

    (void)state;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_int_equal(object_kind(others[i]), OBJECT_OTHER);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_name_of_its_kind_only),
        cmocka_unit_test(test_what_is_written_is_read),
        cmocka_unit_test(test_a_certificate_is_named_by_its_ca_and_serial_number),
        cmocka_unit_test(test_another_kind_is_none_of_these),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
