/* One request and its answer on their way through the engine. For net/ only. */
#ifndef NET_EXCHANGE_H
#define NET_EXCHANGE_H

#include "net/router.h"
#include "net/server.h"

enum {
    TARGET_MAX = 2048,     /* a request target with query; templates take KW_URI_MAX a parameter */
    CONTENT_TYPE_MAX = 96, /* the longest that any route asks for is below 40 */
    PEER_MAX = 64,         /* an IPv6 address in brackets and a port are 54 */
};

struct conn;
struct loop;
struct evhttp_request;

struct exchange {
    struct exchange *next; /* in its loop's queue of finished ones */
    struct loop *loop;
    struct conn *conn; /* NULL once the client has gone; loop thread only */
    struct evhttp_request
        *raw; /* headers and body live there; loop thread only, but for reading headers */
    const struct http_listener *listener;
    const struct route *route; /* NULL: none matches */
    unsigned allow; /* methods that the path takes where route is NULL; 0: no such path */
    bool close;     /* end the connection after the answer */
    bool proven;    /* authenticate() was asked and said yes */
    int64_t started_ns;
    struct kw_op op;
    struct http_request request;
    struct http_response response;
    char target[TARGET_MAX]; /* path NUL query NUL */
    char content_type[CONTENT_TYPE_MAX];
    char peer[PEER_MAX];
};

/*
 * The engine (engine.c). Each returns with the response filled in, errors rendered, or says that
 * more is to be done.
 */
/* Route, method, size, media type. False: refused, the response says why. Loop thread. */
bool engine_admit(struct exchange *x, const struct router *router);
/* Authenticate and handle. False: only from the loop thread, it must be run again on the pool. */
bool engine_run(struct exchange *x, bool on_loop);
/* Refuse with this failure; x->op receives the words. */
void engine_refuse(struct exchange *x, kw_status status);

#endif
