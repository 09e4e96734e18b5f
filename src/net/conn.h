/* One connection: how far it is, until when, and who is on the other end. For net/ only. */
#ifndef NET_CONN_H
#define NET_CONN_H

#include "net/loop.h"
#include "net/tls_conn.h"

struct bufferevent;
struct evbuffer;
struct evhttp_connection;

enum conn_phase {
    CONN_HANDSHAKE, /* TLS */
    CONN_RECEIVING, /* a request, from its first octet (the first one: from the start) to its last
                     */
    CONN_IDLE,      /* kept alive */
    CONN_HANDLING,  /* an exchange is on its way through the engine */
    CONN_WRITING,   /* its answer is on the way to the client */
};

struct conn {
    struct conn *next, *prev; /* in loop->conns, under its lock */
    struct conn *next_fresh;
    struct door *door;
    struct bufferevent *bev;         /* libevent's, which closes it */
    struct evhttp_connection *evcon; /* NULL until adopted */
    int fd;
    enum conn_phase phase;
    int64_t due_ms;  /* the phase must be over by then; 0 = no limit */
    size_t to_write; /* octets of the answer when its phase, or the latest extension of it, began */
    const struct route *route; /* of the first line; NULL: none, or not asked for (head.c) */
    bool line_seen;            /* the first line of the request */
    bool asks_head;            /* … is HEAD's */
    bool is_noted;             /* in loop->noted */
    bool is_parting;           /* a refusal is the last that it hears */
    struct conn *next_noted;
    bool refused;           /* over the limit: closed as soon as possible */
    bool linger;            /* let the peer read our last words */
    enum tls_end tls_end;   /* of a handshake that failed */
    bool kicked;            /* under the loop's lock */
    struct cert *peer_cert; /* owned; written under the loop's lock */
    struct tls_watch watch;
    struct exchange *exchange; /* while CONN_HANDLING */
    /* The channel binding under this label, which stays as long as the connection; NULL: not asked
     * for yet. Loop thread only. */
    const char *binding_label;
    uint8_t binding[HTTP_BINDING];
    char peer[PEER_MAX];
};

/* libevent asks for a buffer for the connection that it has just accepted; arg: the door. */
struct bufferevent *conn_new(struct event_base *base, void *arg);
/* Attach to what libevent made of loop->fresh meanwhile. */
void conn_adopt_fresh(struct loop *loop);
/* The record behind libevent's connection; NULL where there is none. */
struct conn *conn_of(struct loop *loop, struct evhttp_connection *evcon);
/* Enter a phase. */
void conn_set_phase(struct conn *conn, enum conn_phase phase, size_t to_write);
/* The answer is written. The caller is inside of libevent's handling of this connection: it is not
 * freed here. */
void conn_answered(struct conn *conn);
/* A refusal is on its way to the client; the connection ends after it. */
void conn_refused(struct conn *conn);
/* End it now; an exchange in work loses its connection. Frees conn. */
void conn_kill(struct conn *conn);
/* Under no lock: is it to end after what is going on? */
bool conn_is_ending(struct conn *conn);
/* End connections that are overdue. */
void conn_sweep(struct loop *loop, int64_t now_ms);
/* End kicked connections (or all, where draining) but those with an exchange in work. */
void conn_end_idle(struct loop *loop);

#endif
