/* A scripted keeper on the other end of a channel, in a thread of its own. */
#ifndef TESTS_UNIT_KEEPER_PEER_H
#define TESTS_UNIT_KEEPER_PEER_H

#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "keeper/msg.h"
#include "unit/base/check.h"

enum { PEER_PACKET = KEEPER_FRAME_BYTES + KW_MSG_BODY_MAX };

struct peer {
    int fd; /* the keeper's end */
    pthread_t thread;
    void (*script)(struct peer *peer);
};

/* The next request; false at the end of the channel. */
static inline bool peer_take(struct peer *peer, struct keeper_frame *ret)
{
    uint8_t octets[PEER_PACKET];
    struct kw_span body;

    ssize_t n = recv(peer->fd, octets, sizeof(octets), 0);
    return n > 0 && kw_ok(keeper_frame_decode(KW_SPAN(octets, (size_t)n), ret, &body));
}

static inline void peer_send(struct peer *peer, struct kw_span packet)
{
    ssize_t n = send(peer->fd, packet.p, packet.len, MSG_NOSIGNAL);
    (void)n; /* the other end may be gone: then the test sees that */
}

static inline void peer_reply(struct peer *peer, enum keeper_row_index row, uint64_t req_id,
                              enum kw_code code, const char *text,
                              const struct keeper_answer *answer)
{
    uint8_t octets[KEEPER_FRAME_BYTES + KEEPER_REPLY_MAX];
    struct kw_out packet = KW_OUT_ARRAY(octets);

    if (kw_ok(keeper_reply_encode(&keeper_rows[row], req_id, code, text, answer, &packet))) {
        peer_send(peer, kw_out_span(&packet));
    }
}

static inline bool peer_hello_as(struct peer *peer, unsigned version, const char *build)
{
    struct keeper_answer answer = {
        .hello = {.version = (uint16_t)version, .mode = KEEPER_SERVING, .n_keys = 1}
    };
    struct keeper_frame frame;

    if (!KW_TEXT_SET(answer.hello.build, build) || !peer_take(peer, &frame)) {
        return false;
    }
    peer_reply(peer, KEEPER_ROW_HELLO, frame.req_id, KW_CODE_OK, "", &answer);
    return true;
}

static inline bool peer_hello(struct peer *peer)
{
    return peer_hello_as(peer, KEEPER_VERSION, KW_VERSION);
}

/* An INFO answer that tells whose request it was. */
static inline void peer_info(struct peer *peer, uint64_t req_id)
{
    struct keeper_answer answer = {.info = {.signatures = req_id}};

    peer_reply(peer, KEEPER_ROW_INFO, req_id, KW_CODE_OK, "", &answer);
}

static inline void *peer_run(void *ctx)
{
    struct peer *peer = ctx;

    peer->script(peer);
    (void)close(peer->fd);
    return NULL;
}

/* Start the script; ret: the gate's end. */
static inline int peer_start(struct peer *peer, void (*script)(struct peer *peer))
{
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    peer->fd = pair[1];
    peer->script = script;
    assert_int_equal(pthread_create(&peer->thread, NULL, peer_run, peer), 0);
    return pair[0];
}

static inline void peer_join(struct peer *peer)
{
    assert_int_equal(pthread_join(peer->thread, NULL), 0);
}

#endif
