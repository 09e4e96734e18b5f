#include <event2/buffer.h>
#include <event2/http.h>
#include <stdio.h>
#include <stdlib.h>

#include "net/dispatch.h"
#include "net/loop.h"
#include "net/response.h"

enum {
    COPY_MAX = 4096, /* octets: up to here copying is cheaper than the bookkeeping of a reference */
    DECIMAL = 24,
};

struct shared {
    void (*release)(void *shared);
    void *shared;
};

static void release_shared(const void *data, size_t len, void *arg)
{
    struct shared *s = arg;

    (void)data;
    (void)len;
    if (s->release) {
        s->release(s->shared);
    }
    free(s);
}

static void release_owned(const void *data, size_t len, void *arg)
{
    (void)data;
    (void)len;
    kw_bytes_free(arg);
}

static bool lend_owned(struct evbuffer *out, struct http_response *response)
{
    struct kw_bytes *body = response->body;

    if (evbuffer_add_reference(out, body->p, body->len, release_owned, body) != 0) {
        return false;
    }
    response->body = NULL;
    return true;
}

static bool lend_shared(struct evbuffer *out, struct http_response *response)
{
    struct kw_span body = response->shared_body;
    struct shared *s = malloc(sizeof(*s));

    if (!s) {
        return false;
    }
    *s = (struct shared){response->shared_release, response->shared};
    if (evbuffer_add_reference(out, body.p, body.len, release_shared, s) != 0) {
        free(s);
        return false;
    }
    response->shared_release = NULL;
    return true;
}

/* Large bodies are lent to libevent, not copied. */
static bool add_body(struct evbuffer *out, struct http_response *response)
{
    struct kw_span body = response_body(response);

    if (body.len <= COPY_MAX) {
        return evbuffer_add(out, body.p, body.len) == 0;
    }
    return response->keep_shared ? lend_shared(out, response) : lend_owned(out, response);
}

/* "Any response … 1xx, 204, 304 … cannot contain a message body" (RFC 9112 section 6.3). */
static bool may_have_body(int status)
{
    return status >= 200 && status != 204 && status != 304;
}

static bool add_headers(struct exchange *x, bool close)
{
    struct evkeyvalq *headers = evhttp_request_get_output_headers(x->raw);
    const struct http_response *response = &x->response;
    char length[DECIMAL];
    int failed = 0;

    (void)snprintf(length, sizeof(length), "%zu", response_body(response).len);
    if (may_have_body(response->status)) {
        failed |= evhttp_add_header(headers, "Content-Length", length);
    }
    if (response->content_type) {
        failed |= evhttp_add_header(headers, "Content-Type", response->content_type);
    }
    failed |=
        evhttp_add_header(headers, "Date", loop_date(x->loop)); /* else libevent formats one */
    for (unsigned i = 0; i < response->n_headers; i++) {
        failed |= evhttp_add_header(headers, response->headers[i].name, response->headers[i].value);
    }
    if (close) {
        failed |= evhttp_add_header(headers, "Connection", "close");
    }
    return failed == 0;
}

static void on_complete(struct evhttp_request *raw, void *arg)
{
    (void)raw;
    conn_answered(arg);
}

void reply_send(struct exchange *x)
{
    struct conn *conn = x->conn;
    struct http_response *response = &x->response;
    bool close = x->close || (x->route && (x->route->flags & ROUTE_CLOSE)) || conn_is_ending(conn);
    bool with_body = may_have_body(response->status) && x->request.method != HTTP_HEAD;
    size_t len = response_body(response).len;

    if (!add_headers(x, close) ||
        (with_body && !add_body(evhttp_request_get_output_buffer(x->raw), response))) {
        /* Without memory for the answer there is none. */
        conn->linger = false;
        conn->phase = CONN_WRITING;
        conn_kill(conn);
        evhttp_request_free(x->raw);
        return;
    }
    conn->linger = close && response->status >= 400;
    conn_set_phase(conn, CONN_WRITING, len);
    evhttp_request_set_on_complete_cb(x->raw, on_complete, conn);
    evhttp_send_reply(x->raw, response->status, NULL, NULL);
    if (conn->door->gate->listener.tls) {
        tls_conn_join_output(conn->bev);
    }
}
