/* From libevent's request to an exchange, through engine and pool, and back. For net/ only. */
#ifndef NET_DISPATCH_H
#define NET_DISPATCH_H

#include "net/conn.h"

struct evhttp_request;

/* libevent has read a whole request; arg: the door. */
void dispatch_request(struct evhttp_request *raw, void *arg);
/* The exchange has its answer: observe, send (or drop, where the client has gone), free. Loop
 * thread. */
void dispatch_finish(struct exchange *x);
/* libevent refuses what the connection sent, and its page lies unwritten in the output: ours
 * instead of it. */
void dispatch_refuse(struct conn *conn, enum kw_code code, const char *text);
void dispatch_free_spares(struct loop *loop);
/* Write the answer out (reply.c). x->conn is there. */
void reply_send(struct exchange *x);

#endif
