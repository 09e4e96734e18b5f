#include <time.h>

#include "base/time.h"
#include "check.h"

static int64_t parsed(const char *text)
{
    int64_t ms = -42;

    if (!kw_ok(kw_time_parse(text, &ms))) {
        fail_msg("'%s' was refused", text);
    }
    return ms;
}

static void known_times(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } known[] = {
        {0,                        "1970-01-01T00:00:00.000Z"},
        {-1,                       "1969-12-31T23:59:59.999Z"},
        {INT64_C(951827696789),    "2000-02-29T12:34:56.789Z"},
        {INT64_C(4107542400000),   "2100-03-01T00:00:00.000Z"}, /* 2100 has no leap day */
        {INT64_C(2147483648000),   "2038-01-19T03:14:08.000Z"},
        {INT64_C(-62167219200000), "0000-01-01T00:00:00.000Z"},
        {INT64_C(253402300799999), "9999-12-31T23:59:59.999Z"},
    };
    char text[KW_TIME_TEXT];

    (void)state;
    for (size_t i = 0; i < KW_COUNT(known); i++) {
        assert_string_equal(kw_time_text_ms(known[i].ms, text), known[i].text);
        assert_true(parsed(known[i].text) == known[i].ms);
    }
    assert_string_equal(kw_time_text(KW_TIME_NEVER, text), "9999-12-31T23:59:59Z");
    assert_string_equal(kw_time_text(-1, text), "1969-12-31T23:59:59Z");
    assert_true(parsed("9999-12-31T23:59:59Z") == KW_TIME_NEVER * 1000);
}

/* The C library's calendar is the other opinion: every 13 days or so, from year 0 to 9999. */
static void agrees_with_the_c_library(void **state)
{
    char text[KW_TIME_TEXT];
    char expected[KW_TIME_TEXT];

    (void)state;
    for (int64_t s = INT64_C(-62167219200); s <= KW_TIME_NEVER; s += 13 * 86399) {
        time_t t = (time_t)s;
        struct tm tm;
        assert_non_null(gmtime_r(&t, &tm));
        (void)snprintf(expected, sizeof(expected), "%04u-%02u-%02uT%02u:%02u:%02uZ",
                       (unsigned)(tm.tm_year + 1900) % 10000, (unsigned)(tm.tm_mon + 1) % 100,
                       (unsigned)tm.tm_mday % 100, (unsigned)tm.tm_hour % 100,
                       (unsigned)tm.tm_min % 100, (unsigned)tm.tm_sec % 100);
        assert_string_equal(kw_time_text(s, text), expected);
        assert_true(parsed(text) == s * 1000);
    }
}

static void times_out_of_range_are_clamped(void **state)
{
    char text[KW_TIME_TEXT];

    (void)state;
    assert_string_equal(kw_time_text_ms(INT64_MAX, text), "9999-12-31T23:59:59.999Z");
    assert_string_equal(kw_time_text_ms(INT64_MIN, text), "0000-01-01T00:00:00.000Z");
    assert_string_equal(kw_time_text(INT64_MAX, text), "9999-12-31T23:59:59Z");
    assert_string_equal(kw_time_text(INT64_MIN, text), "0000-01-01T00:00:00Z");
}

static void other_texts_are_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "Z",
        "2026-11-21",
        "2026-11-21T02:22:42",
        "2026-11-21T02:22:42z",
        "2026-11-21t02:22:42Z",
        "2026-11-21 02:22:42Z",
        "2026-11-21T02:22:42+00:00",
        "2026-11-21T02:22:42.Z",
        "2026-11-21T02:22:42.12Z",
        "2026-11-21T02:22:42.1234Z",
        "2026-11-21T02:22:42,123Z",
        "2026-11-21T02:22:42ZZ",
        " 2026-11-21T02:22:42Z",
        "2026-00-21T02:22:42Z",
        "2026-13-21T02:22:42Z",
        "2026-11-00T02:22:42Z",
        "2026-11-31T02:22:42Z",
        "2026-02-29T02:22:42Z",
        "2100-02-29T02:22:42Z",
        "2026-11-21T24:00:00Z",
        "2026-11-21T02:60:00Z",
        "2016-12-31T23:59:60Z",
        "+026-11-21T02:22:42Z",
        "-001-11-21T02:22:42Z",
        "10000-01-01T00:00:00Z",
    };

    (void)state;
    for (size_t i = 0; i < KW_COUNT(bad); i++) {
        int64_t ms = 7;
        if (kw_ok(kw_time_parse(bad[i], &ms))) {
            fail_msg("'%s' was taken", bad[i]);
        }
        assert_true(ms == 7);
    }
}

static void every_cut_text_is_refused(void **state)
{
    static const char text[] = "2026-11-21T02:22:42.123Z";
    char cut[sizeof(text)];
    int64_t ms = 0;

    (void)state;
    for (size_t n = 0; n + 1 < sizeof(text); n++) {
        memcpy(cut, text, n);
        cut[n] = '\0';
        assert_code(kw_time_parse(cut, &ms), KW_E_INPUT);
    }
}

#define LITERAL(text) {(const uint8_t *)(text), sizeof(text) - 1}
static void one_text_only_is_exact(void **state)
{
    static const char text[] = "2026-11-21T02:22:42Z";
    static const struct kw_span others[] = {
        {NULL, 0},
        LITERAL("2026-11-21T02:22:42.000Z"),
        LITERAL("2026-11-21T02:22:42Z "),
        LITERAL("2026-11-21T02:22:42Z\0"),
        LITERAL("2026-11-21T02:22:42z"),
        LITERAL("2026-11-21T02:22:42Z2026-11-21T02:22:42Z"),
    };
    int64_t s = 0;

    (void)state;
    assert_true(kw_ok(kw_time_parse_exact(kw_span_text(text), &s)));
    assert_int_equal(s * 1000, parsed(text));
    for (size_t i = 0; i < KW_COUNT(others); i++) {
        assert_code(kw_time_parse_exact(others[i], &s), KW_E_INPUT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_times),
        cmocka_unit_test(agrees_with_the_c_library),
        cmocka_unit_test(times_out_of_range_are_clamped),
        cmocka_unit_test(other_texts_are_refused),
        cmocka_unit_test(every_cut_text_is_refused),
        cmocka_unit_test(one_text_only_is_exact),
    };
    return cmocka_run_group_tests_name("time", tests, NULL, NULL);
}
