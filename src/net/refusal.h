/*
 * What libevent refuses by itself (no HTTP, a body over the limit, an unknown method) is answered
 * with a page of HTML. Ours takes its place before it is written out. For net/ only.
 */
#ifndef NET_REFUSAL_H
#define NET_REFUSAL_H

struct conn;
struct exchange;
struct loop;

/* libevent is about to say something on a connection whose request we have not got; or our refusal
 * is written. */
void refusal_note(struct conn *conn);
/* The connection ends. */
void refusal_forget(struct conn *conn);
/* Put the exchange's answer in the place of libevent's. */
void refusal_write(struct exchange *x);
/* Replace what libevent said, in the same round of the loop: nothing of it was written. End those
 * that have got their refusal. */
void refusal_replace_all(struct loop *loop);

#endif
