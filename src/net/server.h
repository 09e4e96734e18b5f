/* The HTTP server: loop threads that do network I/O, a bounded pool that runs handlers (DESIGN
 * section 3). */
#ifndef NET_SERVER_H
#define NET_SERVER_H

#include "net/http.h"
#include "net/tls.h"
#include "os/queue.h"

struct http_server;

/**
 * Find out who asks. Called for every request on a live connection too, so that revocation bites at
 * the next request. allowed: the route's auth bits. On the thread that runs the handler (loop
 * thread for ROUTE_FAST). Errors: KW_E_AUTH nobody proven (401, with WWW-Authenticate: Basic where
 * AUTH_SECRET is allowed), KW_E_DENIED, KW_E_REVOKED, KW_E_EXPIRED, KW_E_UNAVAILABLE status could
 * not be found out: refused all the same.
 */
typedef kw_status (*http_authenticate)(struct kw_op *op, void *ctx,
                                       const struct http_request *request, unsigned allowed,
                                       struct http_principal *ret);
/*
 * Called once for every finished request, with the outcome, also where the client has gone
 * meanwhile; must be quick (metrics, access refusals). On a loop thread, several at once. route is
 * NULL where none matches. Of requests that are no HTTP, are too large or have an unknown method
 * (400, 413, 501) no more is seen than that: the path is the route's template, or "" without one.
 */
typedef void (*http_observe)(void *ctx, const struct route *route,
                             const struct http_request *request, const struct kw_op *op, int status,
                             int64_t micros);
/* Called for each TLS handshake that fails other than by silence (TLS_END_GONE), before the
 * connection ends; must be quick. op says why, in words that the peer may have a part in. On a loop
 * thread, several at once. */
typedef void (*http_observe_handshake)(void *ctx, enum tls_end end, const char *peer,
                                       const struct kw_op *op);

struct http_listener {
    const char *name;                  /* "devices" */
    const char *address;               /* "127.0.0.1", "::", … */
    uint16_t port;                     /* 0 = any free one, see ret_port */
    struct tls_server *tls;            /* NULL = plain; borrowed, must outlive the server */
    const struct route *const *tables; /* NULL-terminated list of tables … */
    const unsigned *n_rows;            /* … and their lengths */
    http_authenticate authenticate;
    http_observe observe;                     /* may be NULL */
    http_observe_handshake observe_handshake; /* may be NULL */
    void *ctx;                                /* for authenticate, observers and handlers */
    unsigned connections_max;                 /* further ones are closed at once */
};

struct http_server_config {
    unsigned loop_threads;       /* 0 = 1 */
    unsigned pool_threads;       /* 0 = 16 */
    unsigned pool_waiting;       /* 0 = 1024; beyond it 503 with Retry-After */
    unsigned request_timeout_ms; /* whole request must arrive within; 0 = 15000: slow clients are
                                    dropped */
    unsigned idle_timeout_ms;    /* kept-alive connections; 0 = 60000 */
    unsigned drain_ms;           /* at the stop, let answers finish; 0 = 3000 */
};

kw_status http_server_new(struct kw_op *op, const struct http_server_config *config,
                          struct http_server **ret);
/* Bind and listen, before the start. The texts and tables of `listener` are borrowed as long as the
 * server lives. ret_port may be NULL. KW_E_STATE the server runs already, KW_E_CONFLICT the port is
 * taken (named), KW_E_DENIED no right to bind, KW_E_INPUT bad address. */
kw_status http_server_listen(struct kw_op *op, struct http_server *server,
                             const struct http_listener *listener, uint16_t *ret_port);
/* Start the threads and return. */
kw_status http_server_start(struct kw_op *op, struct http_server *server);
/* Close every connection whose client certificate has this fingerprint; returns how many
 * (revocation). A request in work on it still gets its answer. Any thread; does not wait. */
unsigned http_server_kick(struct http_server *server, const uint8_t fingerprint[KW_HASH_BYTES]);
struct http_server_stats {
    uint64_t requests; /* finished, as observed */
    uint64_t refused;  /* of these, the ones that failed; and connections over the limit */
    uint64_t connections_open;
    uint64_t handshakes_failed[TLS_END_MAX];
};
struct http_server_stats http_server_stats(const struct http_server *server);
/* Stop accepting, let answers finish for drain_ms, wait for handlers (at most their deadlines), end
 * the threads, free. */
void http_server_free(struct http_server *server);
KW_OWNED(http_server, struct http_server, http_server_free)

#endif
