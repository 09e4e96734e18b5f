#include <jansson.h>

#include "../base/check.h"
#include "codec/json.h"
#include "sample.h"

static json_t *schema;

static int setup(void **state)
{
    AUTO(kw_bytes) *text = NULL;

    (void)state;
    if (!kw_ok(kw_bytes_new(0, &text)) ||
        !kw_ok(codec_json_schema(sample_fields, KW_COUNT(sample_fields), text))) {
        return -1;
    }
    schema = json_loadb((char *)text->p, text->len, JSON_REJECT_DUPLICATES, NULL);
    return schema ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    json_decref(schema);
    return 0;
}

static json_t *property(const char *name)
{
    json_t *found = json_object_get(json_object_get(schema, "properties"), name);

    assert_non_null(found);
    return found;
}

static void expect(const char *name, const char *expected)
{
    json_t *wanted = json_loads(expected, 0, NULL);

    assert_non_null(wanted);
    char *got = json_dumps(property(name), JSON_COMPACT);
    if (!json_equal(property(name), wanted)) {
        fail_msg("%s: %s", name, got);
    }
    free(got);
    json_decref(wanted);
}

static void the_object_is_closed_and_names_what_it_needs(void **state)
{
    (void)state;
    assert_string_equal(json_string_value(json_object_get(schema, "type")), "object");
    assert_true(json_is_false(json_object_get(schema, "additionalProperties")));
    assert_int_equal(json_object_size(json_object_get(schema, "properties")),
                     KW_COUNT(sample_fields));
    json_t *required = json_object_get(schema, "required");
    assert_int_equal(json_array_size(required), 1);
    assert_string_equal(json_string_value(json_array_get(required, 0)), "id");
}

static void every_type_has_its_limits(void **state)
{
    (void)state;
    expect("id", "{\"type\":\"string\",\"minLength\":1,\"maxLength\":15,"
                 "\"description\":\"what it is called\"}");
    expect("note", "{\"type\":\"string\",\"maxLength\":31,\"description\":\"some \\\"lines\\\"\"}");
    expect("on", "{\"type\":\"boolean\",\"description\":\"switched on\"}");
    expect("days",
           "{\"type\":\"integer\",\"minimum\":1,\"maximum\":825,\"description\":\"validity\"}");
    expect("port", "{\"type\":\"integer\",\"minimum\":0,\"maximum\":4294967295}");
    expect("deep", "{\"type\":\"integer\",\"minimum\":-9223372036854775808,"
                   "\"maximum\":9223372036854775807}");
    expect("at", "{\"type\":\"string\",\"format\":\"date-time\",\"description\":\"when\"}");
    expect("hash", "{\"type\":\"string\",\"pattern\":\"^([0-9a-fA-F]{2})*$\",\"minLength\":8,"
                   "\"maxLength\":8}");
    expect("der", "{\"type\":\"string\",\"contentEncoding\":\"base64\"}");
    expect("colour", "{\"type\":\"string\",\"enum\":[\"none\",\"red\",\"green\"]}");
    expect("names", "{\"type\":\"array\",\"maxItems\":3,\"items\":{\"type\":\"string\","
                    "\"maxLength\":7}}");
    expect("many", "{\"type\":\"array\",\"maxItems\":2,\"items\":{\"type\":\"object\","
                   "\"additionalProperties\":false,\"properties\":{\"name\":{\"type\":\"string\","
                   "\"minLength\":1,\"maxLength\":7,\"description\":\"name of the part\"},"
                   "\"weight\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":255,"
                   "\"description\":\"in grams\"}},\"required\":[\"name\"]}}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_object_is_closed_and_names_what_it_needs, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(every_type_has_its_limits, setup, teardown),
    };
    return cmocka_run_group_tests_name("json_schema", tests, NULL, NULL);
}
