#include <jansson.h>
#include <stdlib.h>

#include "../base/check.h"
#include "codec/json.h"
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
    return codec_json_decode(&op, text, sample_fields, KW_COUNT(sample_fields), &sample);
}

static const char *message(void)
{
    static char text[1024];

    return kw_op_message(&op, text, sizeof(text));
}

static const char full[] =
    "{\"id\":\"gr\xc3\xbc\xc3\x9f\",\"note\":\"a\\nb\\tc\",\"on\":true,\"days\":825,"
    "\"port\":4294967295,\"big\":9223372036854775807,\"level\":-5,\"deep\":-9223372036854775808,"
    "\"at\":\"2026-11-21T02:22:42.123Z\",\"atS\":\"9999-12-31T23:59:59Z\",\"hash\":\"00ff10a5\","
    "\"serial\":\"0102\",\"der\":\"MAA=\",\"colour\":\"green\",\"names\":[\"a\",\"b\",\"\"],"
    "\"one\":{\"name\":\"x\",\"weight\":255},\"many\":[{\"name\":\"y\"},"
    "{\"name\":\"z\",\"weight\":1}]}";

static void every_type_is_read(void **state)
{
    (void)state;
    assert_ok(decode(kw_span_text(full)));
    assert_string_equal(sample.id, "gr\xc3\xbc\xc3\x9f");
    assert_string_equal(sample.note, "a\nb\tc");
    assert_true(sample.on);
    assert_int_equal(sample.days, 825);
    assert_true(sample.port == UINT32_MAX && sample.big == INT64_MAX && sample.deep == INT64_MIN);
    assert_int_equal(sample.level, -5);
    assert_true(sample.at_ms == INT64_C(1795227762123));
    assert_true(sample.at_s == INT64_C(253402300799));
    assert_memory_equal(sample.hash, "\x00\xff\x10\xa5", 4);
    assert_int_equal(sample.n_serial, 2);
    assert_int_equal(sample.n_der, 2);
    assert_memory_equal(sample.der, "\x30\x00", 2);
    assert_int_equal(sample.colour, SAMPLE_GREEN);
    assert_int_equal(sample.n_names, 3);
    assert_string_equal(sample.names[1], "b");
    assert_int_equal(sample.one.weight, 255);
    assert_int_equal(sample.n_many, 2);
    assert_string_equal(sample.many[1].name, "z");
}

static void what_was_read_is_written_the_same(void **state)
{
    AUTO(kw_bytes) *text = NULL;

    (void)state;
    assert_ok(decode(kw_span_text(full)));
    assert_ok(kw_bytes_new(0, &text));
    assert_ok(codec_json_encode(&op, sample_fields, KW_COUNT(sample_fields), &sample, text));
    assert_span(kw_bytes_span(text), full);
}

static void fields_come_in_any_order_and_spacing(void **state)
{
    (void)state;
    assert_ok(decode(kw_span_text("\r\n{ \"on\" : true ,\t\"id\" : \"\\u0078\" } \n")));
    assert_string_equal(sample.id, "x");
    assert_true(sample.on);
}

static void absent_fields_keep_their_defaults(void **state)
{
    (void)state;
    sample.days = 90;
    sample.colour = SAMPLE_RED;
    memcpy(sample.many[0].name, "old", 4);
    sample.many[0].weight = 9;
    assert_ok(decode(kw_span_text("{\"id\":\"x\",\"many\":[{\"name\":\"new\"}]}")));
    assert_int_equal(sample.days, 90);
    assert_int_equal(sample.colour, SAMPLE_RED);
    assert_int_equal(sample.many[0].weight, 0); /* but an item of a list begins empty */
}

static void every_cut_text_is_refused(void **state)
{
    (void)state;
    for (size_t n = 0; n + 1 < sizeof(full); n++) {
        char *exact = test_malloc(n + 1); /* of its very size: ASan sees reads beyond */
        memcpy(exact + 1, full, n);
        assert_code(decode(KW_SPAN(exact + 1, n)), KW_E_INPUT);
        test_free(exact);
    }
}

struct bad_case {
    const char *text;
    enum kw_code code;
    const char *says; /* a part of the message */
};

#define BAD(code_, text_, says_) {.text = (text_), .code = KW_E_##code_, .says = (says_)}
static const struct bad_case bad_cases[] = {
    BAD(INPUT, "{}", "field 'id' is missing"),
    BAD(INPUT, "{\"id\":\"\"}", "field 'id' must not be empty"),
    BAD(INPUT, "{\"id\":\"x\",\"Id\":1}", "unknown field 'Id'"),
    BAD(INPUT, "{\"id\":\"x\",\"one\":{\"name\":\"a\",\"b\":1}}", "unknown field 'one.b'"),
    BAD(INPUT, "{\"id\":\"x\",\"id\":\"x\"}", "duplicate"),
    BAD(INPUT, "{\"id\":\"x\",\"on\":true,\"\\u006fn\":true}", "duplicate"),
    BAD(INPUT, "{\"id\":1}", "field 'id' must be a string"),
    BAD(INPUT, "{\"id\":null}", "field 'id' must be a string"),
    BAD(INPUT, "{\"id\":[\"x\"]}", "field 'id' must be a string"),
    BAD(TOO_LARGE, "{\"id\":\"0123456789abcdef\"}", "field 'id' has 16 octets, at most 15"),
    BAD(INPUT, "{\"id\":\"a\\nb\"}", "field 'id' has control characters"),
    BAD(INPUT, "{\"id\":\"a\\u0085b\"}", "field 'id' has control characters"),
    BAD(INPUT, "{\"id\":\"a\\u0000b\"}", "bad JSON"),
    BAD(INPUT, "{\"id\":\"a\\ud800b\"}", "bad JSON"),
    BAD(INPUT, "{\"id\":\"a\xff\"}", "bad JSON"),
    BAD(INPUT, "{\"id\":\"x\",\"note\":\"a\\u001bb\"}", "field 'note' has control characters"),
    BAD(INPUT, "{\"id\":\"x\",\"on\":1}", "field 'on' must be true or false"),
    BAD(INPUT, "{\"id\":\"x\",\"days\":0}", "field 'days' is 0, it must be from 1 to 825"),
    BAD(INPUT, "{\"id\":\"x\",\"days\":826}", "field 'days' is 826"),
    BAD(INPUT, "{\"id\":\"x\",\"days\":65537}", "field 'days' is 65537"),
    BAD(INPUT, "{\"id\":\"x\",\"days\":1.0}", "field 'days' must be a whole number"),
    BAD(INPUT, "{\"id\":\"x\",\"days\":\"1\"}", "field 'days' must be a whole number"),
    BAD(INPUT, "{\"id\":\"x\",\"days\":1e2}", "field 'days' must be a whole number"),
    BAD(INPUT, "{\"id\":\"x\",\"port\":4294967296}", "field 'port' is 4294967296"),
    BAD(INPUT, "{\"id\":\"x\",\"port\":-1}", "field 'port' is -1"),
    BAD(INPUT, "{\"id\":\"x\",\"big\":-1}", "field 'big' is -1"),
    BAD(INPUT, "{\"id\":\"x\",\"big\":9223372036854775808}", "bad JSON"),
    BAD(INPUT, "{\"id\":\"x\",\"level\":6}", "field 'level' is 6, it must be from -5 to 5"),
    BAD(INPUT, "{\"id\":\"x\",\"at\":\"2026-11-21\"}", "field 'at' must be a time"),
    BAD(INPUT, "{\"id\":\"x\",\"at\":\"\"}", "field 'at' must be a time"),
    BAD(INPUT, "{\"id\":\"x\",\"at\":1795227762}", "field 'at' must be a time"),
    BAD(INPUT, "{\"id\":\"x\",\"atS\":\"2026-11-21T02:22:42.123Z\"}", "a whole second"),
    BAD(INPUT, "{\"id\":\"x\",\"hash\":\"00\"}", "field 'hash' has 1 octets, it must have 4"),
    BAD(INPUT, "{\"id\":\"x\",\"hash\":\"0g112233\"}", "field 'hash' is no good hexadecimal"),
    BAD(TOO_LARGE, "{\"id\":\"x\",\"hash\":\"0011223344\"}", "more than 4 octets"),
    BAD(INPUT, "{\"id\":\"x\",\"serial\":\"012\"}", "field 'serial' is no good hexadecimal"),
    BAD(TOO_LARGE, "{\"id\":\"x\",\"serial\":\"010203040506070809\"}", "more than 8 octets"),
    BAD(INPUT, "{\"id\":\"x\",\"der\":\"MA\"}", "field 'der' is no good base64"),
    BAD(INPUT, "{\"id\":\"x\",\"colour\":\"blue\"}", "'blue' is none of the known values"),
    BAD(INPUT, "{\"id\":\"x\",\"colour\":1}", "field 'colour' must be a string"),
    BAD(INPUT, "{\"id\":\"x\",\"names\":\"a\"}", "field 'names' must be a list"),
    BAD(INPUT, "{\"id\":\"x\",\"names\":{}}", "field 'names' must be a list"),
    BAD(INPUT, "{\"id\":\"x\",\"names\":[\"a\",7]}", "field 'names[1]' must be a string"),
    BAD(TOO_LARGE, "{\"id\":\"x\",\"names\":[\"12345678\"]}", "field 'names[0]' has 8 octets"),
    BAD(TOO_LARGE, "{\"id\":\"x\",\"names\":[\"\",\"\",\"\",\"\"]}", "more than 3 items"),
    BAD(INPUT, "{\"id\":\"x\",\"one\":[]}", "field 'one' must be an object"),
    BAD(INPUT, "{\"id\":\"x\",\"one\":{}}", "field 'one.name' is missing"),
    BAD(INPUT, "{\"id\":\"x\",\"many\":[{\"name\":\"a\"},{}]}", "field 'many[1].name' is missing"),
    BAD(INPUT, "{\"id\":\"x\",\"many\":[{\"name\":\"a\",\"weight\":256}]}", "'many[0].weight'"),
    BAD(INPUT, "[]", "no object"),
    BAD(INPUT, "\"x\"", "bad JSON"),
    BAD(INPUT, "", "nothing"),
    BAD(INPUT, "{\"id\":\"x\"}x", "bad JSON at line 1, column 11"),
    BAD(INPUT, "{\"id\":\"x\",}", "bad JSON"),
    BAD(INPUT, "{'id':'x'}", "bad JSON"),
    BAD(INPUT, "{\"id\":\"x\"/**/}", "bad JSON"),
    BAD(INPUT, "\xef\xbb\xbf{\"id\":\"x\"}", "bad JSON"),
};

static void refusals_name_the_field(void **state)
{
    (void)state;
    for (size_t i = 0; i < KW_COUNT(bad_cases); i++) {
        kw_op_clear(&op);
        kw_status status = decode(kw_span_text(bad_cases[i].text));
        if (status.code != bad_cases[i].code || !strstr(message(), bad_cases[i].says)) {
            fail_msg("%s: %s: %s", bad_cases[i].text, kw_code_text(status.code), message());
        }
        assert_code(codec_json_decode(NULL, kw_span_text(bad_cases[i].text), sample_fields,
                                      KW_COUNT(sample_fields), &sample),
                    bad_cases[i].code);
    }
}

static void an_object_inside_an_object_twice_is_refused(void **state)
{
    (void)state;
    assert_code(decode(kw_span_text("{\"id\":\"x\",\"one\":{\"name\":\"a\",\"name\":\"b\"}}")),
                KW_E_INPUT);
}

static void size_and_depth_have_limits(void **state)
{
    AUTO(kw_bytes) *text = NULL;

    (void)state;
    assert_ok(kw_bytes_new(0, &text));
    for (size_t i = 0; i < 200000; i++) {
        assert_ok(kw_bytes_append_text(text, "["));
    }
    assert_code(decode(kw_bytes_span(text)), KW_E_TOO_LARGE);
    assert_non_null(strstr(message(), "deeper than"));
    while (text->len <= KW_JSON_DOC_MAX) {
        assert_ok(kw_bytes_append_text(text, "                        "));
    }
    assert_code(decode(kw_bytes_span(text)), KW_E_TOO_LARGE);
    assert_non_null(strstr(message(), "at most 1048576"));
}

static void brackets_inside_strings_are_no_depth(void **state)
{
    (void)state;
    assert_ok(decode(kw_span_text("{\"id\":\"x\",\"note\":\"\\\"[[[[[[[[[[[[[[[[[[[[\\\\\"}")));
}

static void empty_members_are_left_out(void **state)
{
    AUTO(kw_bytes) *text = NULL;

    (void)state;
    assert_ok(kw_bytes_copy(kw_span_text(">"), &text));
    assert_ok(codec_json_encode(&op, sample_fields, KW_COUNT(sample_fields), &sample, text));
    assert_span(kw_bytes_span(text), ">{\"id\":\"\",\"hash\":\"00000000\"}");
}

static void expect_refusal(struct kw_bytes *text, const char *field)
{
    char says[64];

    assert_code(codec_json_encode(&op, sample_fields, KW_COUNT(sample_fields), &sample, text),
                KW_E_INTERNAL);
    (void)snprintf(says, sizeof(says), "field '%s'", field);
    assert_non_null(strstr(message(), says));
    assert_span(kw_bytes_span(text), ">");
    memset(&sample, 0, sizeof(sample));
}

static void broken_members_are_never_written(void **state)
{
    AUTO(kw_bytes) *text = NULL;

    (void)state;
    assert_ok(kw_bytes_copy(kw_span_text(">"), &text));
    memset(sample.id, 'x', sizeof(sample.id)); /* no NUL */
    expect_refusal(text, "id");
    memcpy(sample.note, "\xff", 2);
    expect_refusal(text, "note");
    sample.n_names = 4;
    expect_refusal(text, "names");
    sample.n_many = 3;
    expect_refusal(text, "many");
    sample.n_serial = 9;
    expect_refusal(text, "serial");
    sample.n_der = 31;
    expect_refusal(text, "der");
    sample.colour = SAMPLE_HIDDEN;
    expect_refusal(text, "colour");
    sample.colour = (enum sample_colour)77;
    expect_refusal(text, "colour");
    sample.big = UINT64_MAX;
    expect_refusal(text, "big");
    sample.n_many = 1;
    memcpy(sample.many[0].name, "\xc3", 2);
    expect_refusal(text, "name");
}

/* Any text: what jansson reads from our string is what we put in; nothing below blank goes out raw.
 */
static void strings_survive_another_reader(void **state)
{
    uint64_t seed = 7;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        char text[40];
        size_t n = 0;
        size_t wanted = check_random(&seed) % 30;
        while (n < wanted) {
            uint32_t pick = check_random(&seed);
            static const char *const chars[] = {
                "\xc3\xbc", "\xe2\x80\xa8", "\xf0\x9f\x94\x91", "\"", "\\", "\x7f", "/"};
            if (pick % 3 == 0) {
                const char *c = chars[(pick >> 8) % KW_COUNT(chars)];
                memcpy(text + n, c, strlen(c));
                n += strlen(c);
            } else {
                text[n++] = (char)(1 + (pick >> 8) % 127);
            }
        }
        AUTO(kw_bytes) *json = NULL;
        assert_ok(kw_bytes_new(0, &json));
        assert_ok(codec_json_string(KW_SPAN(text, n), json));
        json_t *read = json_loadb((char *)json->p, json->len, JSON_DECODE_ANY, NULL);
        assert_non_null(read);
        assert_int_equal(json_string_length(read), n);
        assert_memory_equal(json_string_value(read), text, n);
        json_decref(read);
        for (size_t i = 0; i < json->len; i++) {
            assert_true(json->p[i] >= 0x20);
        }
    }
}

static void escapes_are_those_of_rfc_8785(void **state)
{
    AUTO(kw_bytes) *json = NULL;

    (void)state;
    assert_ok(kw_bytes_new(0, &json));
    assert_ok(codec_json_string(KW_SPAN("\b\f\n\r\t\"\\/\x1f\0\x7f", 11), json));
    assert_span(kw_bytes_span(json), "\"\\b\\f\\n\\r\\t\\\"\\\\/\\u001f\\u0000\x7f\"");
    json->len = 0;
    assert_code(codec_json_string(KW_SPAN("ab\xe2\x82", 4), json), KW_E_INPUT);
    assert_int_equal(json->len, 0);
}

static void fill_text(char *text, size_t cap, uint64_t *seed)
{
    size_t n = check_random(seed) % cap;

    for (size_t i = 0; i < n; i++) {
        text[i] = (char)(' ' + check_random(seed) % 95);
    }
    text[n] = '\0';
}

static int64_t any_int64(uint64_t *seed)
{
    uint64_t high = check_random(seed);

    return (int64_t)((high << 32 | check_random(seed)) >> check_random(seed) % 64);
}

static void fill_sample(struct sample *s, uint64_t *seed)
{
    memset(s, 0, sizeof(*s));
    fill_text(s->id, sizeof(s->id), seed);
    s->id[0] = 'x'; /* required */
    fill_text(s->note, sizeof(s->note), seed);
    s->on = check_random(seed) % 2;
    s->days = (uint16_t)(1 + check_random(seed) % 825);
    s->port = check_random(seed);
    s->big = (uint64_t)any_int64(seed) >> 1;
    s->level = (int)(check_random(seed) % 11) - 5;
    s->deep = any_int64(seed);
    s->at_ms = any_int64(seed) % INT64_C(253402300799999);
    s->at_s = any_int64(seed) % INT64_C(253402300799);
    s->at_ms = s->at_ms < 0 ? -s->at_ms : s->at_ms;
    s->at_s = s->at_s < 0 ? -s->at_s : s->at_s;
    s->n_serial = check_random(seed) % 9;
    s->n_der = check_random(seed) % 31;
    for (size_t i = 0; i < s->n_serial; i++) {
        s->serial[i] = (uint8_t)check_random(seed);
    }
    for (size_t i = 0; i < s->n_der; i++) {
        s->der[i] = (uint8_t)check_random(seed);
    }
    s->colour = (enum sample_colour)(check_random(seed) % SAMPLE_HIDDEN);
    s->n_names = (uint8_t)(check_random(seed) % 4);
    for (size_t i = 0; i < s->n_names; i++) {
        fill_text(s->names[i], sizeof(s->names[i]), seed);
    }
    s->n_many = check_random(seed) % 3;
    for (size_t i = 0; i < s->n_many; i++) {
        fill_text(s->many[i].name, sizeof(s->many[i].name), seed);
        s->many[i].name[0] = 'y';
        s->many[i].weight = (uint8_t)check_random(seed);
    }
}

static void any_struct_goes_there_and_back(void **state)
{
    uint64_t seed = 3;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        struct sample before;
        AUTO(kw_bytes) *first = NULL;
        AUTO(kw_bytes) *second = NULL;
        fill_sample(&before, &seed);
        assert_ok(kw_bytes_new(0, &first));
        assert_ok(kw_bytes_new(0, &second));
        assert_ok(codec_json_encode(&op, sample_fields, KW_COUNT(sample_fields), &before, first));
        memset(&sample, 0, sizeof(sample));
        kw_status status = decode(kw_bytes_span(first));
        if (!kw_ok(status)) {
            fail_msg("%s: %.*s", message(), (int)first->len, (char *)first->p);
        }
        assert_ok(codec_json_encode(&op, sample_fields, KW_COUNT(sample_fields), &sample, second));
        assert_true(kw_span_equal(kw_bytes_span(first), kw_bytes_span(second)));
        assert_true(sample.deep == before.deep && sample.big == before.big);
        assert_memory_equal(sample.der, before.der, before.n_der);
        assert_string_equal(sample.note, before.note);
    }
}

static void lists_are_written_item_by_item(void **state)
{
    AUTO(kw_bytes) *text = NULL;
    struct codec_list list;
    struct sample_part part = {.name = "a", .weight = 1};
    struct sample_part broken = {.name = "\xff"};

    (void)state;
    assert_ok(kw_bytes_new(0, &text));
    assert_ok(codec_json_list_begin(&op, &list, text));
    assert_ok(codec_json_list_end(&op, &list, NULL));
    assert_span(kw_bytes_span(text), "{\"items\":[]}");
    text->len = 0;
    assert_ok(codec_json_list_begin(&op, &list, text));
    for (int i = 0; i < 2; i++) {
        assert_ok(codec_json_list_item(&op, &list, sample_part_fields, KW_COUNT(sample_part_fields),
                                       &part));
        assert_code(codec_json_list_item(&op, &list, sample_part_fields,
                                         KW_COUNT(sample_part_fields), &broken),
                    KW_E_INTERNAL); /* and leaves the list as it was */
    }
    assert_ok(codec_json_list_end(&op, &list, "after \"a\""));
    assert_span(kw_bytes_span(text),
                "{\"items\":[{\"name\":\"a\",\"weight\":1},"
                "{\"name\":\"a\",\"weight\":1}],\"next\":\"after \\\"a\\\"\"}");
    assert_int_equal(list.n_items, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(every_type_is_read, setup),
        cmocka_unit_test_setup(what_was_read_is_written_the_same, setup),
        cmocka_unit_test_setup(fields_come_in_any_order_and_spacing, setup),
        cmocka_unit_test_setup(absent_fields_keep_their_defaults, setup),
        cmocka_unit_test_setup(every_cut_text_is_refused, setup),
        cmocka_unit_test_setup(refusals_name_the_field, setup),
        cmocka_unit_test_setup(an_object_inside_an_object_twice_is_refused, setup),
        cmocka_unit_test_setup(size_and_depth_have_limits, setup),
        cmocka_unit_test_setup(brackets_inside_strings_are_no_depth, setup),
        cmocka_unit_test_setup(empty_members_are_left_out, setup),
        cmocka_unit_test_setup(broken_members_are_never_written, setup),
        cmocka_unit_test_setup(strings_survive_another_reader, setup),
        cmocka_unit_test_setup(escapes_are_those_of_rfc_8785, setup),
        cmocka_unit_test_setup(any_struct_goes_there_and_back, setup),
        cmocka_unit_test_setup(lists_are_written_item_by_item, setup),
    };
    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
