/*
 * libevent 2.1 neither tells when it makes a connection nor when a connection without a request
 * ends. So: conn_new() is asked for the buffer; in the same round of the loop, before any octet of
 * the new connection can have been read, conn_adopt_fresh() finds the evhttp_connection that became
 * the buffer's callback argument and asks to be told of its end.
 */
#include "net/conn.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_struct.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/http.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "net/head.h"
#include "net/refusal.h"
#include "os/clock.h"

enum {
    READ_AT_ONCE = 4096,
    INPUT_SLACK = 32768, /* beyond the largest request: headers and one TLS record */
    WRITE_STEP = 65536,  /* octets that a client must take within request_timeout_ms */
    BY_FD_STEP = 256,
};

static void link_conn(struct conn *conn)
{
    struct loop *loop = conn->door->loop;

    (void)pthread_mutex_lock(&loop->lock);
    conn->next = loop->conns;
    if (loop->conns) {
        loop->conns->prev = conn;
    }
    loop->conns = conn;
    (void)pthread_mutex_unlock(&loop->lock);
}

static void unlink_conn(struct conn *conn)
{
    struct loop *loop = conn->door->loop;

    (void)pthread_mutex_lock(&loop->lock);
    if (conn->prev) {
        conn->prev->next = conn->next;
    } else {
        loop->conns = conn->next;
    }
    if (conn->next) {
        conn->next->prev = conn->prev;
    }
    (void)pthread_mutex_unlock(&loop->lock);
}

void conn_set_phase(struct conn *conn, enum conn_phase phase, size_t to_write)
{
    const struct http_server_config *config = &conn->door->loop->server->config;
    const int64_t limits[] = {
        [CONN_HANDSHAKE] = config->request_timeout_ms,
        [CONN_RECEIVING] = config->request_timeout_ms,
        [CONN_IDLE] = config->idle_timeout_ms,
        [CONN_HANDLING] = 0,                         /* the handler's deadline bounds it */
        [CONN_WRITING] = config->request_timeout_ms, /* and again where a piece was taken */
    };

    conn->phase = phase;
    conn->to_write = to_write;
    conn->due_ms = limits[phase] > 0 ? os_clock_tick_ms() + limits[phase] : 0;
}

/* The first octets of the next request on a kept-alive connection set its clock going, its first
 * line the limit of its body. */
static void on_input(struct evbuffer *buffer, const struct evbuffer_cb_info *info, void *arg)
{
    struct conn *conn = arg;

    if (info->n_added > 0 && conn->phase == CONN_IDLE) {
        conn_set_phase(conn, CONN_RECEIVING, 0);
    }
    if (info->n_added > 0 && conn->phase == CONN_RECEIVING && !conn->line_seen) {
        head_look(conn, buffer);
    }
}

/* Our answers come in CONN_WRITING; what comes before is libevent's. */
static void on_output(struct evbuffer *buffer, const struct evbuffer_cb_info *info, void *arg)
{
    struct conn *conn = arg;

    bool is_libevents = info->n_added > 0 && conn->phase == CONN_RECEIVING;
    bool is_over = conn->is_parting && evbuffer_get_length(buffer) == 0;
    if (is_libevents || is_over) {
        refusal_note(conn);
    }
}

static void on_ready(void *ctx, struct cert *peer)
{
    struct conn *conn = ctx;
    struct loop *loop = conn->door->loop;

    (void)pthread_mutex_lock(&loop->lock);
    conn->peer_cert = peer;
    (void)pthread_mutex_unlock(&loop->lock);
    conn_set_phase(conn, CONN_RECEIVING, 0);
}

static void on_failed(void *ctx, enum tls_end end, const struct kw_op *op)
{
    struct conn *conn = ctx;
    const struct http_listener *listener = &conn->door->gate->listener;

    conn->tls_end = end;
    if (listener->observe_handshake) {
        listener->observe_handshake(listener->ctx, end, conn->peer, op);
    }
}

static bool is_tls(const struct conn *conn)
{
    return conn->door->gate->listener.tls && !conn->refused;
}

static struct bufferevent *new_buffer(struct conn *conn, struct event_base *base)
{
    struct tls_server *tls = is_tls(conn) ? conn->door->gate->listener.tls : NULL;
    struct bufferevent *bev = tls ? tls_conn_new(tls, base, &conn->watch) : NULL;

    if (!bev) {
        /* NULL would have libevent make a plain buffer of its own, also on a TLS port: refused, it
         * never serves. */
        conn->refused = conn->refused || tls;
        conn->phase = CONN_RECEIVING;
        bev = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
    }
    return bev;
}

static void forget(struct conn *conn)
{
    struct loop *loop = conn->door->loop;

    if (conn->fd >= 0 && loop->by_fd[conn->fd] == conn) {
        loop->by_fd[conn->fd] = NULL;
    }
    atomic_fetch_sub(&conn->door->gate->n_open, 1);
    atomic_fetch_sub(&loop->server->connections, 1);
    cert_unref(conn->peer_cert);
    cert_unref(conn->watch.peer);
    free(conn);
}

/* libevent gave up on the connection before it was whole: for lack of memory, or because the kernel
 * has no room to watch it. */
static bool is_abandoned(const struct conn *conn)
{
    bufferevent_data_cb read_cb = NULL;

    bufferevent_getcb(conn->bev, &read_cb, NULL, NULL, NULL);
    return !read_cb;
}

/*
 * Where libevent cannot watch the new socket, it closes it at once, and would do so again at the
 * end of the buffer: by then the number is another connection's. And until the buffer's events are
 * gone, that connection's events are the old one's too.
 */
static void abandon(struct conn *conn)
{
    struct bufferevent *bev = conn->bev;

    if (is_tls(conn)) {
        tls_conn_end(bev, /* say_goodbye= */ false);
    }
    if (bufferevent_getfd(bev) < 0) {
        bufferevent_free(bev); /* libevent never took it */
    } else if (!event_pending(&bev->ev_read, EV_READ, NULL)) {
        (void)bufferevent_setfd(bev, -1); /* fails only where it cannot watch: -1 it does not */
    }
    (void)bufferevent_decref(bev); /* conn_new()'s */
    forget(conn);
}

static void drop_abandoned(struct loop *loop)
{
    while (loop->fresh && is_abandoned(loop->fresh)) {
        struct conn *conn = loop->fresh;
        loop->fresh = conn->next_fresh;
        abandon(conn);
    }
}

struct bufferevent *conn_new(struct event_base *base, void *arg)
{
    struct door *door = arg;
    struct gate *gate = door->gate;
    struct conn *conn = calloc(1, sizeof(*conn));

    drop_abandoned(door->loop); /* the connection before, whose number this one may have */
    if (!conn) {
        return NULL; /* what libevent does without has no record, and is closed in on_request() */
    }
    conn->door = door;
    conn->fd = -1;
    conn->watch = (struct tls_watch){.ready = on_ready, .failed = on_failed, .ctx = conn};
    unsigned n_open = atomic_fetch_add(&gate->n_open, 1);
    conn->refused = n_open >= gate->listener.connections_max || door->loop->draining;
    conn->bev = new_buffer(conn, base);
    if (!conn->bev) {
        atomic_fetch_sub(&gate->n_open, 1);
        free(conn);
        return NULL;
    }
    size_t input_max = router_body_max(gate->router) + (size_t)INPUT_SLACK;
    bufferevent_setwatermark(conn->bev, EV_READ, 0, input_max);
    (void)bufferevent_set_max_single_read(conn->bev, READ_AT_ONCE); /* always 0 */
    bufferevent_incref(conn->bev);                                  /* until it is adopted */
    conn->next_fresh = door->loop->fresh;
    door->loop->fresh = conn;
    atomic_fetch_add(&door->loop->server->connections, 1);
    event_active(door->loop->adopt, EV_TIMEOUT, 0);
    return conn->bev;
}

/* libevent is about to free its connection, whatever the reason. */
static void on_close(struct evhttp_connection *evcon, void *arg)
{
    struct conn *conn = arg;
    struct loop *loop = conn->door->loop;
    bool tls = is_tls(conn);
    bool failed = tls && conn->phase == CONN_HANDSHAKE;

    (void)evcon;
    unlink_conn(conn);
    refusal_forget(conn);
    /* libevent may be amid of writing, and go on once more. Both return -1 where it is not set. */
    (void)evbuffer_remove_cb(bufferevent_get_input(conn->bev), on_input, conn);
    (void)evbuffer_remove_cb(bufferevent_get_output(conn->bev), on_output, conn);
    if (failed) {
        atomic_fetch_add(&loop->server->handshakes_failed[conn->tls_end], 1);
    }
    if ((failed || conn->linger) && !loop->draining) {
        linger_start(&loop->lingering, loop->base, conn->fd);
    }
    if (tls) {
        tls_conn_end(conn->bev, /* say_goodbye= */ !failed);
    }
    if (conn->exchange) {
        conn->exchange->conn = NULL; /* it is freed when it comes back from the pool */
    }
    if (conn->phase == CONN_WRITING) {
        atomic_fetch_sub(&loop->server->busy, 1);
    }
    forget(conn);
}

static bool place_by_fd(struct loop *loop, struct conn *conn)
{
    size_t at = (size_t)conn->fd;

    if (at >= loop->n_by_fd) {
        size_t n = at + BY_FD_STEP;
        struct conn **places = realloc(loop->by_fd, n * sizeof(places[0]));
        if (!places) {
            return false;
        }
        memset(places + loop->n_by_fd, 0, (n - loop->n_by_fd) * sizeof(places[0]));
        loop->by_fd = places;
        loop->n_by_fd = n;
    }
    loop->by_fd[at] = conn;
    return true;
}

static void name_peer(struct conn *conn)
{
    char *address = NULL; /* libevent's */
    uint16_t port = 0;

    evhttp_connection_get_peer(conn->evcon, &address, &port);
    const char *form = address && strchr(address, ':') ? "[%s]:%u" : "%s:%u";
    (void)snprintf(conn->peer, sizeof(conn->peer), form, address ? address : "?", port);
}

static void adopt(struct conn *conn)
{
    struct loop *loop = conn->door->loop;
    void *arg = NULL;

    bufferevent_getcb(conn->bev, NULL, NULL, NULL, &arg);
    (void)bufferevent_decref(conn->bev);
    conn->evcon = arg;
    conn->fd = bufferevent_getfd(conn->bev);
    conn_set_phase(conn, conn->door->gate->listener.tls ? CONN_HANDSHAKE : CONN_RECEIVING, 0);
    name_peer(conn);
    link_conn(conn);
    evhttp_connection_set_closecb(conn->evcon, on_close, conn);
    bool placed = place_by_fd(loop, conn);
    if (!placed || conn->refused ||
        !evbuffer_add_cb(bufferevent_get_input(conn->bev), on_input, conn) ||
        !evbuffer_add_cb(bufferevent_get_output(conn->bev), on_output, conn)) {
        conn->fd = placed ? conn->fd : -1;
        atomic_fetch_add(&loop->server->refused, 1);
        conn_kill(conn);
    }
}

void conn_adopt_fresh(struct loop *loop)
{
    drop_abandoned(loop); /* only the latest can be: conn_new() has looked at those before it */
    while (loop->fresh) {
        struct conn *conn = loop->fresh;
        loop->fresh = conn->next_fresh;
        adopt(conn);
    }
}

struct conn *conn_of(struct loop *loop, struct evhttp_connection *evcon)
{
    struct bufferevent *bev = evhttp_connection_get_bufferevent(evcon);
    int fd = bufferevent_getfd(bev);
    struct conn *conn = fd >= 0 && (size_t)fd < loop->n_by_fd ? loop->by_fd[fd] : NULL;

    return conn && conn->evcon == evcon ? conn : NULL;
}

bool conn_is_ending(struct conn *conn)
{
    struct loop *loop = conn->door->loop;

    (void)pthread_mutex_lock(&loop->lock);
    bool kicked = conn->kicked;
    (void)pthread_mutex_unlock(&loop->lock);
    return kicked || loop->draining;
}

void conn_answered(struct conn *conn)
{
    atomic_fetch_sub(&conn->door->loop->server->busy, 1);
    struct evbuffer *input = bufferevent_get_input(conn->bev);
    bool more = evbuffer_get_length(input) > 0;
    conn_set_phase(conn, more ? CONN_RECEIVING : CONN_IDLE, 0);
    conn->line_seen = false;
    if (more) {
        head_look(conn, input);
    }
    if (conn_is_ending(conn)) {
        (void)shutdown(
            conn->fd, SHUT_RDWR); /* libevent sees an end of file and closes; may be gone already */
    }
}

void conn_refused(struct conn *conn)
{
    atomic_fetch_add(&conn->door->loop->server->busy, 1); /* until it is closed */
    conn->linger = true;
    conn_set_phase(conn, CONN_WRITING, 0);
}

/* By libevent's own error path: it lets go of a request that is still in work instead of freeing
 * it. */
void conn_kill(struct conn *conn)
{
    bufferevent_trigger_event(conn->bev, BEV_EVENT_TIMEOUT | BEV_EVENT_READING, 0);
}

/* A large answer may take long as long as the client reads on. */
static bool is_overdue(struct conn *conn, int64_t now_ms)
{
    if (conn->due_ms == 0 || now_ms < conn->due_ms) {
        return false;
    }
    size_t left = evbuffer_get_length(bufferevent_get_output(conn->bev));
    if (conn->phase != CONN_WRITING || left + WRITE_STEP > conn->to_write) {
        return true;
    }
    conn_set_phase(conn, CONN_WRITING, left);
    return false;
}

void conn_sweep(struct loop *loop, int64_t now_ms)
{
    struct conn *next = NULL;

    for (struct conn *conn = loop->conns; conn; conn = next) {
        next = conn->next;
        if (is_overdue(conn, now_ms)) {
            conn_kill(conn);
        }
    }
}

void conn_end_idle(struct loop *loop)
{
    struct conn *next = NULL;

    for (struct conn *conn = loop->conns; conn; conn = next) {
        next = conn->next;
        bool working = conn->phase == CONN_HANDLING || conn->phase == CONN_WRITING;
        if (!working && conn_is_ending(conn)) {
            conn_kill(conn);
        }
    }
}
