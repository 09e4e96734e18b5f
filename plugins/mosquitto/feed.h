/*
 * What the server says of who may connect, in memory: a thread of its own takes the snapshot and
 * follows the changes. The broker's thread only looks, and never waits for the network.
 */
#ifndef PLUGIN_FEED_H
#define PLUGIN_FEED_H

#include <stdatomic.h>

#include "mosquitto/policy.h"
#include "mosquitto/table.h"

struct feed_config {
    char gate[256];                 /* https://host:8443 */
    char root[KW_PATH_BYTES];       /* PEM: the only trust anchors for the gate */
    char credential[KW_PATH_BYTES]; /* PEM: certificate, issuers, key; 0600 */
    char trust[KW_PATH_BYTES];      /* folder for the CAs, by hash; "" = none */
    char metrics[KW_PATH_BYTES];    /* file; "" = none */
};

/* Figures; the feed's own, and those that the broker's thread counts. */
enum { FEED_REASONS_MAX = 32, FEED_DELAYS = 8 };
struct feed_figures {
    atomic_ullong answers, failures, snapshots, kicks, connects, refused[FEED_REASONS_MAX];
    atomic_ullong sessions, clients, bytes;
    /* From a change at the server to the end of the session, where it says when that was. */
    atomic_ullong delays[FEED_DELAYS], delay_sum_ms, delay_max_ms; /* the last delay: any */
};

struct feed;
/* stale_s: a third of it, at most 10 s, is how long a call waits. Starts the thread. */
kw_status feed_start(struct kw_op *op, const struct feed_config *config, unsigned stale_s,
                     struct feed **ret);
/* Waits for the call at work to end: a second or so. */
void feed_stop(struct feed *feed);
/* Read the credential again and take everything anew. */
void feed_renew(struct feed *feed);

/* What the table says of a certificate; owner: copied. False: nothing. */
struct feed_client {
    char owner[BROKER_OWNER_MAX], kind[16], profile[KW_NAME_MAX];
    enum standing standing;
    int64_t ends_s;
    enum verdict verdict;
    unsigned level;
    uint32_t changed_ms; /* as struct known has it */
};
bool feed_find(struct feed *feed, const uint8_t sha256[KW_HASH_BYTES], struct feed_client *ret);
/* Milliseconds since the server was asked what it has answered last; INT64_MAX: never. */
int64_t feed_age_ms(const struct feed *feed);
/* Rises whenever somebody's standing fell, or the whole table is another. */
unsigned feed_generation(const struct feed *feed);
/* The broker has looked at all sessions since this generation: the server may be told. */
void feed_swept(struct feed *feed, unsigned generation);
/* Hand CAs that have come since the last call, or all, to others' keeping: put() may not block. */
struct cert;
typedef kw_status (*feed_cas_fn)(struct kw_op *op, void *ctx, struct cert *const roots[],
                                 unsigned n_roots, struct cert *const cas[], unsigned n_cas);
kw_status feed_hand_cas(struct kw_op *op, struct feed *feed, bool all, feed_cas_fn put, void *ctx);
/* The next line for the log, by the broker's thread; false: none. */
bool feed_note(struct feed *feed, char text[256]);
struct feed_figures *feed_figures(struct feed *feed);
/* Count the end of a session that a change brought about. */
void feed_kicked(struct feed *feed, uint32_t changed_ms);
const char *feed_reason_name(unsigned reason); /* of door.h, for metrics */

#endif
