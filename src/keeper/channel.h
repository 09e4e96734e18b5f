/*
 * The gate's end of one channel: many threads, many requests in flight, one socket. A thread that
 * waits for its answer reads for all (the leader) and hands over what belongs to others; when it
 * has its own, another one leads.
 */
#ifndef KEEPER_CHANNEL_H
#define KEEPER_CHANNEL_H

#include "keeper/msg.h"

enum { CHANNEL_IN_FLIGHT_MAX = 256 };

struct channel; /* reference counted; any thread */

/* Take an AF_UNIX SOCK_SEQPACKET socket; it is closed in any case. KW_E_MEMORY, KW_E_INPUT another
 * kind of socket. */
kw_status channel_new(struct kw_op *op, int fd, struct channel **ret);
struct channel *channel_ref(struct channel *channel);
void channel_unref(struct channel *channel);
KW_OWNED(channel, struct channel, channel_unref)

/* Room for one answer; the spans of a decoded answer borrow from it. */
struct channel_room {
    uint8_t octets[KEEPER_REPLY_MAX];
    size_t len;
};

/**
 * Send a request and wait for its reply, at most until op's deadline.
 *
 * pass_fd   a descriptor to go with it, borrowed, or -1
 * ret       code, text and undecoded result of the reply; borrows from room
 *
 * Errors  KW_E_TOO_LARGE    over the row's limit; KW_E_LIMIT CHANNEL_IN_FLIGHT_MAX requests are in
 * flight KW_E_UNAVAILABLE  the channel is closed; nothing was delivered KW_E_TIMEOUT      the
 * deadline passed before the request was delivered KW_E_UNSURE       delivered, but the deadline
 * passed or the channel broke before the answer came
 */
kw_status channel_call(struct kw_op *op, struct channel *channel, const struct keeper_row *row,
                       const struct keeper_msg *msg, int pass_fd, struct channel_room *room,
                       struct keeper_reply *ret);
/* The peer broke the rules (or is to be left): wake everybody, take no more. */
void channel_break(struct channel *channel);
/* The peer hung up: whoever waits still reads what came before; then as channel_break(). */
void channel_hangup(struct channel *channel);
bool channel_alive(const struct channel *channel);
/* When the last answer came, by the monotonic clock; 0 before the first one. */
int64_t channel_heard_mono_ms(const struct channel *channel);
/* It broke because the peer answered in another protocol version (or with garbage in its place). */
bool channel_is_alien(const struct channel *channel);
/* For poll(2) on a hang-up by a thread that holds a reference. */
int channel_fd(const struct channel *channel);

#endif
