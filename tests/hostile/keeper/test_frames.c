/*
 * A gate that breaks the rules of the channel: the keeper records it, closes the channel and ends
 * with status 3; the next keeper serves as before.
 */
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/writer.h"
#include "hostile/keeper/attack.h"
#include "keeper/memfd.h"

enum { EXIT_MALFORMED = 3, CLOSE_MS = 60000 };

struct frame_attack {
    const char *name;
    void (*send)(struct rig *rig);
    const char *message; /* in refusals.log */
    bool answered;       /* before the channel closes */
};

static uint8_t room[KEEPER_FRAME_BYTES + KW_MSG_BODY_MAX + 64];

/* A packet whose header says what it is told to. */
static void send_frame(struct rig *rig, unsigned version, unsigned type, uint32_t body_len,
                       struct kw_span body)
{
    struct kw_out out = KW_OUT_ARRAY(room);
    struct kw_writer w = kw_writer_of(&out);
    struct keeper_frame frame = {
        .version = (uint16_t)version, .type = (uint16_t)type, .body_len = body_len, .req_id = 77};

    keeper_frame_encode(&w, &frame);
    kw_writer_put(&w, body);
    assert_ok(kw_writer_end(&w));
    rig_send(rig, kw_out_span(&out), NULL, 0);
}

static void send_body(struct rig *rig, enum keeper_type type, const void *body, size_t n)
{
    send_frame(rig, KEEPER_VERSION, type, (uint32_t)n, KW_SPAN(body, n));
}

/* A right request, to be sent with descriptors that do not belong to it. */
static void send_with_fds(struct rig *rig, enum keeper_row_index row, struct keeper_msg *msg,
                          const int fds[], unsigned n_fds)
{
    struct kw_out out = KW_OUT_ARRAY(room);

    assert_true(KW_TEXT_SET(msg->request_id, rig->request_id));
    assert_ok(keeper_msg_encode(&keeper_rows[row], 77, msg, &out));
    rig_send(rig, kw_out_span(&out), fds, n_fds);
}

static void header_cut(struct rig *rig)
{
    static const uint8_t octets[15] = {0, 1, 0, 2};

    rig_send(rig, KW_SPAN_ARRAY(octets), NULL, 0);
}
static void one_octet(struct rig *rig)
{
    rig_send(rig, KW_SPAN("\x01", 1), NULL, 0);
}
static void length_above(struct rig *rig)
{
    send_frame(rig, KEEPER_VERSION, KEEPER_MSG_INFO, 3, KW_SPAN("\0\0", 2));
}
static void length_below(struct rig *rig)
{
    send_frame(rig, KEEPER_VERSION, KEEPER_MSG_INFO, 1, KW_SPAN("\0\0", 2));
}
static void length_huge(struct rig *rig)
{
    send_frame(rig, KEEPER_VERSION, KEEPER_MSG_INFO, UINT32_MAX, KW_SPAN("\0\0", 2));
}
static void version_0(struct rig *rig)
{
    send_frame(rig, 0, KEEPER_MSG_INFO, 2, KW_SPAN("\0\0", 2));
}
static void version_2(struct rig *rig)
{
    send_frame(rig, 2, KEEPER_MSG_INFO, 2, KW_SPAN("\0\0", 2));
}
static void type_0(struct rig *rig)
{
    send_frame(rig, KEEPER_VERSION, 0, 2, KW_SPAN("\0\0", 2));
}
static void type_unknown(struct rig *rig)
{
    send_frame(rig, KEEPER_VERSION, 99, 2, KW_SPAN("\0\0", 2));
}
static void type_reply(struct rig *rig)
{
    send_frame(rig, KEEPER_VERSION, KEEPER_REPLY_TYPE, 2, KW_SPAN("\0\0", 2));
}
static void oversize(struct rig *rig)
{
    static uint8_t octets[KEEPER_FRAME_BYTES + KW_MSG_BODY_MAX + 1];

    rig_send(rig, KW_SPAN_ARRAY(octets), NULL, 0);
}
static void over_row(struct rig *rig)
{
    static const uint8_t body[41] = {0, 39};

    send_body(rig, KEEPER_MSG_INFO, body, sizeof(body));
}
static void empty_body(struct rig *rig)
{
    send_body(rig, KEEPER_MSG_INFO, "", 0);
}
static void body_octet_more(struct rig *rig)
{
    send_body(rig, KEEPER_MSG_INFO, "\0\0\0", 3);
}
static void id_control(struct rig *rig)
{
    send_body(rig, KEEPER_MSG_INFO,
              "\0\x03"
              "a\nb",
              5);
}
static void id_nul(struct rig *rig)
{
    send_body(rig, KEEPER_MSG_INFO,
              "\0\x03"
              "a\0b",
              5);
}
static void id_not_utf8(struct rig *rig)
{
    send_body(rig, KEEPER_MSG_INFO, "\0\x02\xc3\x28", 4);
}
static void id_long(struct rig *rig)
{
    send_body(rig, KEEPER_MSG_INFO,
              "\0\x21"
              "012345678901234567890123456789012",
              35);
}
static void text_beyond(struct rig *rig)
{
    send_body(rig, KEEPER_MSG_KEY_FIND,
              "\0\0\0\x09"
              "ca",
              6);
}
static void serials_0(struct rig *rig)
{
    send_body(rig, KEEPER_MSG_SERIALS,
              "\0\0\0\x02"
              "ca\0\0",
              8);
}
static void serials_257(struct rig *rig)
{
    send_body(rig, KEEPER_MSG_SERIALS,
              "\0\0\0\x02"
              "ca\x01\x01",
              8);
}
static void serials_cut(struct rig *rig)
{
    send_body(rig, KEEPER_MSG_SERIALS,
              "\0\0\0\x02"
              "ca\x01",
              7);
}
static void tls_long(struct rig *rig)
{
    uint8_t body[2 + 5 + 2 + 147] = {0, 0, 0, 3, 't', 'l', 's', 0, 147};

    send_body(rig, KEEPER_MSG_SIGN_TLS, body, sizeof(body));
}
static void proof_long(struct rig *rig)
{
    uint8_t body[2 + 5 + 2 + 8 + 1] = {0, 0, 0, 3, 'l', 'o', 'g'};

    body[sizeof(body) - 1] = 65;
    send_body(rig, KEEPER_MSG_SIGN_CHECKPOINT, body, sizeof(body));
}
static void proof_cut(struct rig *rig)
{
    uint8_t body[2 + 5 + 2 + 8 + 1 + 31] = {0, 0, 0, 3, 'l', 'o', 'g'};

    body[2 + 5 + 2 + 8] = 1;
    send_body(rig, KEEPER_MSG_SIGN_CHECKPOINT, body, sizeof(body));
}
static void crl_flag_2(struct rig *rig)
{
    send_body(rig, KEEPER_MSG_SIGN_CRL,
              "\0\0\0\x02"
              "ca\x02\0\0\0\0",
              11);
}
static void crl_length_off(struct rig *rig)
{
    send_body(rig, KEEPER_MSG_SIGN_CRL,
              "\0\0\0\x02"
              "ca\0\0\0\0\x05"
              "1234",
              15);
}
static void crl_too_large(struct rig *rig)
{
    struct keeper_msg msg = {
        .key_id = "ca", .sign_crl = {.by_fd = true, .len = KW_CRL_MAX + 1}
    };
    int fd = -1;

    assert_ok(memfd_make(NULL, KW_SPAN("x", 1), &fd));
    send_with_fds(rig, KEEPER_ROW_SIGN_CRL, &msg, &fd, 1);
    (void)close(fd);
}
static void crl_no_fd(struct rig *rig)
{
    struct keeper_msg msg = {
        .key_id = "ca", .sign_crl = {.by_fd = true, .len = 5}
    };

    send_with_fds(rig, KEEPER_ROW_SIGN_CRL, &msg, NULL, 0);
}
static void crl_needless_fd(struct rig *rig)
{
    struct keeper_msg msg = {
        .key_id = "ca", .sign_crl = {.len = 1, .tbs = KW_SPAN("x", 1)}
    };
    int fd = STDIN_FILENO;

    send_with_fds(rig, KEEPER_ROW_SIGN_CRL, &msg, &fd, 1);
}
static void crl_two_fds(struct rig *rig)
{
    struct keeper_msg msg = {
        .key_id = "ca", .sign_crl = {.by_fd = true, .len = 5}
    };
    int fds[2] = {STDIN_FILENO, STDIN_FILENO};

    send_with_fds(rig, KEEPER_ROW_SIGN_CRL, &msg, fds, 2);
}
static void crl_many_fds(struct rig *rig)
{
    struct keeper_msg msg = {
        .key_id = "ca", .sign_crl = {.by_fd = true, .len = 5}
    };
    int fds[16] = {0};

    send_with_fds(rig, KEEPER_ROW_SIGN_CRL, &msg, fds, 16);
}
static void info_fd(struct rig *rig)
{
    struct keeper_msg msg = {0};
    int fd = STDIN_FILENO;

    send_with_fds(rig, KEEPER_ROW_INFO, &msg, &fd, 1);
}
static void cert_fd(struct rig *rig)
{
    struct keeper_msg msg = {.key_id = "ca"};
    int fd = STDIN_FILENO;

    send_with_fds(rig, KEEPER_ROW_SIGN_CERT, &msg, &fd, 1);
}

#define ROW(name, send, message) {name, send, message, false}
static const struct frame_attack attacks[] = {
    ROW("header cut", header_cut, "FRAME"),
    ROW("one octet", one_octet, "FRAME"),
    ROW("length above the packet", length_above, "FRAME"),
    ROW("length below the packet", length_below, "FRAME"),
    ROW("length of 4 GiB", length_huge, "FRAME"),
    {"version 0", version_0, "FRAME", true},
    {"version 2", version_2, "FRAME", true},
    ROW("type 0", type_0, "FRAME"),
    ROW("type unknown", type_unknown, "FRAME"),
    ROW("a reply as a request", type_reply, "FRAME"),
    ROW("packet over the largest", oversize, "FRAME"),
    ROW("body over the row's limit", over_row, "INFO"),
    ROW("body empty", empty_body, "INFO"),
    ROW("body with an octet more", body_octet_more, "INFO"),
    ROW("request id with a line end", id_control, "INFO"),
    ROW("request id with NUL", id_nul, "INFO"),
    ROW("request id not UTF-8", id_not_utf8, "INFO"),
    ROW("request id too long", id_long, "INFO"),
    ROW("text beyond the body", text_beyond, "KEY_FIND"),
    ROW("no serial at all", serials_0, "SERIALS"),
    ROW("257 serials", serials_257, "SERIALS"),
    ROW("serials cut", serials_cut, "SERIALS"),
    ROW("TLS content too long", tls_long, "SIGN_TLS"),
    ROW("proof of 65 hashes", proof_long, "SIGN_CHECKPOINT"),
    ROW("proof cut", proof_cut, "SIGN_CHECKPOINT"),
    ROW("CRL flag 2", crl_flag_2, "SIGN_CRL"),
    ROW("CRL length off", crl_length_off, "SIGN_CRL"),
    ROW("CRL too large", crl_too_large, "SIGN_CRL"),
    ROW("CRL without its descriptor", crl_no_fd, "SIGN_CRL"),
    ROW("CRL with a needless descriptor", crl_needless_fd, "SIGN_CRL"),
    ROW("CRL with two descriptors", crl_two_fds, "SIGN_CRL"),
    ROW("CRL with 16 descriptors", crl_many_fds, "FRAME"),
    ROW("descriptor with INFO", info_fd, "INFO"),
    ROW("descriptor with a certificate", cert_fd, "SIGN_CERT"),
};

static void run_attack(void **state)
{
    const struct frame_attack *attack = *state;
    struct rig *rig = attack_rig;
    char line[64];

    (void)snprintf(line, sizeof(line), " - %s - bad_input ", attack->message);
    unsigned n_before = rig_refused(rig, line, NULL, NULL);
    attack->send(rig);
    if (attack->answered) {
        uint64_t req_id = 0;
        struct keeper_reply reply = rig_receive(rig, &req_id);
        assert_int_equal(reply.code, KW_E_UNSUPPORTED);
        assert_int_equal(req_id, 77);
    }
    assert_true(rig_channel_closed(rig, CLOSE_MS));
    int status = rig_end(rig);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), EXIT_MALFORMED);
    assert_int_equal(rig_refused(rig, line, NULL, NULL), n_before + 1);
    rig_start(rig, /* ceremony= */ false);
    rig_right_request(rig);
}

/* Octets that mean nothing, as they may come from a broken gate: never a signature, never a crash.
 */
static void random_packets(void **state)
{
    struct rig *rig = attack_rig;
    uint64_t seed = 42;

    (void)state;
    for (unsigned i = 0; i < 25; i++) {
        uint8_t octets[256];
        for (size_t j = 0; j < sizeof(octets); j++) {
            octets[j] = (uint8_t)check_random(&seed);
        }
        size_t n = 1 + check_random(&seed) % (sizeof(octets) - 1);
        rig_send(rig, KW_SPAN(octets, n), NULL, 0);
        bool closed = rig_channel_closed(rig, CLOSE_MS);
        int status = rig_end(rig);
        assert_true(closed && WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), EXIT_MALFORMED);
        rig_start(rig, /* ceremony= */ false);
    }
    rig_right_request(rig);
}

/* A packet of no octets is what the end of the channel looks like: the keeper ends in order. */
static void an_empty_packet_is_the_end(void **state)
{
    struct rig *rig = attack_rig;

    (void)state;
    rig_send(rig, KW_SPAN("", 0), NULL, 0);
    assert_true(rig_channel_closed(rig, CLOSE_MS));
    int status = rig_end(rig);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    rig_start(rig, /* ceremony= */ false);
    rig_right_request(rig);
}

int main(void)
{
    static struct attack_suite suite;

    for (size_t i = 0; i < KW_COUNT(attacks); i++) {
        attack_add(&suite, attacks[i].name, run_attack, &attacks[i]);
    }
    attack_add(&suite, "random_packets", random_packets, NULL);
    attack_add(&suite, "an_empty_packet_is_the_end", an_empty_packet_is_the_end, NULL);
    return attack_run("hostile_keeper_frames", &suite);
}
