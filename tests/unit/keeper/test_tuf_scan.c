/* TUF metadata as python-tuf has it signed; what the canonical form forbids. The same form is
 * judged by securesystemslib's own encoder in tests/interop/test_tuf.py. */
#include <stdio.h>

#include "cmd/keywright-keeper/tuf_scan.h"
#include "unit/base/check.h"

#define TAIL "\"spec_version\":\"1.0.31\",\"version\":7}"
#define EXPIRES "\"expires\":\"2026-11-22T00:00:00Z\","
#define TIMESTAMP                                                                                  \
    "{\"_type\":\"timestamp\"," EXPIRES "\"meta\":{\"snapshot.json\":{\"hashes\":{\"sha256\":"     \
    "\"00\"},\"length\":515,\"version\":7}}," TAIL

static void a_timestamp(void **state)
{
    struct tuf_head head;
    const char *wrong = NULL;

    (void)state;
    assert_ok(tuf_scan(kw_span_text(TIMESTAMP), &head, &wrong));
    assert_span(head.type, "timestamp");
    assert_span(head.expires, "2026-11-22T00:00:00Z");
    assert_span(head.spec_version, "1.0.31");
    assert_int_equal(head.version, 7);
    assert_int_equal(head.expires_unix, 1795305600);
}

/* `inside` stands where a member "m" has its value. */
static bool takes(const char *inside)
{
    char text[2048];
    struct tuf_head head;
    const char *wrong = NULL;

    int n = snprintf(text, sizeof(text), "{\"_type\":\"root\"," EXPIRES "\"m\":%s," TAIL, inside);
    assert_true(n > 0 && (size_t)n < sizeof(text));
    kw_status status = tuf_scan(KW_SPAN(text, (size_t)n), &head, &wrong);
    assert_true(kw_ok(status) || wrong);
    return kw_ok(status);
}

/* clang-format off */
static const char *const canonical[] = {
    "{}", "[]", "\"\"", "0", "-1", "true", "false", "null", "12345678901234567890123456789",
    "[[],{},[1,\"a\",null]]", "{\"\":1,\"a\":2}", "\"line\nof PEM\n\"", "\"\\\\\\\"\"", "\"以軟體\"",
    "{\"a\":1,\"b\":{\"a\":1}}", "{\"\\\"\":1,\"A\":2,\"\\\\\":3,\"a\":4}",
    "{\"a\":1,\"aa\":2,\"b\":3}",
    "{\"z\":1,\"\xc3\xa9\":2,\"\xef\xbf\xbd\":3,\"\xf0\x9f\x94\x92\":4}",
    "[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]",
};
/* clang-format on */

static void canonical_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < KW_COUNT(canonical); i++) {
        if (!takes(canonical[i])) {
            fail_msg("%s is refused", canonical[i]);
        }
    }
}

/* clang-format off */
static const char *const refused[] = {
    "", " 1", "1 ", "{ }", "[ ]", "[1, 2]", "[1,]", "[,1]", "{\"a\":1,}", "{,}", "{\"a\"}",
    "{\"a\":}", "{a:1}", "{\"a\" :1}", "{1:1}", "01", "-0", "-", "+1", "1.0", "1e3", "0x1", "00",
    "--1", "NaN", "True", "nul", "truefalse", "'a'", "\"a", "\"\\n\"", "\"\\u0041\"", "\"\\/\"",
    "\"\\\"", "\"\x01\"", "\"\x7f\"", "\"\x1b[31m\"", "\"\xff\"", "\"\xc0\xaf\"",
    "\"\xed\xa0\x80\"", "\"\xc2\x85\"", "{\"b\":1,\"a\":2}", "{\"a\":1,\"a\":2}",
    "{\"\":1,\"\":2}", "{\"aa\":1,\"a\":2}", "{\"A\":1,\"\\\"\":2}", "{\"a\":1]", "[1}",
    "{\"a\":1}}", "[]]", "[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]", "[1]1", "\"a\"\"b\"", "[1 2]",
    "/*c*/1", "12345678901234567890123456789012345678901",
};
/* clang-format on */

static void all_else_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < KW_COUNT(refused); i++) {
        if (takes(refused[i])) {
            fail_msg("%s is taken", refused[i]);
        }
    }
}

/* clang-format off */
static const char *const no_heads[] = {
    "",
    "{}",
    "[]",
    "7",
    "null",
    TIMESTAMP "\n",
    TIMESTAMP "x",
    " " TIMESTAMP,
    "{\"_type\":\"root\"," EXPIRES "\"spec_version\":\"1.0.31\"}",
    "{" EXPIRES TAIL,
    "{\"_type\":\"root\"," TAIL,
    "{\"_type\":\"root\"," EXPIRES "\"version\":7}",
    "{\"_type\":\"\"," EXPIRES TAIL,
    "{\"_type\":7," EXPIRES TAIL,
    "{\"_type\":[\"root\"]," EXPIRES TAIL,
    "{\"_type\":{\"root\":1}," EXPIRES TAIL,
    "{\"_type\":\"root\"," EXPIRES "\"spec_version\":\"1\",\"version\":\"7\"}",
    "{\"_type\":\"root\"," EXPIRES "\"spec_version\":\"1\",\"version\":0}",
    "{\"_type\":\"root\"," EXPIRES "\"spec_version\":\"1\",\"version\":-7}",
    "{\"_type\":\"root\"," EXPIRES "\"spec_version\":\"1\",\"version\":1234567890123456789}",
    "{\"_type\":\"root\"," EXPIRES "\"spec_version\":\"1\",\"version\":null}",
    "{\"_type\":\"root\"," EXPIRES "\"spec_version\":\"\",\"version\":7}",
    "{\"_type\":\"root\"," EXPIRES "\"spec_version\":1,\"version\":7}",
    "{\"_type\":\"root\",\"expires\":\"2026-11-22\"," TAIL,
    "{\"_type\":\"root\",\"expires\":\"2026-11-22T00:00:00.000Z\"," TAIL,
    "{\"_type\":\"root\",\"expires\":\"2026-11-31T00:00:00Z\"," TAIL,
    "{\"_type\":\"root\",\"expires\":1795305600," TAIL,
    /* inside of another member they count for nothing */
    "{\"a\":{\"_type\":\"root\"," EXPIRES TAIL "}",
};
/* clang-format on */

static void heads_that_are_none(void **state)
{
    struct tuf_head head;

    (void)state;
    for (size_t i = 0; i < KW_COUNT(no_heads); i++) {
        const char *wrong = NULL;
        if (kw_ok(tuf_scan(kw_span_text(no_heads[i]), &head, &wrong))) {
            fail_msg("%s is taken", no_heads[i]);
        }
        assert_non_null(wrong);
    }
}

static void every_cut_is_refused(void **state)
{
    struct tuf_head head;
    const char *wrong = NULL;

    (void)state;
    for (size_t n = 0; n < strlen(TIMESTAMP); n++) {
        assert_false(kw_ok(tuf_scan(KW_SPAN(TIMESTAMP, n), &head, &wrong)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_timestamp),          cmocka_unit_test(canonical_values),
        cmocka_unit_test(all_else_is_refused),  cmocka_unit_test(heads_that_are_none),
        cmocka_unit_test(every_cut_is_refused),
    };
    return cmocka_run_group_tests_name("keeper_tuf_scan", tests, NULL, NULL);
}
