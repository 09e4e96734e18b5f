#include "net/dispatch.h"

#include <event2/http.h>
#include <stdio.h>
#include <stdlib.h>

#include "net/request.h"
#include "net/response.h"
#include "os/clock.h"
#include "os/queue.h"

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
    (void)snprintf(text, KW_REQUEST_ID, "%016llx%016llx", (unsigned long long)loop->id_seed,
                   (unsigned long long)mix(loop->id_seed + ++loop->id_count));
}

static struct exchange *exchange_new(struct conn *conn, struct evhttp_request *raw)
{
    struct exchange *x = calloc(1, sizeof(*x));

    if (!x) {
        return NULL;
    }
    x->loop = conn->door->loop;
    x->conn = conn;
    x->raw = raw;
    x->listener = &conn->door->gate->listener;
    x->started_ns = os_clock_mono_ns();
    kw_op_init(&x->op, "", 0);
    name_request(x->loop, x->op.request_id);
    response_reset(&x->response);
    memcpy(x->peer, conn->peer, sizeof(x->peer));
    /* The connection may end while the handler is at work: its certificate must not. */
    x->request.peer_cert = conn->peer_cert ? cert_ref(conn->peer_cert) : NULL;
    return x;
}

static void exchange_free(struct exchange *x)
{
    response_reset(&x->response);
    cert_unref(x->request.peer_cert);
    kw_wipe(x->request.who.secret, sizeof(x->request.who.secret));
    free(x);
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

static void run_on_pool(void *ctx)
{
    struct exchange *x = ctx;

    (void)engine_run(x, /* on_loop= */ false); /* true: only the loop's try may be undecided */
    loop_post(x);
}

/* Run it now, or have the pool run it. True: it has its answer. */
static bool work(struct exchange *x)
{
    if ((x->route->flags & ROUTE_FAST) && engine_run(x, /* on_loop= */ true)) {
        return true;
    }
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
    struct exchange *x = conn ? exchange_new(conn, raw) : NULL;

    if (!x) {
        evhttp_connection_free(evcon); /* no memory, or none when it came */
        return;
    }
    atomic_fetch_add(&door->loop->server->busy, 1);
    conn_set_phase(conn, CONN_HANDLING, 0);
    conn->exchange = x;
    if (begin(x)) {
        dispatch_finish(x);
    }
}
