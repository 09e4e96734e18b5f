/* ISO weeks, where they are not what one would think. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/op.h"
#include "base/time.h"
#include "model/iso_week.h"

static int64_t at(const char *text)
{
    int64_t ms = 0;

    assert_true(kw_ok(kw_time_parse(text, &ms)));
    return ms / 1000;
}

static void weeks(void **state)
{
    static const struct {
        const char *when, *week, *monday;
    } rows[] = {
        {"1970-01-01T00:00:00Z", "1970-W01", "1969-12-29T00:00:00Z"},
        {"2026-11-21T09:00:00Z", "2026-W47", "2026-11-16T00:00:00Z"},
        {"2026-11-16T00:00:00Z", "2026-W47", "2026-11-16T00:00:00Z"},
        {"2026-11-15T23:59:59Z", "2026-W46", "2026-11-09T00:00:00Z"},
        {"2026-12-31T12:00:00Z", "2026-W53", "2026-12-28T00:00:00Z"},
        {"2027-01-03T23:59:59Z", "2026-W53", "2026-12-28T00:00:00Z"},
        {"2027-01-04T00:00:00Z", "2027-W01", "2027-01-04T00:00:00Z"},
        {"2024-12-30T00:00:00Z", "2025-W01", "2024-12-30T00:00:00Z"},
        {"2021-01-03T00:00:00Z", "2020-W53", "2020-12-28T00:00:00Z"},
        {"2000-02-29T00:00:00Z", "2000-W09", "2000-02-28T00:00:00Z"},
    };
    char text[ISO_WEEK_TEXT];

    (void)state;
    for (size_t i = 0; i < KW_COUNT(rows); i++) {
        assert_string_equal(iso_week_text(at(rows[i].when), text), rows[i].week);
        assert_int_equal(iso_week_start(at(rows[i].when)),
                         i == 0 ? -3 * 86400 : at(rows[i].monday));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(weeks)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
