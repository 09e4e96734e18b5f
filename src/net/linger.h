/*
 * Closing a socket with unread data in it makes the kernel reset the connection, and the reset may
 * destroy what we said last (an alert, a 413) before the peer has read it. So the reading side
 * stays open for a moment. For net/ only.
 */
#ifndef NET_LINGER_H
#define NET_LINGER_H

#include <stdbool.h>

struct event_base;
struct lingering;

/* Those of one loop; zero-initialise. */
struct linger_list {
    struct lingering *first;
    unsigned n;
};

/* Keep the connection of fd (a duplicate is made) until the peer closes it, or for a moment. Best
 * effort. */
void linger_start(struct linger_list *list, struct event_base *base, int fd);
void linger_end_all(struct linger_list *list);

#endif
