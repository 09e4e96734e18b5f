#include "base/uri.h"
#include "check.h"

static struct kw_uri_params params;

static void templates_take_their_paths(void **state)
{
    (void)state;
    assert_true(kw_uri_match("/v1/certs", "/v1/certs", &params));
    assert_int_equal(params.n, 0);
    assert_true(kw_uri_match("/v1/certs/{id}/revoke", "/v1/certs/4f%201c/revoke", &params));
    assert_string_equal(kw_uri_param(&params, "id"), "4f 1c");
    assert_null(kw_uri_param(&params, "name"));
    assert_true(kw_uri_match("/{a}/{b}/{c}/{d}", "/1/2/3/4", &params));
    assert_string_equal(kw_uri_param(&params, "d"), "4");
    assert_true(kw_uri_match("/", "/", &params));
    assert_true(
        kw_uri_match("/crl/{id}.", "/crl/{id}.", &params)); /* no parameter: taken literally */
}

static void a_tail_takes_the_rest_as_it_is(void **state)
{
    (void)state;
    assert_true(kw_uri_match("/tile/{path...}", "/tile/0/x001/%41/..", &params));
    assert_string_equal(kw_uri_param(&params, "path"), "0/x001/%41/..");
    assert_true(kw_uri_match("/ui/{path...}", "/ui/", &params));
    assert_string_equal(kw_uri_param(&params, "path"), "");
    assert_false(kw_uri_match("/ui/{path...}", "/ui", &params));
}

static void other_paths_do_not_match(void **state)
{
    static const char *const bad[] = {
        "",
        "/",
        "/v1",
        "/v1/certs",
        "/v1/certs/",
        "/v1/certs//revoke",
        "/v1/certs/x",
        "/v1/certs/x/",
        "/v1/certs/x/revoke/",
        "/v1/certs/x/revoke/y",
        "/v1/certs/x/y/revoke",
        "v1/certs/x/revoke",
        "//v1/certs/x/revoke",
        "/V1/certs/x/revoke",
        "/v1/certs/%/revoke",
        "/v1/certs/%4/revoke",
        "/v1/certs/%zz/revoke",
        "/v1/certs/a%00b/revoke",
        "/%761/certs/x/revoke",
        "/v1/certs/x/revoked",
    };

    (void)state;
    for (size_t i = 0; i < KW_COUNT(bad); i++) {
        if (kw_uri_match("/v1/certs/{id}/revoke", bad[i], &params)) {
            fail_msg("'%s' matched", bad[i]);
        }
    }
}

static void an_escaped_slash_makes_no_segment(void **state)
{
    (void)state;
    assert_true(kw_uri_match("/v1/certs/{id}", "/v1/certs/a%2Frevoke", &params));
    assert_string_equal(kw_uri_param(&params, "id"), "a/revoke");
    assert_false(kw_uri_match("/v1/certs/{id}/revoke", "/v1/certs/a%2Frevoke", &params));
}

static void templates_beyond_our_room_never_match(void **state)
{
    (void)state;
    assert_false(kw_uri_match("/{a}/{b}/{c}/{d}/{e}", "/1/2/3/4/5", &params));
    assert_false(kw_uri_match("/{a-name-of-twenty-four-xx}", "/1", &params));
}

static void a_value_too_long_does_not_match(void **state)
{
    char path[KW_URI_MAX + 2] = "/";

    (void)state;
    memset(path + 1, 'a', KW_URI_MAX);
    path[KW_URI_MAX + 1] = '\0';
    assert_false(kw_uri_match("/{id}", path, &params));
    assert_false(kw_uri_match("/{id...}", path, &params));
    path[KW_URI_MAX] = '\0';
    assert_true(kw_uri_match("/{id}", path, &params));
    assert_true(kw_uri_match("/{id...}", path, &params));
}

static void queries_are_looked_up(void **state)
{
    char value[8];

    (void)state;
    assert_ok(kw_uri_query("a=1&bc=x%26y&d", "a", value, sizeof(value)));
    assert_string_equal(value, "1");
    assert_ok(kw_uri_query("a=1&bc=x%26y&d", "bc", value, sizeof(value)));
    assert_string_equal(value, "x&y");
    assert_ok(kw_uri_query("a=1&bc=x%26y&d", "d", value, sizeof(value)));
    assert_string_equal(value, "");
    assert_ok(kw_uri_query("a==1=+", "a", value, sizeof(value)));
    assert_string_equal(value, "=1=+");
    assert_code(kw_uri_query("a=1&bc=2", "b", value, sizeof(value)), KW_E_NOT_FOUND);
    assert_code(kw_uri_query("a=b", "b", value, sizeof(value)), KW_E_NOT_FOUND);
    assert_code(kw_uri_query("", "b", value, sizeof(value)), KW_E_NOT_FOUND);
    assert_code(kw_uri_query(NULL, "b", value, sizeof(value)), KW_E_NOT_FOUND);
    assert_code(kw_uri_query("a=12345678", "a", value, sizeof(value)), KW_E_TOO_LARGE);
    assert_code(kw_uri_query("a=%0", "a", value, sizeof(value)), KW_E_INPUT);
    assert_code(kw_uri_query("a=1&&a=1", "a", value, sizeof(value)), KW_E_INPUT); /* twice */
}

static void encoding_goes_there_and_back(void **state)
{
    char all[256];
    char back[256];
    AUTO(kw_bytes) *text = NULL;

    (void)state;
    for (int i = 1; i < 256; i++) {
        all[i - 1] = (char)i;
    }
    all[255] = '\0';
    assert_ok(kw_bytes_new(0, &text));
    assert_ok(kw_uri_encode(all, text));
    for (size_t i = 0; i < text->len; i++) {
        assert_non_null(strchr(
            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~%", text->p[i]));
    }
    assert_ok(kw_uri_decode(kw_bytes_span(text), back, sizeof(back)));
    assert_string_equal(back, all);
    assert_code(kw_uri_decode(kw_bytes_span(text), back, sizeof(back) - 1), KW_E_TOO_LARGE);
    assert_code(kw_uri_decode(KW_SPAN(NULL, 0), back, 0), KW_E_TOO_LARGE);
    assert_code(kw_uri_decode(KW_SPAN("a\0", 2), back, sizeof(back)), KW_E_INPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(templates_take_their_paths),
        cmocka_unit_test(a_tail_takes_the_rest_as_it_is),
        cmocka_unit_test(other_paths_do_not_match),
        cmocka_unit_test(an_escaped_slash_makes_no_segment),
        cmocka_unit_test(templates_beyond_our_room_never_match),
        cmocka_unit_test(a_value_too_long_does_not_match),
        cmocka_unit_test(queries_are_looked_up),
        cmocka_unit_test(encoding_goes_there_and_back),
    };
    return cmocka_run_group_tests_name("uri", tests, NULL, NULL);
}
