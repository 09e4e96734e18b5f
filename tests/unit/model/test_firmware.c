/* Which version is older. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "model/firmware.h"

static int sign(int n)
{
    return (n > 0) - (n < 0);
}

static void order(void **state)
{
    static const struct {
        const char *a, *b;
        int order;
    } rows[] = {
        {"1.9",                      "1.10",                      -1},
        {"2.3",                      "2.3",                       0 },
        {"2.3",                      "2.3.0",                     -1},
        {"2.3.9",                    "2.4",                       -1},
        {"9",                        "10",                        -1},
        {"1.01",                     "1.1",                       0 },
        {"007",                      "7",                         0 },
        {"0",                        "00",                        0 },
        {"2.0-rc1",                  "2.0",                       -1},
        {"2.0-rc1",                  "2.0-rc2",                   -1},
        {"2.0-rc9",                  "2.0-rc10",                  -1},
        {"2.0-rc1",                  "1.9.9",                     1 },
        {"2.0+b1",                   "2.0",                       1 },
        {"2.0+b1",                   "2.0.1",                     -1},
        {"1.0a",                     "1.0",                       1 },
        {"v2.1",                     "v2.2",                      -1},
        {"1.0.99999999999999999999", "1.0.100000000000000000000", -1},
        {"",                         "0",                         -1},
    };

    (void)state;
    for (size_t i = 0; i < KW_COUNT(rows); i++) {
        if (sign(firmware_compare(rows[i].a, rows[i].b)) != rows[i].order ||
            sign(firmware_compare(rows[i].b, rows[i].a)) != -rows[i].order) {
            fail_msg("'%s' and '%s'", rows[i].a, rows[i].b);
        }
    }
}

static void valid(void **state)
{
    char longest[FIRMWARE_MAX + 1];

    (void)state;
    assert_true(firmware_valid("2.1.0-rc1+build_7"));
    assert_false(firmware_valid(""));
    assert_false(firmware_valid("2.1 "));
    assert_false(firmware_valid("2/1"));
    assert_false(firmware_valid("2.1\n"));
    memset(longest, '1', sizeof(longest));
    longest[FIRMWARE_MAX] = '\0';
    assert_false(firmware_valid(longest));
    longest[FIRMWARE_MAX - 1] = '\0';
    assert_true(firmware_valid(longest));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(order), cmocka_unit_test(valid)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
