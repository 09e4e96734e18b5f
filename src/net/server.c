#include "net/server.h"

#include <event2/event.h>
#include <stdlib.h>
#include <time.h>

#include "net/conn.h"
#include "net/listen.h"
#include "net/loop.h"
#include "os/clock.h"
#include "os/files.h"

enum {
    LOOPS_MAX = 64,
    POOL_THREADS = 16,
    POOL_WAITING = 1024,
    REQUEST_TIMEOUT_MS = 15000,
    IDLE_TIMEOUT_MS = 60000,
    DRAIN_MS = 3000,
    DRAIN_POLL_MS = 5,
};

/* Libraries never log: what libevent would write to stderr shows in the figures, or as a failed
 * call. */
static void say_nothing(int severity, const char *text)
{
    (void)severity;
    (void)text;
}

static unsigned or_default(unsigned value, unsigned fallback)
{
    return value > 0 ? value : fallback;
}

static struct http_server_config with_defaults(const struct http_server_config *config)
{
    return (struct http_server_config){
        .loop_threads = or_default(config->loop_threads, 1),
        .pool_threads = or_default(config->pool_threads, POOL_THREADS),
        .pool_waiting = or_default(config->pool_waiting, POOL_WAITING),
        .request_timeout_ms = or_default(config->request_timeout_ms, REQUEST_TIMEOUT_MS),
        .idle_timeout_ms = or_default(config->idle_timeout_ms, IDLE_TIMEOUT_MS),
        .drain_ms = or_default(config->drain_ms, DRAIN_MS),
    };
}

kw_status http_server_new(struct kw_op *op, const struct http_server_config *config,
                          struct http_server **ret)
{
    struct http_server_config full = with_defaults(config);

    ENSURE(op, full.loop_threads <= LOOPS_MAX, KW_E_INPUT,
           "%u loop threads, at most %d are possible", full.loop_threads, LOOPS_MAX);
    event_set_log_callback(say_nothing);
    AUTO(http_server) *server =
        calloc(1, sizeof(*server) + full.loop_threads * sizeof(server->loops[0]));
    ENSURE(op, server, KW_E_MEMORY, "HTTP server");
    server->config = full;
    TRY(op, os_pool_new(op, "handler", full.pool_threads, full.pool_waiting, &server->pool),
        "HTTP server");
    while (server->n_loops < full.loop_threads) {
        struct loop *loop = &server->loops[server->n_loops];
        server->n_loops++;
        TRY(op, loop_init(op, loop, server), "HTTP server");
    }
    *ret = TAKE(server);
    return KW_OK;
}

static kw_status gate_new(struct kw_op *op, const struct http_listener *listener, struct gate **ret)
{
    AUTO(router) *router = NULL;

    TRY(op, router_new(op, listener->tables, listener->n_rows, &router), "listener '%s'",
        listener->name);
    struct gate *gate = calloc(1, sizeof(*gate));
    ENSURE(op, gate, KW_E_MEMORY, "listener '%s'", listener->name);
    gate->listener = *listener;
    gate->router = TAKE(router);
    *ret = gate;
    return KW_OK;
}

static kw_status open_doors(struct kw_op *op, struct http_server *server, struct gate *gate,
                            int fds[])
{
    for (unsigned i = 0; i < server->n_loops; i++) {
        int fd = fds[i];
        fds[i] = -1;
        TRY(op, loop_open_door(op, &server->loops[i], gate, fd));
    }
    return KW_OK;
}

kw_status http_server_listen(struct kw_op *op, struct http_server *server,
                             const struct http_listener *listener, uint16_t *ret_port)
{
    struct gate *gate = NULL;
    int fds[LOOPS_MAX];
    uint16_t port = 0;

    ENSURE(op, !server->started, KW_E_STATE, "listener '%s': the server runs already",
           listener->name);
    TRY(op, gate_new(op, listener, &gate));
    gate->next = server->gates;
    server->gates = gate;
    TRY(op, listen_open(op, listener->address, listener->port, server->n_loops, fds, &port),
        "listener '%s'", listener->name);
    kw_status status = open_doors(op, server, gate, fds);
    for (unsigned i = 0; i < server->n_loops; i++) {
        os_fd_close(&fds[i]);
    }
    TRY(op, status, "listener '%s'", listener->name);
    if (ret_port) {
        *ret_port = port;
    }
    return KW_OK;
}

kw_status http_server_start(struct kw_op *op, struct http_server *server)
{
    ENSURE(op, !server->started, KW_E_STATE, "the HTTP server runs already");
    server->started = true;
    for (unsigned i = 0; i < server->n_loops; i++) {
        TRY(op, loop_start(op, &server->loops[i], i), "HTTP server");
    }
    return KW_OK;
}

static unsigned kick_in(struct loop *loop, const uint8_t fingerprint[KW_HASH_BYTES])
{
    unsigned n = 0;

    (void)pthread_mutex_lock(&loop->lock);
    for (struct conn *conn = loop->conns; conn; conn = conn->next) {
        if (conn->peer_cert && !conn->kicked &&
            memcmp(cert_sha256(conn->peer_cert), fingerprint, KW_HASH_BYTES) == 0) {
            conn->kicked = true;
            n++;
        }
    }
    (void)pthread_mutex_unlock(&loop->lock);
    if (n > 0) {
        loop_kick(loop);
    }
    return n;
}

unsigned http_server_kick(struct http_server *server, const uint8_t fingerprint[KW_HASH_BYTES])
{
    unsigned n = 0;

    for (unsigned i = 0; i < server->n_loops; i++) {
        n += kick_in(&server->loops[i], fingerprint);
    }
    return n;
}

struct http_server_stats http_server_stats(const struct http_server *server)
{
    struct http_server_stats stats = {
        .requests = atomic_load(&server->requests),
        .refused = atomic_load(&server->refused),
        .connections_open = atomic_load(&server->connections),
    };

    for (unsigned i = 0; i < TLS_END_MAX; i++) {
        stats.handshakes_failed[i] = atomic_load(&server->handshakes_failed[i]);
    }
    return stats;
}

/* Let answers that are due reach their clients. */
static void drain(struct http_server *server)
{
    static const struct timespec nap = {0, DRAIN_POLL_MS * 1000000L};
    int64_t until_ms = os_clock_mono_ms() + server->config.drain_ms;

    for (unsigned i = 0; i < server->n_loops; i++) {
        if (server->loops[i].started) {
            loop_drain(&server->loops[i]);
        }
    }
    while (atomic_load(&server->busy) > 0 && os_clock_mono_ms() < until_ms) {
        (void)nanosleep(&nap, NULL); /* a shorter nap does no harm */
    }
}

void http_server_free(struct http_server *server)
{
    if (!server) {
        return;
    }
    drain(server);
    /* Handlers that are still at work end by their deadlines; their answers go back to the loops,
     * which must be there. */
    os_pool_free(server->pool);
    for (unsigned i = 0; i < server->n_loops; i++) {
        loop_end(&server->loops[i]);
    }
    while (server->gates) {
        struct gate *gate = server->gates;
        server->gates = gate->next;
        router_free(gate->router);
        free(gate);
    }
    free(server);
}
