#include <unistd.h>

#include "../base/check.h"
#include "codec/yaml.h"
#include "sample.h"

static struct kw_op op;
static struct sample sample;

static int setup(void **state)
{
    (void)state;
    kw_op_init(&op, "operator:alice", 0);
    memset(&sample, 0, sizeof(sample));
    return 0;
}

static kw_status decode(struct kw_span text)
{
    return codec_yaml_decode(&op, text, sample_fields, KW_COUNT(sample_fields), &sample);
}

static const char *message(void)
{
    static char text[1024];

    return kw_op_message(&op, text, sizeof(text));
}

static const char full[] = "# a sample\n"
                           "id: no        # the word, not false\n"
                           "note: |\n"
                           "  first\n"
                           "  second\n"
                           "on: true\n"
                           "days: 825\n"
                           "port: 4294967295\n"
                           "big: 9223372036854775807\n"
                           "level: -5\n"
                           "at: 2026-11-21T02:22:42.123Z\n"
                           "hash: 00112233\n"
                           "serial: \"0102\"\n"
                           "der: MAA=\n"
                           "colour: green\n"
                           "names: [a, 'b', \"1\\u00fc\"]\n"
                           "one: {name: 1e3, weight: 7}\n"
                           "many:\n"
                           "  - name: y\n"
                           "    weight: 255\n"
                           "  - name: ~x\n";

static void every_type_is_read(void **state)
{
    (void)state;
    kw_status status = decode(kw_span_text(full));
    if (!kw_ok(status)) {
        fail_msg("%s", message());
    }
    assert_string_equal(sample.id, "no");
    assert_string_equal(sample.note, "first\nsecond\n");
    assert_true(sample.on);
    assert_int_equal(sample.days, 825);
    assert_true(sample.port == UINT32_MAX && sample.big == INT64_MAX);
    assert_int_equal(sample.level, -5);
    assert_true(sample.at_ms == INT64_C(1795227762123));
    assert_memory_equal(sample.hash, "\x00\x11\x22\x33", 4);
    assert_int_equal(sample.n_der, 2);
    assert_int_equal(sample.colour, SAMPLE_GREEN);
    assert_int_equal(sample.n_names, 3);
    assert_string_equal(sample.names[2], "1\xc3\xbc");
    assert_string_equal(sample.one.name, "1e3");
    assert_int_equal(sample.n_many, 2);
    assert_int_equal(sample.many[0].weight, 255);
    assert_string_equal(sample.many[1].name, "~x");
}

static void the_ends_of_the_numbers_are_read(void **state)
{
    (void)state;
    assert_ok(decode(kw_span_text("{id: x, deep: -9223372036854775808}")));
    assert_true(sample.deep == INT64_MIN);
    assert_ok(decode(kw_span_text("{id: x, deep: 9223372036854775807}")));
    assert_true(sample.deep == INT64_MAX);
    assert_code(decode(kw_span_text("{id: x, deep: -9223372036854775809}")), KW_E_INPUT);
    assert_ok(decode(kw_span_text("{id: x, deep: -0}")));
    assert_true(sample.deep == 0);
}

static void json_is_yaml_too(void **state)
{
    (void)state;
    assert_ok(decode(kw_span_text("{\"id\": \"x\", \"days\": 3, \"on\": false}")));
    assert_int_equal(sample.days, 3);
}

/* What editors of other systems write. */
static void ends_of_lines_and_marks(void **state)
{
    static const char *const texts[] = {
        "id: x\r\ndays: 3\r\n",
        "\xef\xbb\xbfid: x\ndays: 3\n",
        "--- # begin\nid: x\ndays: 3\n...\n",
        "id: >-\n  x\ndays:   3   # three\n",
        "\n\n  id: x\n  days: 3",
    };

    (void)state;
    for (size_t i = 0; i < KW_COUNT(texts); i++) {
        memset(&sample, 0, sizeof(sample));
        kw_status status = decode(kw_span_text(texts[i]));
        if (!kw_ok(status) || sample.days != 3 || strcmp(sample.id, "x") != 0) {
            fail_msg("%s: %s, '%s'", texts[i], message(), sample.id);
        }
    }
}

struct bad_case {
    const char *text;
    enum kw_code code;
    const char *says;
};

#define BAD(code_, text_, says_) {.text = (text_), .code = KW_E_##code_, .says = (says_)}
static const struct bad_case bad_cases[] = {
    BAD(INPUT, "days: 3\n", "field 'id' is missing"),
    BAD(INPUT, "id: x\nID: y\n", "unknown field 'ID'"),
    BAD(INPUT, "id: x\nid: y\n", "duplicate key"),
    BAD(INPUT, "{id: x, 'id': y}", "duplicate key"),
    BAD(INPUT, "id: x\none: {name: a, name: b}\n", "duplicate key"),
    BAD(INPUT, "id:\n", "field 'id' must be a string"),
    BAD(INPUT, "id: ~\n", "field 'id' must be a string"),
    BAD(INPUT, "id: null\n", "field 'id' must be a string"),
    BAD(INPUT, "id: ''\n", "field 'id' must not be empty"),
    BAD(INPUT, "id: [x]\n", "field 'id' must be a string"),
    BAD(TOO_LARGE, "id: 0123456789abcdef\n", "field 'id' has 16 octets"),
    BAD(INPUT, "id: \"a\\nb\"\n", "control characters"),
    BAD(INPUT, "id: \"a\\0b\"\n", "control characters"),
    BAD(INPUT, "id: x\ndays: '3'\n", "field 'days' must be a whole number"),
    BAD(INPUT, "id: x\ndays: 0x3\n", "field 'days' must be a whole number"),
    BAD(INPUT, "id: x\ndays: 03\n", "field 'days' must be a whole number"),
    BAD(INPUT, "id: x\ndays: +3\n", "field 'days' must be a whole number"),
    BAD(INPUT, "id: x\ndays: 3.0\n", "field 'days' must be a whole number"),
    BAD(INPUT, "id: x\ndays: 1_0\n", "field 'days' must be a whole number"),
    BAD(INPUT, "id: x\ndays: -\n", "bad YAML at line 2"),
    BAD(INPUT, "id: x\nbig: 9223372036854775808\n", "field 'big' must be a whole number"),
    BAD(INPUT, "id: x\nbig: 99999999999999999999\n", "field 'big' must be a whole number"),
    BAD(INPUT, "id: x\ndays: 1e3\n", "field 'days' must be a whole number"),
    BAD(INPUT, "id: x\ndays: 0o7\n", "field 'days' must be a whole number"),
    BAD(INPUT, "id: x\ndays: 1:30\n", "field 'days' must be a whole number"),
    BAD(INPUT, "id: x\ndays: .inf\n", "field 'days' must be a whole number"),
    BAD(INPUT, "id: x\ndays: 3 4\n", "field 'days' must be a whole number"),
    BAD(INPUT, "id: x\ndays: |\n  3\n", "field 'days' must be a whole number"),
    BAD(INPUT, "id: x\non: yes\n", "field 'on' must be true or false"),
    BAD(INPUT, "id: x\non: True\n", "field 'on' must be true or false"),
    BAD(INPUT, "id: x\non: 1\n", "field 'on' must be true or false"),
    BAD(INPUT, "id: x\non: 'true'\n", "field 'on' must be true or false"),
    BAD(INPUT, "id: x\nnames: a\n", "field 'names' must be a list"),
    BAD(TOO_LARGE, "id: x\nnames: [a, b, c, d]\n", "more than 3 items"),
    BAD(INPUT, "id: x\none:\n", "field 'one' must be an object"),
    BAD(INPUT, "id: x\nmany: [{name: a}, {weight: 1}]\n", "field 'many[1].name' is missing"),
    BAD(INPUT, "id: a\x07\n", "control characters or is not UTF-8"),
    BAD(INPUT, "id: a\xff\n", "control characters or is not UTF-8"),
    BAD(INPUT, "i\0d\0:\0", "no object"), /* of UTF-16 a text ends at its first octet */
    BAD(INPUT, "\xff\xfei\xff", "control characters or is not UTF-8"),
    BAD(INPUT,
        "id: a\xc2\x85"
        "b\n",
        "control characters or is not UTF-8"), /* NEL */
    BAD(INPUT, "%YAML 1.1\n---\nid: x\n", "directives"),
    BAD(INPUT, "id: x\n...\n%TAG ! x\n", "directives"),
    BAD(INPUT, "- id\n", "no object"),
    BAD(INPUT, "x\n", "no object"),
    BAD(INPUT, "", "nothing"),
    BAD(INPUT, "# only a comment\n", "no YAML document"),
    BAD(INPUT, "id: x\n---\nid: y\n", "more than one YAML document"),
    BAD(INPUT, "id: x\n--- [\n", "bad YAML"),
    BAD(INPUT, "id: [\n", "bad YAML"),
    BAD(INPUT, "id: \"x\n", "bad YAML"),
    BAD(INPUT, "\tid: x\n", "bad YAML at line 1"),
    BAD(INPUT, "id: !!str x\n", "field 'id' must be a string"),
    BAD(INPUT, "id: !x y\n", "field 'id' must be a string"),
    BAD(INPUT, "id: &a x\n", "field 'id' must be a string"),
    BAD(INPUT, "id: x\nnames: &n [a]\n", "field 'names' must be a list"),
    BAD(INPUT, "id: x\none: !!map {name: a}\n", "field 'one' must be an object"),
    BAD(INPUT, "id: x\n<<: {note: y}\n", "unknown field '<<'"),
    BAD(INPUT, "id: x\n? [a, b]\n: c\n", "unknown field ''"),
    BAD(INPUT, "id: x\n# y\n\nnote: [a]\n", "line 4: field 'note' must be a string"),
    BAD(INPUT, "id: x\none:\n  colour: y\n", "line 3: unknown field 'one.colour'"),
    BAD(INPUT, "id: x\n~: c\n", "unknown field ''"),
};

static void refusals_name_the_field_or_the_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < KW_COUNT(bad_cases); i++) {
        kw_op_clear(&op);
        kw_status status = decode(kw_span_text(bad_cases[i].text));
        if (status.code != bad_cases[i].code || !strstr(message(), bad_cases[i].says)) {
            fail_msg("%s: %s: %s", bad_cases[i].text, kw_code_text(status.code), message());
        }
        assert_code(codec_yaml_decode(NULL, kw_span_text(bad_cases[i].text), sample_fields,
                                      KW_COUNT(sample_fields), &sample),
                    bad_cases[i].code);
    }
}

static void aliases_multiply_nothing(void **state)
{
    (void)state;
    static const char bomb[] = "id: x\n"
                               "names: &a [l, l, l]\n"
                               "many: &b [*a, *a, *a, *a, *a, *a, *a, *a]\n"
                               "one: &c [*b, *b, *b, *b, *b, *b, *b, *b]\n";
    assert_code(decode(kw_span_text(bomb)), KW_E_INPUT);
    assert_code(decode(kw_span_text("id: x\nnote: &a y\none: {name: *a}\n")), KW_E_INPUT);
    assert_code(decode(kw_span_text("id: *x\n")), KW_E_INPUT);
}

static void size_and_depth_have_limits(void **state)
{
    AUTO(kw_bytes) *text = NULL;

    (void)state;
    assert_ok(kw_bytes_copy(kw_span_text("id: "), &text));
    while (text->len < 100000) {
        assert_ok(kw_bytes_append_text(text, "["));
    }
    assert_code(decode(kw_bytes_span(text)), KW_E_INPUT);
    while (text->len <= KW_YAML_DOC_MAX) {
        assert_ok(kw_bytes_append_text(text, "                        "));
    }
    assert_code(decode(kw_bytes_span(text)), KW_E_TOO_LARGE);
}

static void cut_texts_never_harm(void **state)
{
    (void)state;
    for (size_t n = 0; n + 1 < sizeof(full); n++) {
        char *exact = test_malloc(n + 1); /* of its very size: ASan sees reads beyond */
        memcpy(exact + 1, full, n);
        kw_status status = decode(KW_SPAN(exact + 1, n));
        assert_true(kw_ok(status) || status.code == KW_E_INPUT);
        test_free(exact);
    }
}

/* A library that prints on its own would garble a daemon's log. */
static void nothing_is_printed(void **state)
{
    char printed[16];
    int ends[2];

    (void)state;
    (void)fflush(stderr);
    assert_int_equal(pipe(ends), 0);
    int kept = dup(STDERR_FILENO);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    kw_status status = decode(kw_span_text("id: [\n"));
    (void)fflush(stderr);
    assert_true(dup2(kept, STDERR_FILENO) >= 0);
    (void)close(kept);
    (void)close(ends[1]);
    assert_code(status, KW_E_INPUT);
    assert_int_equal(read(ends[0], printed, sizeof(printed)), 0);
    (void)close(ends[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(every_type_is_read, setup),
        cmocka_unit_test_setup(the_ends_of_the_numbers_are_read, setup),
        cmocka_unit_test_setup(json_is_yaml_too, setup),
        cmocka_unit_test_setup(ends_of_lines_and_marks, setup),
        cmocka_unit_test_setup(refusals_name_the_field_or_the_place, setup),
        cmocka_unit_test_setup(aliases_multiply_nothing, setup),
        cmocka_unit_test_setup(size_and_depth_have_limits, setup),
        cmocka_unit_test_setup(cut_texts_never_harm, setup),
        cmocka_unit_test_setup(nothing_is_printed, setup),
    };
    return cmocka_run_group_tests_name("yaml", tests, NULL, NULL);
}
