/* Routes of the tests: what handlers do, well and badly. */
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "rig_internal.h"

enum { BODY_MAX = 50000000, NAP_MAX_MS = 2000 };

static kw_status text_body(struct http_response *response, const char *text)
{
    response->content_type = "text/plain";
    return kw_bytes_copy(kw_span_text(text), &response->body);
}

static kw_status hello(struct kw_op *op, void *ctx, const struct http_request *request,
                       struct http_response *response)
{
    struct rig *rig = ctx;

    (void)op;
    atomic_fetch_add(request->on_loop ? &rig->n_loop_calls : &rig->n_pool_calls, 1);
    return text_body(response, "hello\n");
}

static kw_status fast(struct kw_op *op, void *ctx, const struct http_request *request,
                      struct http_response *response)
{
    if (strcmp(request->query, "pool") == 0) {
        TRY(op, text_body(response, "to be thrown away"));
        TRY(op, http_response_header(op, response, "X-Lost", "yes"));
        struct rig *rig = ctx;
        atomic_fetch_add(request->on_loop ? &rig->n_loop_calls : &rig->n_pool_calls, 1);
        ENSURE(op, !request->on_loop, KW_E_STATE, "not in memory");
        kw_bytes_free(response->body);
        response->n_headers = 0;
        return text_body(response, "from the pool\n");
    }
    return hello(op, ctx, request, response);
}

static kw_status echo(struct kw_op *op, void *ctx, const struct http_request *request,
                      struct http_response *response)
{
    (void)op;
    (void)ctx;
    response->content_type = "application/octet-stream";
    return kw_bytes_copy(request->body, &response->body);
}

static kw_status big(struct kw_op *op, void *ctx, const struct http_request *request,
                     struct http_response *response)
{
    AUTO(kw_bytes) *body = NULL;

    (void)ctx;
    size_t n = strtoul(request->query, NULL, 10);
    ENSURE(op, n <= BODY_MAX, KW_E_INPUT, "more than any test asks for");
    TRY(op, kw_bytes_new(n, &body));
    if (n > 0) {
        memset(body->p, 'x', n);
    }
    body->len = n;
    response->body = TAKE(body);
    return KW_OK;
}

static void released(void *shared)
{
    struct rig *rig = shared;

    atomic_fetch_add(&rig->n_released, 1);
}

static kw_status shared(struct kw_op *op, void *ctx, const struct http_request *request,
                        struct http_response *response)
{
    static const uint8_t octets[100000] = {1, 2, 3};
    size_t n = strtoul(request->query, NULL, 10);

    response->keep_shared = true;
    response->shared_body = KW_SPAN(octets, n < sizeof(octets) ? n : sizeof(octets));
    response->shared_release = released;
    response->shared = ctx;
    ENSURE(op, strstr(request->query, "fail") == NULL, KW_E_CONFLICT, "after lending");
    return KW_OK;
}

static kw_status slow(struct kw_op *op, void *ctx, const struct http_request *request,
                      struct http_response *response)
{
    long ms = strtol(request->query, NULL, 10);
    ms = ms < 0 || ms > NAP_MAX_MS ? NAP_MAX_MS : ms;
    const struct timespec nap = {ms / 1000, ms % 1000 * 1000000};

    atomic_fetch_add(&((struct rig *)ctx)->n_handled, 1);
    (void)nanosleep(&nap, NULL);
    ENSURE(op, op->deadline_ms > 0, KW_E_INTERNAL, "no deadline");
    return text_body(response, "slow\n");
}

static kw_status binding(struct kw_op *op, void *ctx, const struct http_request *request,
                         struct http_response *response)
{
    (void)op;
    (void)ctx;
    return kw_bytes_copy(request->binding, &response->body);
}

static kw_status me(struct kw_op *op, void *ctx, const struct http_request *request,
                    struct http_response *response)
{
    char text[256];

    (void)ctx;
    (void)snprintf(text, sizeof(text), "%u %s %s %s", request->who.kind, request->who.id,
                   request->peer_cert ? "cert" : "none", op->request_id);
    return text_body(response, text);
}

static kw_status thing(struct kw_op *op, void *ctx, const struct http_request *request,
                       struct http_response *response)
{
    (void)ctx;
    TRY(op, http_response_header(op, response, "X-Thing", kw_uri_param(&request->params, "id")));
    response->status = 204;
    return KW_OK;
}

static kw_status fail_with(struct kw_op *op, void *ctx, const struct http_request *request,
                           struct http_response *response)
{
    (void)ctx;
    TRY(op, http_response_header(op, response, "X-Lost", "yes"));
    return FAIL(op, kw_code_from_text(kw_uri_param(&request->params, "code")), "the inner reason");
}

static kw_status head_of(struct kw_op *op, void *ctx, const struct http_request *request,
                         struct http_response *response)
{
    const char *value = request->header(request, "X-Ask");

    (void)op;
    (void)ctx;
    return text_body(response, value ? value : request->peer);
}

/* What OpenSSL's error queue of this thread holds. */
static kw_status stale(struct kw_op *op, void *ctx, const struct http_request *request,
                       struct http_response *response)
{
    char text[256] = "none";
    unsigned long error = ERR_peek_error();

    (void)op;
    (void)ctx;
    (void)request;
    if (error != 0) {
        ERR_error_string_n(error, text, sizeof(text));
    }
    return text_body(response, text);
}

#define ANY(method, path, flags, handler)                                                          \
    {method, path, AUTH_NONE, NULL, 0, 5000, flags, handler, &http_errors_text, #handler}
#define ROW(method, path, auth, media, body_max, ms, flags, handler)                               \
    {method, path, auth, media, body_max, ms, flags, handler, &http_errors_text, #handler}

static const struct route routes[] = {
    ANY(HTTP_GET, "/hello", 0, hello),
    ANY(HTTP_GET, "/fast", ROUTE_FAST, fast),
    ANY(HTTP_GET, "/binding", ROUTE_BINDING, binding),
    ROW(HTTP_POST, "/binding", AUTH_NONE, NULL, 64, 5000, ROUTE_BINDING, binding),
    ANY(HTTP_GET, "/big", 0, big),
    ANY(HTTP_GET, "/stale", ROUTE_FAST, stale),
    ANY(HTTP_GET, "/shared", ROUTE_FAST, shared),
    ANY(HTTP_GET, "/header", 0, head_of),
    ANY(HTTP_GET, "/close", ROUTE_CLOSE, hello),
    ANY(HTTP_DELETE, "/things/{id}", 0, thing),
    ROW(HTTP_PUT, "/things/{id}", AUTH_NONE, NULL, 64, 5000, 0, thing),
    ROW(HTTP_POST, "/echo", AUTH_NONE, "text/plain", 4096, 5000, 0, echo),
    ROW(HTTP_PUT, "/echo", AUTH_NONE, NULL, 65536, 5000, 0, echo),
    ROW(HTTP_GET, "/slow", AUTH_NONE, NULL, 0, 9000, 0, slow),
    ROW(HTTP_POST, "/slow", AUTH_NONE, NULL, 64, 9000, 0, slow),
    ROW(HTTP_GET, "/short", AUTH_NONE, NULL, 0, 100, 0, slow),
    ROW(HTTP_GET, "/me", AUTH_DEVICE, NULL, 0, 5000, 0, me),
    ROW(HTTP_GET, "/fast-me", AUTH_DEVICE, NULL, 0, 5000, ROUTE_FAST, me),
    ROW(HTTP_POST, "/secret", AUTH_SECRET | AUTH_DEVICE, NULL, 64, 5000, 0, me),
};
static const struct route api_rows[] = {
    ANY(HTTP_GET, "/fail/{code}", 0, fail_with),
    {HTTP_GET,  "/api/fail/{code}", AUTH_NONE, NULL, 0,  5000, 0, fail_with, &http_errors_json, ""},
    {HTTP_POST, "/api/echo",        AUTH_NONE, NULL, 64, 5000, 0, echo,      &http_errors_json, ""},
};
const struct route *const rig_tables[] = {routes, api_rows, NULL};
const unsigned rig_n_rows[] = {KW_COUNT(routes), KW_COUNT(api_rows)};
