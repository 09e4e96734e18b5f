/* The gate's side against a keeper that is slow, dies, answers out of turn, or lies. */
#include <poll.h>
#include <stdatomic.h>

#include "keeper/channel.h"
#include "keeper/keeper.h"
#include "os/clock.h"
#include "unit/keeper/peer.h"

enum { SHORT_MS = 150, LONG_MS = 60000, THREADS = 16, CALLS = 200 };

static struct kw_op op_of(int64_t ms)
{
    struct kw_op op;

    kw_op_init(&op, "test", ms ? os_clock_mono_ms() + ms : 0);
    return op;
}

static struct keeper *attach(struct peer *peer, void (*script)(struct peer *peer))
{
    struct keeper *keeper = NULL;
    struct kw_op op = op_of(LONG_MS);

    assert_ok(keeper_attach(&op, peer_start(peer, script), &keeper));
    assert_true(keeper_alive(keeper));
    return keeper;
}

static void finish(struct peer *peer, struct keeper *keeper)
{
    keeper_stop(keeper);
    peer_join(peer);
}

static enum kw_code call(struct keeper *keeper, int64_t ms)
{
    struct kw_op op = op_of(ms);
    struct keeper_info info;

    return keeper_info(&op, keeper, &info).code;
}

/* Scripts. */
static void answer_all(struct peer *peer)
{
    struct keeper_frame frame;

    (void)peer_hello(peer);
    while (peer_take(peer, &frame)) {
        peer_info(peer, frame.req_id);
    }
}

/* Collects requests while more come, then answers them backwards. */
static void answer_backwards(struct peer *peer)
{
    uint64_t ids[CHANNEL_IN_FLIGHT_MAX];
    unsigned n = 0;
    struct keeper_frame frame;

    (void)peer_hello(peer);
    for (;;) {
        struct pollfd ready = {.fd = peer->fd, .events = POLLIN};
        if (poll(&ready, 1, n > 0 ? 2 : -1) == 1) {
            if (!peer_take(peer, &frame)) {
                return;
            }
            ids[n++] = frame.req_id;
            continue;
        }
        while (n > 0) {
            peer_info(peer, ids[--n]);
        }
    }
}

static void never_answer(struct peer *peer)
{
    struct keeper_frame frame;

    (void)peer_hello(peer);
    while (peer_take(peer, &frame)) {
    }
}

/* The first answer comes after its request was given up, with the second. */
static void answer_late(struct peer *peer)
{
    struct keeper_frame first;
    struct keeper_frame second;

    (void)peer_hello(peer);
    if (!peer_take(peer, &first) || !peer_take(peer, &second)) {
        return;
    }
    peer_info(peer, first.req_id);
    peer_info(peer, second.req_id);
    while (peer_take(peer, &first)) {
        peer_info(peer, first.req_id);
    }
}

static void die_when_asked(struct peer *peer)
{
    struct keeper_frame frame;

    (void)peer_hello(peer);
    (void)peer_take(peer, &frame);
}

static void die_at_once(struct peer *peer)
{
    (void)peer_hello(peer);
}

static void die_before_hello(struct peer *peer)
{
    struct keeper_frame frame;

    (void)peer_take(peer, &frame);
}

/* Answers with what `lie` makes of it. */
static void (*lie)(struct peer *peer, uint64_t req_id);

static void tell_a_lie(struct peer *peer)
{
    struct keeper_frame frame;

    (void)peer_hello(peer);
    if (peer_take(peer, &frame)) {
        lie(peer, frame.req_id);
    }
    while (peer_take(peer, &frame)) { /* until the gate leaves */
    }
}

static void send_garbage(struct peer *peer, uint64_t req_id)
{
    (void)req_id;
    peer_send(peer, KW_SPAN("garbage", 7));
}
static void send_other_id(struct peer *peer, uint64_t req_id)
{
    peer_info(peer, req_id + 256);
}
static void send_unasked_id(struct peer *peer, uint64_t req_id)
{
    peer_info(peer, req_id ^ 1);
}
static void send_request(struct peer *peer, uint64_t req_id)
{
    uint8_t octets[KEEPER_FRAME_BYTES + 64];
    struct kw_out packet = KW_OUT_ARRAY(octets);
    struct keeper_msg msg = {0};

    if (kw_ok(keeper_msg_encode(&keeper_rows[KEEPER_ROW_INFO], req_id, &msg, &packet))) {
        peer_send(peer, kw_out_span(&packet));
    }
}
static void send_body(struct peer *peer, uint64_t req_id, struct kw_span body)
{
    static uint8_t octets[PEER_PACKET + 64];
    struct kw_out packet = KW_OUT_ARRAY(octets);
    struct kw_writer w = kw_writer_of(&packet);
    struct keeper_frame frame = {KEEPER_VERSION, KEEPER_REPLY_TYPE, (uint32_t)body.len, req_id};

    keeper_frame_encode(&w, &frame);
    kw_writer_put(&w, body);
    peer_send(peer, kw_out_span(&packet));
}
static void send_no_code(struct peer *peer, uint64_t req_id)
{
    send_body(peer, req_id, KW_SPAN("\x7f\xff\0\0", 4));
}
static void send_cut_result(struct peer *peer, uint64_t req_id)
{
    send_body(peer, req_id, KW_SPAN("\0\0\0\0\0\0\0", 7));
}
static void send_too_much(struct peer *peer, uint64_t req_id)
{
    static uint8_t body[KEEPER_REPLY_MAX + 1];

    send_body(peer, req_id, KW_SPAN_ARRAY(body));
}
static void send_bad_flag(struct peer *peer, uint64_t req_id)
{
    uint8_t body[2 + 2 + 4 + 24 + 1] = {0};

    body[sizeof(body) - 1] = 2; /* neither true nor false */
    send_body(peer, req_id, KW_SPAN_ARRAY(body));
}

static void a_request_is_answered(void **state)
{
    struct peer peer;
    struct keeper *keeper = attach(&peer, answer_all);

    (void)state;
    assert_int_equal(call(keeper, LONG_MS), KW_CODE_OK);
    assert_int_equal(call(keeper, 0), KW_CODE_OK); /* without a deadline */
    finish(&peer, keeper);
}

/* Many threads: each gets its own answer, whatever the order. */
struct crowd {
    struct keeper *keeper;
    atomic_uint n_wrong;
};

static void *crowd_member(void *ctx)
{
    struct crowd *crowd = ctx;

    for (unsigned i = 0; i < CALLS; i++) {
        struct kw_op op = op_of(LONG_MS);
        struct keeper_info info;
        if (!kw_ok(keeper_info(&op, crowd->keeper, &info)) || info.signatures == 0) {
            atomic_fetch_add(&crowd->n_wrong, 1);
        }
    }
    return NULL;
}

static void run_crowd(void (*script)(struct peer *peer))
{
    struct peer peer;
    struct crowd crowd = {.keeper = attach(&peer, script)};
    pthread_t threads[THREADS];

    atomic_init(&crowd.n_wrong, 0);
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, crowd_member, &crowd), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(atomic_load(&crowd.n_wrong), 0);
    finish(&peer, crowd.keeper);
}

static void many_threads_in_turn(void **state)
{
    (void)state;
    run_crowd(answer_all);
}

static void many_threads_out_of_turn(void **state)
{
    (void)state;
    run_crowd(answer_backwards);
}

static void silence_is_unsure(void **state)
{
    struct peer peer;
    struct keeper *keeper = attach(&peer, never_answer);

    (void)state;
    assert_int_equal(call(keeper, SHORT_MS), KW_E_UNSURE);
    assert_true(keeper_alive(keeper));
    finish(&peer, keeper);
}

/* Requests that were given up count as long as their answers may come. */
static void no_more_than_256_in_flight(void **state)
{
    struct peer peer;
    struct keeper *keeper = attach(&peer, never_answer);

    (void)state;
    for (unsigned n = 0; n < CHANNEL_IN_FLIGHT_MAX;) {
        enum kw_code code = call(keeper, 2);
        assert_true(code == KW_E_UNSURE || code == KW_E_TIMEOUT); /* not sent: busy machine */
        n += code == KW_E_UNSURE;
    }
    assert_int_equal(call(keeper, SHORT_MS), KW_E_LIMIT);
    finish(&peer, keeper);
}

static void a_late_answer_does_no_harm(void **state)
{
    struct peer peer;
    struct keeper *keeper = attach(&peer, answer_late);

    (void)state;
    assert_int_equal(call(keeper, SHORT_MS), KW_E_UNSURE);
    assert_int_equal(call(keeper, LONG_MS), KW_CODE_OK);
    assert_int_equal(call(keeper, LONG_MS), KW_CODE_OK);
    finish(&peer, keeper);
}

static void death_after_delivery_is_unsure(void **state)
{
    struct peer peer;
    struct keeper *keeper = attach(&peer, die_when_asked);

    (void)state;
    assert_int_equal(call(keeper, LONG_MS), KW_E_UNSURE);
    assert_false(keeper_alive(keeper));
    assert_int_equal(call(keeper, LONG_MS), KW_E_UNAVAILABLE);
    finish(&peer, keeper);
}

static void death_before_delivery_is_safe(void **state)
{
    struct peer peer;
    struct keeper *keeper = attach(&peer, die_at_once);

    (void)state;
    peer_join(&peer);
    assert_int_equal(call(keeper, LONG_MS), KW_E_UNAVAILABLE);
    assert_false(keeper_alive(keeper));
    keeper_stop(keeper);
}

static void a_lying_keeper_is_left(void **state)
{
    static void (*const lies[])(struct peer *peer, uint64_t req_id) = {
        send_garbage, send_other_id,   send_unasked_id, send_request,
        send_no_code, send_cut_result, send_too_much,   send_bad_flag,
    };

    (void)state;
    for (size_t i = 0; i < KW_COUNT(lies); i++) {
        struct peer peer;
        lie = lies[i];
        struct keeper *keeper = attach(&peer, tell_a_lie);
        assert_int_equal(call(keeper, LONG_MS), KW_E_UNSURE);
        assert_false(keeper_alive(keeper));
        assert_int_equal(call(keeper, LONG_MS), KW_E_UNAVAILABLE);
        finish(&peer, keeper);
    }
}

/* Greetings. */
static void hello_other_version(struct peer *peer)
{
    (void)peer_hello_as(peer, KEEPER_VERSION + 1, KW_VERSION);
}
static void hello_other_build(struct peer *peer)
{
    (void)peer_hello_as(peer, KEEPER_VERSION, "0.0.0-other");
}
static void hello_other_frame(struct peer *peer)
{
    static const uint8_t packet[KEEPER_FRAME_BYTES] = {0, 2, 0x80, 0};
    struct keeper_frame frame;

    if (peer_take(peer, &frame)) {
        peer_send(peer, KW_SPAN_ARRAY(packet));
    }
}
static void hello_refused(struct peer *peer)
{
    struct keeper_frame frame;

    if (peer_take(peer, &frame)) {
        peer_reply(peer, KEEPER_ROW_HELLO, frame.req_id, KW_E_DENIED, "the passphrase is wrong",
                   NULL);
    }
}
static void hello_never(struct peer *peer)
{
    struct keeper_frame frame;

    while (peer_take(peer, &frame)) {
    }
}

static void greetings_that_fail(void **state)
{
    static const struct {
        void (*script)(struct peer *peer);
        enum kw_code code;
        const char *text;
    } rows[] = {
        {hello_other_version, KW_E_UNSUPPORTED, "version"                },
        {hello_other_build,   KW_E_UNSUPPORTED, "0.0.0-other"            },
        {hello_other_frame,   KW_E_UNSUPPORTED, "version"                },
        {hello_refused,       KW_E_DENIED,      "the passphrase is wrong"},
        {hello_never,         KW_E_UNAVAILABLE, "silent"                 },
        {die_before_hello,    KW_E_UNAVAILABLE, "ended"                  },
    };

    (void)state;
    for (size_t i = 0; i < KW_COUNT(rows); i++) {
        struct peer peer;
        struct keeper *keeper = NULL;
        struct kw_op op = op_of(rows[i].script == hello_never ? SHORT_MS : LONG_MS);
        kw_status status = keeper_attach(&op, peer_start(&peer, rows[i].script), &keeper);
        assert_code(status, rows[i].code);
        assert_non_null(strstr(kw_op_cause(&op), rows[i].text));
        assert_null(keeper);
        peer_join(&peer);
    }
}

/* A refusal's words arrive, and only its words: no key, no signature. */
static void refuse(struct peer *peer)
{
    struct keeper_frame frame;

    (void)peer_hello(peer);
    while (peer_take(peer, &frame)) {
        peer_reply(peer, KEEPER_ROW_KEY_FIND, frame.req_id, KW_E_EXPIRED, "period: it is over",
                   NULL);
    }
}

static void a_refusal_is_told(void **state)
{
    struct peer peer;
    struct keeper *keeper = attach(&peer, refuse);
    struct kw_op op = op_of(LONG_MS);
    struct keeper_key_info info;

    (void)state;
    assert_code(keeper_key_find(&op, keeper, "ca", &info), KW_E_EXPIRED);
    assert_string_equal(kw_op_cause(&op), "period: it is over");
    assert_true(keeper_alive(keeper));
    finish(&peer, keeper);
}

/* Something else than a SEQPACKET socket is no channel. */
static void another_descriptor_is_refused(void **state)
{
    int pair[2];
    struct keeper *keeper = NULL;
    struct kw_op op = op_of(LONG_MS);

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_code(keeper_attach(&op, pair[0], &keeper), KW_E_INPUT);
    assert_int_equal(close(pair[1]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_answered),
        cmocka_unit_test(many_threads_in_turn),
        cmocka_unit_test(many_threads_out_of_turn),
        cmocka_unit_test(silence_is_unsure),
        cmocka_unit_test(no_more_than_256_in_flight),
        cmocka_unit_test(a_late_answer_does_no_harm),
        cmocka_unit_test(death_after_delivery_is_unsure),
        cmocka_unit_test(death_before_delivery_is_safe),
        cmocka_unit_test(a_lying_keeper_is_left),
        cmocka_unit_test(greetings_that_fail),
        cmocka_unit_test(a_refusal_is_told),
        cmocka_unit_test(another_descriptor_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
