#include "net/refusal.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include "net/dispatch.h"
#include "net/response.h"

void refusal_note(struct conn *conn)
{
    struct loop *loop = conn->door->loop;

    if (conn->is_noted) {
        return;
    }
    conn->is_noted = true;
    conn->next_noted = loop->noted;
    loop->noted = conn;
    event_active(loop->adopt, EV_TIMEOUT, 0);
}

void refusal_forget(struct conn *conn)
{
    struct conn **at = &conn->door->loop->noted;

    while (conn->is_noted && *at != conn) {
        at = &(*at)->next_noted;
    }
    if (conn->is_noted) {
        *at = conn->next_noted;
        conn->is_noted = false;
    }
}

/* Those that libevent's server gives (http.c of 2.1.12). */
static const struct {
    int status;
    enum kw_code code;
    const char *text;
} refusals[] = {
    {400, KW_E_INPUT,       "this is no HTTP request"               },
    {413, KW_E_TOO_LARGE,   "the body is larger than is taken here" },
    {417, KW_E_INPUT,       "the only expectation is '100-continue'"},
    {501, KW_E_UNSUPPORTED, "this method is not known here"         },
};

/* The status of libevent's answer; 0: none that stands whole at the beginning of what is to be
 * written. */
static int status_of(struct evbuffer *output)
{
    char line[sizeof("HTTP/1.x 000 ") - 1];
    const size_t at = sizeof("HTTP/1.x ") - 1;
    bool is_whole = evbuffer_copyout(output, line, sizeof(line)) == (ev_ssize_t)sizeof(line) &&
                    memcmp(line, "HTTP/1.", sizeof("HTTP/1.") - 1) == 0;

    return is_whole ? (line[at] - '0') * 100 + (line[at + 1] - '0') * 10 + (line[at + 2] - '0') : 0;
}

/* Where memory lacks, less is said, and the connection ends all the same. */
void refusal_write(struct exchange *x)
{
    const struct http_response *response = &x->response;
    struct evbuffer *output = bufferevent_get_output(x->conn->bev);
    struct kw_span body = response_body(response);

    (void)evbuffer_drain(output, evbuffer_get_length(output));
    (void)evbuffer_add_printf(output, "HTTP/1.1 %d %s\r\n", response->status,
                              kw_code_meaning(x->op.code));
    (void)evbuffer_add_printf(output, "Date: %s\r\n", loop_date(x->loop));
    (void)evbuffer_add_printf(output, "Content-Length: %zu\r\n", body.len);
    if (response->content_type) {
        (void)evbuffer_add_printf(output, "Content-Type: %s\r\n", response->content_type);
    }
    for (unsigned i = 0; i < response->n_headers; i++) {
        (void)evbuffer_add_printf(output, "%s: %s\r\n", response->headers[i].name,
                                  response->headers[i].value);
    }
    (void)evbuffer_add_printf(output, "Connection: close\r\n\r\n");
    if (!x->conn->asks_head) {
        (void)evbuffer_add(output, body.p, body.len);
    }
    x->conn->is_parting = true;
    if (x->listener->tls) {
        tls_conn_join_output(x->conn->bev);
    }
}

static void replace(struct conn *conn)
{
    struct evbuffer *output = bufferevent_get_output(conn->bev);

    (void)evbuffer_unfreeze(output, /* at_front= */ 1); /* it was written from before; returns 0 */
    int status = status_of(output);

    for (unsigned i = 0; i < KW_COUNT(refusals); i++) {
        if (refusals[i].status == status) {
            dispatch_refuse(conn, refusals[i].code, refusals[i].text);
            return;
        }
    }
}

void refusal_replace_all(struct loop *loop)
{
    while (loop->noted) {
        struct conn *conn = loop->noted;
        refusal_forget(conn);
        (conn->is_parting ? conn_kill : replace)(conn); /* libevent keeps a CONNECT's connection */
    }
}
