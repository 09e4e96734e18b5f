/* The first line of a request, before libevent reads it. For net/ only. */
#ifndef NET_HEAD_H
#define NET_HEAD_H

struct conn;
struct evbuffer;

/*
 * libevent refuses a body that is too large as soon as its headers say so, but knows one limit a
 * connection. So, once the first line is there, the limit becomes that of the line's route. input:
 * what the connection has received and libevent has not read yet.
 */
void head_look(struct conn *conn, struct evbuffer *input);

#endif
