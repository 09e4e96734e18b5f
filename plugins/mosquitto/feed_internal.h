/* Between the files of the feed. */
#ifndef PLUGIN_FEED_INTERNAL_H
#define PLUGIN_FEED_INTERNAL_H

#include <pthread.h>

#include "crypto/cert.h"
#include "mosquitto/feed.h"
#include "net/client.h"

enum {
    FEED_CERTS_MAX = 16,
    FEED_CAS_MAX = 96, /* roots, links and CAs: more than a server has */
    FEED_NOTES_MAX = 16,
    FEED_NOTE_BYTES = 256
};

/* Who we are and whom we believe, as read from the files. */
struct feed_link {
    struct cert *roots[FEED_CERTS_MAX], *chain[FEED_CERTS_MAX];
    unsigned n_roots, n_chain;
    struct privkey *key;
    struct http_client *client;
};
kw_status feed_link_open(struct kw_op *op, const struct feed_config *config, unsigned timeout_ms,
                         struct feed_link *link);
void feed_link_close(struct feed_link *link);

/* What is believed of CAs; copies of the list share the certificates. */
struct feed_cas {
    struct cert *roots[FEED_CERTS_MAX], *at[FEED_CAS_MAX];
    unsigned n_roots, n;
};
/* Fetch the CAs: those that lead to our roots, put into the folder, too, where there is one. */
kw_status feed_cas_fetch(struct kw_op *op, const struct feed_config *config,
                         const struct feed_link *link, struct feed_cas *ret);
void feed_cas_drop(struct feed_cas *cas);

struct feed {
    struct feed_config config;
    unsigned wait_s;
    pthread_t thread;
    atomic_bool stop, renew;
    pthread_rwlock_t lock; /* guards the pointer and what it points to */
    struct table *table;   /* NULL until the first snapshot */
    atomic_llong fresh_ms; /* monotonic; 0 = never */
    atomic_uint generation;
    pthread_mutex_t mutex; /* guards the following */
    pthread_cond_t swept_more;
    unsigned swept;
    struct feed_cas cas;
    bool cas_new; /* the broker's thread did not have them yet */
    unsigned n_notes;
    char notes[FEED_NOTES_MAX][FEED_NOTE_BYTES];
    struct feed_figures figures;
    /* The thread's own: */
    struct feed_link link;
    struct broker_view view;
    char log[KW_NAME_MAX];
    uint8_t trust[KW_HASH_BYTES];
    uint64_t cursor, enforced;
    int64_t told_ms; /* when the last answer came; monotonic */
    bool in_a_row;   /* it brought changes: there may be more */
    bool whole;      /* the snapshot was taken: changes go on */
    bool failing, trust_failing;
    int64_t metrics_ms;
};

/* The upper end of a class of delays. */
unsigned feed_delay_ms(unsigned i);

/* Write the metrics file, where there is one. */
kw_status feed_metrics_write(struct kw_op *op, struct feed *feed);

#endif
