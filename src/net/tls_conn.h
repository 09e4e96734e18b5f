/* TLS connections of a listener, as libevent's buffers. For net/ only. */
#ifndef NET_TLS_CONN_H
#define NET_TLS_CONN_H

#include "net/http.h"
#include "net/tls.h"

struct bufferevent;
struct event_base;

/* The caller's, at a stable place until tls_conn_end(). */
struct tls_watch {
    void (*ready)(void *ctx, struct cert *peer); /* handshake done; peer (NULL = none) is now the
                                                    callee's. Called once */
    /* Instead of ready(), before the end of the connection: the handshake fails. op says why. Not
     * called for TLS_END_GONE. Called once */
    void (*failed)(void *ctx, enum tls_end end, const struct kw_op *op);
    void *ctx;
    struct cert *peer; /* verified, until ready() takes it; the caller frees what is left after
                          tls_conn_end() */
};

/* A buffer that closes its descriptor when it is freed; NULL where memory lacks. */
struct bufferevent *tls_conn_new(struct tls_server *tls, struct event_base *base,
                                 struct tls_watch *watch);
/* The connection ends: let go of the watch; say_goodbye: send close_notify, so that the peer knows
 * that nothing was cut off. */
void tls_conn_end(struct bufferevent *bev, bool say_goodbye);
/* What a connection whose handshake is done exports under this label (RFC 8446 section 7.5),
 * without a context. False: nothing. Loop thread. */
bool tls_conn_export(struct bufferevent *bev, const char *label, uint8_t ret[HTTP_BINDING]);
/* Have all that waits to be written go out as one record. */
void tls_conn_join_output(struct bufferevent *bev);

#endif
