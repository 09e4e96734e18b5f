#include "net/dispatch.h"

#include <event2/http.h>
#include <stdlib.h>

#include "base/hex.h"
#include "base/secret.h"
#include "net/refusal.h"
#include "net/request.h"
#include "net/response.h"
#include "os/clock.h"
#include "os/queue.h"

enum { SPARES_MAX = 64 /* of a loop, 1 MiB */ };

/* splitmix64's last step: one to one, so different counts give different numbers. */
static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* Unique: the loop's random half, and a count that never comes again. */
static void name_request(struct loop *loop, char text[KW_REQUEST_ID])
{
    const uint64_t id[] = {loop->id_seed, mix(loop->id_seed + ++loop->id_count)};

    (void)kw_hex(KW_SPAN_ARRAY(id), text, KW_REQUEST_ID); /* returns text */
}

/* Exchanges are large: a few are kept, so that malloc() need not split and join that much memory
 * for each request. */
static struct exchange *take_spare(struct loop *loop)
{
    struct exchange *x = loop->spare;

    if (!x) {
        return malloc(sizeof(*x));
    }
    loop->spare = x->next;
    loop->n_spare--;
    return x;
}

/* Not by one assignment: that would clear the room of parameters and headers as well, 10 KiB. */
static void exchange_init(struct exchange *x, struct conn *conn, struct evhttp_request *raw)
{
    x->next = NULL;
    x->loop = conn->door->loop;
    x->conn = conn;
    x->raw = raw;
    x->listener = &conn->door->gate->listener;
    x->route = NULL;
    x->allow = 0;
    x->close = false;
    x->proven = false;
    x->started_ns = os_clock_mono_ns();
    kw_op_init(&x->op, NULL, 0);
    name_request(x->loop, x->op.request_id);
    x->request.params.n = 0;
    x->request.on_loop = false;
    x->request.binding = KW_SPAN(NULL, 0);
    x->request.who = (struct http_principal){.kind = AUTH_NONE};
    /* The connection may end while the handler is at work: its certificate must not. */
    x->request.peer_cert = conn->peer_cert ? cert_ref(conn->peer_cert) : NULL;
    x->response.body = NULL;
    x->response.shared_release = NULL;
    response_reset(&x->response);
    x->target[0] = '\0';
    x->content_type[0] = '\0';
    memcpy(x->peer, conn->peer, sizeof(x->peer));
}

static void exchange_free(struct exchange *x)
{
    struct loop *loop = x->loop;

    response_reset(&x->response);
    cert_unref(x->request.peer_cert);
    kw_wipe(x->request.who.secret, sizeof(x->request.who.secret));
    if (loop->n_spare >= SPARES_MAX) {
        free(x);
        return;
    }
    x->next = loop->spare;
    loop->spare = x;
    loop->n_spare++;
}

void dispatch_free_spares(struct loop *loop)
{
    while (loop->spare) {
        free(take_spare(loop));
    }
}

static void observe(const struct exchange *x)
{
    const struct http_listener *listener = x->listener;
    int64_t micros = (os_clock_mono_ns() - x->started_ns) / 1000;

    atomic_fetch_add(&x->loop->server->requests, 1);
    if (x->op.code != KW_CODE_OK) {
        atomic_fetch_add(&x->loop->server->refused, 1);
    }
    if (listener->observe) {
        listener->observe(listener->ctx, x->route, &x->request, &x->op, x->response.status, micros);
    }
}

void dispatch_finish(struct exchange *x)
{
    struct conn *conn = x->conn;

    observe(x);
    if (x->route && (x->route->auth & AUTH_SECRET)) {
        request_wipe(x);
    }
    if (conn) {
        conn->exchange = NULL;
        reply_send(x);
    } else {
        /* The client has gone: libevent let go of the request (userdone was 0), so it is ours to
         * free. */
        evhttp_request_free(x->raw);
        atomic_fetch_sub(&x->loop->server->busy, 1);
    }
    exchange_free(x);
}

void dispatch_refuse(struct conn *conn, enum kw_code code, const char *text)
{
    struct exchange *x = take_spare(conn->door->loop);

    if (!x) {
        return; /* libevent's page goes out */
    }
    exchange_init(x, conn, NULL);
    request_unread(x, conn->route);
    x->route = conn->route;
    kw_status status =
        code == KW_E_TOO_LARGE && x->route
            ? FAIL(&x->op, code, "a body of at most %u octets is taken here", x->route->body_max)
            : FAIL(&x->op, code, "%s", text);
    engine_refuse(x, status);
    if (x->response.status < 400) { /* OCSP says no with 200; what is no HTTP never got there */
        x->route = NULL;
        engine_refuse(x, status);
    }
    conn_refused(conn);
    refusal_write(x);
    observe(x);
    exchange_free(x);
}

static void run_on_pool(void *ctx)
{
    struct exchange *x = ctx;

    (void)engine_run(x, /* on_loop= */ false); /* true: only the loop's try may be undecided */
    loop_post(x);
}

/* A TLS 1.3 connection has one value a label for its whole life (RFC 8446 section 7.5). */
static bool export_once(struct conn *conn, const char *label)
{
    if (conn->binding_label == label) {
        return true;
    }
    conn->binding_label = NULL;
    if (tls_conn_export(conn->bev, label, conn->binding)) {
        conn->binding_label = label;
    }
    return conn->binding_label != NULL;
}

/* Only here: a connection's TLS belongs to the loop thread. Where there is none, the handler sees
 * that. */
static void take_binding(struct exchange *x)
{
    /* RFC 9266 section 2; docs/protocol/attest.md section 1 */
    static const char plain[] = "EXPORTER-Channel-Binding", attest[] = "EXPORTER-keywright-attest";
    const unsigned flags = x->route->flags;

    if ((flags & (ROUTE_BINDING | ROUTE_ATTEST)) && x->listener->tls &&
        export_once(x->conn, flags & ROUTE_ATTEST ? attest : plain)) {
        memcpy(x->request.binding_octets, x->conn->binding, HTTP_BINDING);
        x->request.binding = KW_SPAN_ARRAY(x->request.binding_octets);
    }
}

/* Run it now, or have the pool run it. True: it has its answer. */
static bool work(struct exchange *x)
{
    if ((x->route->flags & ROUTE_FAST) && engine_run(x, /* on_loop= */ true)) {
        return true;
    }
    take_binding(x);
    kw_status status = os_pool_submit(x->loop->server->pool, run_on_pool, x);
    if (kw_ok(status)) {
        return false;
    }
    engine_refuse(x, FAIL(&x->op, KW_E_UNAVAILABLE, "all handler threads are busy"));
    return true;
}

static bool begin(struct exchange *x)
{
    kw_status status = request_read(&x->op, x);

    if (!kw_ok(status)) {
        x->close = true;
        engine_refuse(x, status);
        return true;
    }
    return !engine_admit(x, x->conn->door->gate->router) || work(x);
}

void dispatch_request(struct evhttp_request *raw, void *arg)
{
    struct door *door = arg;
    struct evhttp_connection *evcon = evhttp_request_get_connection(raw);
    struct conn *conn = conn_of(door->loop, evcon);
    struct exchange *x = conn ? take_spare(door->loop) : NULL;

    if (!x) {
        evhttp_connection_free(evcon); /* no memory, or none when it came */
        return;
    }
    exchange_init(x, conn, raw);
    atomic_fetch_add(&door->loop->server->busy, 1);
    conn_set_phase(conn, CONN_HANDLING, 0);
    conn->exchange = x;
    if (begin(x)) {
        dispatch_finish(x);
    }
}
