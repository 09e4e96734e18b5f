/*
 * The line to the broker: MQTT 5 by libmosquitto, TLS 1.3 by libkeywright, reconnected with
 * back-off. One thread: everything happens in link_step().
 */
#ifndef HOME_LINK_H
#define HOME_LINK_H

#include <keywright/keywright.h>
#include <stdint.h>

#include "queue.h"

enum { LINK_QUEUES = 2, LINK_TOPICS = 2 };

struct link_config {
    struct keywright *kw; /* the identity; borrowed */
    const char *host;     /* name or address that the broker's certificate must have */
    unsigned port;
    const char *id;                    /* client id: what the certificate names */
    const char *topics[LINK_TOPICS];   /* subscribed to, QoS 1; NULL = none */
    unsigned session_s;                /* so long the broker keeps messages for us; 0 = not */
    double retry_max_s;                /* longest wait between two tries */
    double connect_s;                  /* for TCP, each address of the host */
    struct queue *queues[LINK_QUEUES]; /* sent from, the first first; borrowed */
    void (*on_message)(void *ctx, const char *topic, const void *payload, size_t len);
    void *ctx;
};

struct link;
struct link *link_new(const struct link_config *config);
void link_free(struct link *link);
/* Connect, receive, send, as far as it goes within so many milliseconds. */
void link_step(struct link *link, unsigned ms);
bool link_is_up(const struct link *link);
/* Hang up and come back with the identity as it is then: after a renewal. */
void link_renew(struct link *link);

/* A clock that nobody sets. */
int64_t link_now_ms(void);

#endif
