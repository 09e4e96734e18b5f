/* The parts without sockets: answers' headers, errors on the wire, routing, targets, media types.
 */
#include "kit.h"
#include "net/request.h"
#include "net/response.h"
#include "net/router.h"

static void headers_are_checked(void **state)
{
    struct http_response r = {0};
    char long_value[KW_URI_MAX + 1];
    TEST_OP(op);

    (void)state;
    assert_ok(&op, http_response_header(&op, &r, "Location", "/x"));
    assert_code(&op, http_response_header(&op, &r, "X", "a\r\nSet-Cookie: b"), KW_E_INPUT);
    assert_code(&op, http_response_header(&op, &r, "X", "a\x7f"), KW_E_INPUT);
    memset(long_value, 'a', KW_URI_MAX);
    long_value[KW_URI_MAX] = '\0';
    assert_code(&op, http_response_header(&op, &r, "X", long_value), KW_E_TOO_LARGE);
    assert_int_equal(r.n_headers, 1);
    for (unsigned i = 1; i < KW_COUNT(r.headers); i++) {
        assert_ok(&op, http_response_header(&op, &r, "X", "v"));
    }
    assert_code(&op, http_response_header(&op, &r, "X", "v"), KW_E_LIMIT);
    assert_string_equal(r.headers[0].value, "/x");
}

static void errors_as_text_and_json(void **state)
{
    struct http_response r = {0};
    char text[512];

    (void)state;
    http_errors_text.render(KW_E_NOT_FOUND, "no 'x'", "0123", &r);
    (void)snprintf(text, sizeof(text), "%.*s", (int)r.body->len, (const char *)r.body->p);
    assert_int_equal(r.status, 404);
    assert_string_equal(text, "not_found: no 'x' (request 0123)\n");
    response_reset(&r);
    http_errors_json.render(KW_E_LIMIT, "a \"quoted\" reason", "0123", &r);
    (void)snprintf(text, sizeof(text), "%.*s", (int)r.body->len, (const char *)r.body->p);
    assert_int_equal(r.status, 429);
    assert_string_equal(r.content_type, "application/problem+json");
    assert_has(text, "\"status\":429");
    assert_has(text, "\"code\":\"too_many\"");
    assert_has(text, "\"detail\":\"a \\\"quoted\\\" reason\"");
    assert_has(text, "\"request_id\":\"0123\"");
    response_reset(&r);
}

static kw_status nothing(struct kw_op *op, void *ctx, const struct http_request *request,
                         struct http_response *response)
{
    (void)op;
    (void)ctx;
    (void)request;
    (void)response;
    return KW_OK;
}

#define PLAIN(method, path, max)                                                                   \
    {method, path, AUTH_NONE, NULL, max, 1, 0, nothing, &http_errors_text, ""}
static const struct route table_a[] = {
    PLAIN(HTTP_GET, "/a", 0),
    PLAIN(HTTP_POST, "/a", 100),
    PLAIN(HTTP_GET, "/a/{id}", 0),
};
static const struct route table_b[] = {
    PLAIN(HTTP_PUT, "/a/{id}/x", 7), PLAIN(HTTP_GET, "/b/{rest...}", 0),
    PLAIN(HTTP_GET, "/a/fixed", 0), /* hidden by /a/{id}: rows are tried in order */
};

static void routes_are_found(void **state)
{
    const struct route *const tables[] = {table_a, table_b, NULL};
    const unsigned n_rows[] = {KW_COUNT(table_a), KW_COUNT(table_b)};
    AUTO(router) *router = NULL;
    struct kw_uri_params params;
    unsigned allow = 0;
    char text[64];
    TEST_OP(op);

    (void)state;
    assert_ok(&op, router_new(&op, tables, n_rows, &router));
    assert_int_equal(router_body_max(router), 100);
    assert_ptr_equal(router_find(router, HTTP_GET, "/a", &params, &allow), &table_a[0]);
    assert_ptr_equal(router_find(router, HTTP_HEAD, "/a", &params, &allow), &table_a[0]);
    assert_ptr_equal(router_find(router, HTTP_POST, "/a", &params, &allow), &table_a[1]);
    assert_ptr_equal(router_find(router, HTTP_GET, "/a/fixed", &params, &allow), &table_a[2]);
    assert_string_equal(kw_uri_param(&params, "id"), "fixed");
    assert_ptr_equal(router_find(router, HTTP_GET, "/b/x/y%2Fz", &params, &allow), &table_b[1]);
    assert_string_equal(kw_uri_param(&params, "rest"), "x/y%2Fz");
    assert_null(router_find(router, HTTP_DELETE, "/a", &params, &allow));
    router_allow_text(allow, text, sizeof(text));
    assert_string_equal(text, "GET, HEAD, POST");
    assert_null(router_find(router, HTTP_GET, "/ab", &params, &allow));
    assert_int_equal(allow, 0);
    assert_null(router_find(router, HTTP_GET, "/a/", &params, &allow));
}

static void rows_with_empty_cells_are_refused(void **state)
{
    struct route bad = table_a[0];
    const struct route *const tables[] = {&bad, NULL};
    const unsigned n_rows[] = {1};
    struct router *router = NULL;
    TEST_OP(op);

    (void)state;
    bad.errors = NULL;
    assert_code(&op, router_new(&op, tables, n_rows, &router), KW_E_INTERNAL);
    bad = table_a[0];
    bad.handler = NULL;
    assert_code(&op, router_new(&op, tables, n_rows, &router), KW_E_INTERNAL);
}

static void targets_are_split(void **state)
{
    static const struct {
        const char *target, *path, *query;
    } cases[] = {
        {"/",        "/",      ""     },
        {"/a?b=c",   "/a",     "b=c"  },
        {"/a?b?c#d", "/a",     "b?c#d"},
        {"/a#b?c",   "/a",     ""     },
        {"//a//b?",  "//a//b", ""     },
    };
    static const char *const bad[] = {"", "*", "a", "http:/x", "?"};

    (void)state;
    for (unsigned i = 0; i < KW_COUNT(cases); i++) {
        char text[64];
        const char *path = NULL;
        const char *query = NULL;
        assert_true(KW_TEXT_SET(text, cases[i].target));
        assert_true(request_split_target(text, &path, &query));
        assert_string_equal(path, cases[i].path);
        assert_string_equal(query, cases[i].query);
    }
    for (unsigned i = 0; i < KW_COUNT(bad); i++) {
        char text[64];
        const char *path = NULL;
        const char *query = NULL;
        assert_true(KW_TEXT_SET(text, bad[i]));
        assert_false(request_split_target(text, &path, &query));
    }
}

static void media_types_lose_case_and_parameters(void **state)
{
    static const struct {
        const char *header, *type;
    } cases[] = {
        {"Application/JSON; charset=utf-8",         "application/json"},
        {"text/plain",                              "text/plain"      },
        {"text/plain ;x",                           "text/plain"      },
        {"",                                        ""                },
        {"application/a-type-that-is-far-too-long", ""                },
    };
    char text[24];

    (void)state;
    for (unsigned i = 0; i < KW_COUNT(cases); i++) {
        request_media_type(cases[i].header, text, sizeof(text));
        assert_string_equal(text, cases[i].type);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_are_checked),
        cmocka_unit_test(errors_as_text_and_json),
        cmocka_unit_test(routes_are_found),
        cmocka_unit_test(rows_with_empty_cells_are_refused),
        cmocka_unit_test(targets_are_split),
        cmocka_unit_test(media_types_lose_case_and_parameters),
    };

    return KIT_RUN(tests, "http");
}
