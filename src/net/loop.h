/* A loop thread: its event base, its connections, and the answers that come back from the pool. For
 * net/ only. */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include <pthread.h>
#include <stdatomic.h>

#include "net/exchange.h"
#include "net/linger.h"

struct event;
struct event_base;
struct evconnlistener;
struct evhttp;

/* One listener as all loops see it. */
struct gate {
    struct gate *next;
    struct http_listener listener;
    struct router *router;
    atomic_uint n_open; /* connections, all loops */
};

/* One listener on one loop. */
struct door {
    struct door *next;
    struct gate *gate;
    struct loop *loop;
    struct evhttp *http;
    struct evconnlistener *socket; /* owned by http */
};

enum { DATE_CAP = 40 }; /* "Sat, 21 Nov 2026 06:33:12 GMT" is 29 */

/*
 * libevent runs without its own locks: everything here belongs to the loop's thread (before the
 * start and after the end to the server's owner), but for what `lock` guards and the atomics.
 */
struct loop {
    struct http_server *server;
    struct event_base *base;
    struct event *wake, *sweep, *adopt;
    int wake_fd; /* eventfd */
    pthread_t thread;
    bool started;
    bool draining;
    uint64_t id_seed, id_count;
    struct door *doors;
    struct conn *fresh;          /* accepted in this round of the loop, see conn.c */
    struct conn *noted;          /* libevent answers them by itself, see refusal.c */
    struct kw_uri_params params; /* room for head.c */
    struct conn **by_fd;         /* n_by_fd places */
    size_t n_by_fd;
    struct linger_list lingering;
    int64_t date_unix; /* of date; 0: none yet */
    char date[DATE_CAP];
    struct exchange *spare; /* n_spare free ones, see dispatch.c */
    unsigned n_spare;
    pthread_mutex_t lock; /* guards what follows, and conn.peer_cert and conn.kicked */
    struct conn *conns;
    struct exchange *done, **done_end;
    bool wants_drain, wants_stop, wants_kick;
};

struct http_server {
    unsigned n_loops;
    struct http_server_config config; /* defaults filled in */
    struct os_pool *pool;
    struct gate *gates;
    bool started;
    atomic_uint busy; /* exchanges whose answer is not wholly written */
    atomic_uint_fast64_t requests, refused, connections;
    atomic_uint_fast64_t handshakes_failed[TLS_END_MAX];
    struct loop loops[];
};

kw_status loop_init(struct kw_op *op, struct loop *loop, struct http_server *server);
kw_status loop_start(struct kw_op *op, struct loop *loop, unsigned number);
/* Serve a listener's socket, which becomes the loop's also after a failure. */
kw_status loop_open_door(struct kw_op *op, struct loop *loop, struct gate *gate, int fd);
/* No new connections; idle ones end, others after their answer. Any thread. */
void loop_drain(struct loop *loop);
/* Look for kicked connections. Any thread. */
void loop_kick(struct loop *loop);
/* Hand an answered exchange back. Any thread. */
void loop_post(struct exchange *x);
/* The time for Date headers, written out once a second; "" where it cannot be. Loop thread. */
const char *loop_date(struct loop *loop);
/* End the thread, free all. No exchange may be on the pool any more. */
void loop_end(struct loop *loop);

#endif
