/* What every request goes through, so that no handler can forget it. */
#include <stdio.h>

#include "net/exchange.h"
#include "net/response.h"
#include "os/clock.h"

enum { RETRY_AFTER_S = 1, ALLOW_MAX = 64 };

static kw_status find_route(struct kw_op *op, struct exchange *x, const struct router *router)
{
    struct http_request *request = &x->request;

    x->route = router_find(router, request->method, request->path, &request->params, &x->allow);
    if (x->route) {
        return KW_OK;
    }
    ENSURE(op, x->allow != 0, KW_E_NOT_FOUND, "there is nothing at this path");
    char text[ALLOW_MAX];
    router_allow_text(x->allow, text, sizeof(text));
    return FAIL(op, KW_E_METHOD, "this path takes %s", text);
}

static kw_status admit(struct kw_op *op, struct exchange *x, const struct router *router)
{
    const struct http_request *request = &x->request;

    TRY(op, find_route(op, x, router));
    const struct route *route = x->route;
    op->deadline_ms = x->started_ns / 1000000 + route->deadline_ms;
    ENSURE(op, request->body.len <= route->body_max, KW_E_TOO_LARGE,
           "a body of %zu octets, at most %u are taken here", request->body.len, route->body_max);
    ENSURE(op,
           !route->media || request->body.len == 0 ||
               strcmp(route->media, request->content_type) == 0,
           KW_E_MEDIA, "the content type must be %s", route->media);
    return KW_OK;
}

static const struct http_error_style *style_of(const struct exchange *x)
{
    if (x->route) {
        return x->route->errors;
    }
    /* Without a path nobody knows who asks: most programs read JSON. */
    bool is_api = strncmp(x->request.path, "/api/", 5) == 0 || x->request.path[0] == '\0';
    return is_api ? &http_errors_json : &http_errors_text;
}

/* Who showed nothing was asked for it, and not refused yet: the challenge says all. Bouncy Castle's
 * EST client takes one that has a body for a broken connection. */
static void forget_challenge_text(struct exchange *x)
{
    struct http_response *response = &x->response;

    if (!x->request.peer_cert && !x->request.header(&x->request, "Authorization")) {
        kw_bytes_free(TAKE(response->body));
        response->content_type = NULL;
    }
}

static bool has_header(const struct http_response *response, const char *name)
{
    for (unsigned i = 0; i < response->n_headers; i++) {
        if (strcmp(response->headers[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* Headers that a status owes the client (RFC 9110 sections 10.2.1, 10.2.3, 11.6.1). */
static void add_error_headers(struct exchange *x, enum kw_code code)
{
    struct http_response *response = &x->response;
    char text[ALLOW_MAX];

    /* There is room: of the styles one sets a header of its own, EST's, which knows how long people
     * take. */
    if (code == KW_E_METHOD && x->allow != 0) {
        router_allow_text(x->allow, text, sizeof(text));
        (void)http_response_header(NULL, response, "Allow", text);
    }
    if (code == KW_E_AUTH && x->route && (x->route->auth & AUTH_SECRET)) {
        (void)http_response_header(NULL, response, "WWW-Authenticate", "Basic realm=\"keywright\"");
        forget_challenge_text(x);
    }
    if (kw_code_may_retry(code) && response->status >= 400 &&
        !has_header(response, "Retry-After")) {
        (void)snprintf(text, sizeof(text), "%d", RETRY_AFTER_S);
        (void)http_response_header(NULL, response, "Retry-After", text);
    }
}

/* The peer sees the cause where the fault is its own; what is wrong inside stays in the log. */
static const char *public_text(const struct kw_op *op, enum kw_code code)
{
    const char *cause = kw_op_cause(op);

    return kw_code_http(code) < 500 && cause[0] != '\0' ? cause : kw_code_meaning(code);
}

void engine_refuse(struct exchange *x, kw_status status)
{
    if (x->op.n_frames == 0 || x->op.code != status.code) {
        status = FAIL(&x->op, status.code, "%s", kw_code_meaning(status.code));
    }
    response_reset(&x->response);
    style_of(x)->render(status.code, public_text(&x->op, status.code), x->op.request_id,
                        &x->response);
    add_error_headers(x, status.code);
}

bool engine_admit(struct exchange *x, const struct router *router)
{
    kw_status status = admit(&x->op, x, router);

    if (!kw_ok(status)) {
        engine_refuse(x, status);
    }
    return kw_ok(status);
}

static kw_status authenticate(struct kw_op *op, struct exchange *x)
{
    const struct http_listener *listener = x->listener;

    TRY(op,
        listener->authenticate(op, listener->ctx, &x->request, x->route->auth, &x->request.who));
    x->proven = true;
    return KW_OK;
}

static kw_status handle(struct kw_op *op, struct exchange *x)
{
    int64_t deadline_ms = op->deadline_ms;

    if (!x->proven) {
        TRY(op, authenticate(op, x));
    }
    /* A request that waited too long for a thread is not begun: its client has given up. */
    ENSURE(op, x->request.on_loop || os_clock_mono_ms() < deadline_ms, KW_E_TIMEOUT,
           "no thread was free in time");
    return x->route->handler(op, x->listener->ctx, &x->request, &x->response);
}

bool engine_run(struct exchange *x, bool on_loop)
{
    x->request.on_loop = on_loop;
    kw_status status = handle(&x->op, x);
    x->request.on_loop = false;
    if (on_loop && status.code == KW_E_STATE) {
        kw_op_clear(&x->op);
        response_reset(&x->response);
        return false;
    }
    if (!kw_ok(status)) {
        engine_refuse(x, status);
    }
    return true;
}
