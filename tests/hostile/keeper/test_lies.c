/*
 * Lies at random: right requests, altered anyhow, one after the other to one keeper. It may refuse,
 * or end as for a malformed packet; it may not fall, hang, or sign what its policy does not allow.
 * What it did sign is read again by other code than its own, and judged here.
 *
 * Some seconds in `make test`; `make soak` gives it an hour (KW_LIES_SECONDS). KW_LIES_SEED repeats
 * a run.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/writer.h"
#include "hostile/keeper/attack.h"
#include "os/clock.h"

enum { LEAF_MAX_S = 90 * RIG_DAY_S, EXIT_MALFORMED = 3, CHANGES_MAX = 4, SECONDS = 5 };
enum { REPLY_MS = 60000 };

static struct {
    uint64_t random;
    unsigned long asked, refused, granted, ended, changed;
    uint8_t last_serial[KW_SERIAL_BYTES];
    uint64_t last_crl;
} run;

/* xorshift64*: the run can be repeated from its seed. */
static uint64_t next_random(void)
{
    run.random ^= run.random >> 12;
    run.random ^= run.random << 25;
    run.random ^= run.random >> 27;
    return run.random * 2685821657736338717ULL;
}
static size_t below(size_t n)
{
    return n == 0 ? 0 : (size_t)(next_random() % n);
}
static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* --- how a request is altered
 * -------------------------------------------------------------------- */

static void flip(uint8_t *p, size_t *len, size_t cap)
{
    (void)cap;
    p[below(*len)] ^= (uint8_t)(1U << below(8));
}
static void set_octet(uint8_t *p, size_t *len, size_t cap)
{
    static const uint8_t edges[] = {0, 1, 0x7f, 0x80, 0x81, 0x82, 0xff, 0x30, 0x31};

    (void)cap;
    p[below(*len)] = edges[below(sizeof(edges))];
}
static void cut(uint8_t *p, size_t *len, size_t cap)
{
    size_t at = below(*len);
    size_t n = 1 + below(least(*len - at, 16));

    (void)cap;
    memmove(p + at, p + at + n, *len - at - n);
    *len -= n;
}
static void twice(uint8_t *p, size_t *len, size_t cap)
{
    size_t at = below(*len);
    size_t n = 1 + below(least(*len - at, 64));

    if (*len + n <= cap) {
        memmove(p + at + n, p + at, *len - at);
        *len += n;
    }
}
static void swap(uint8_t *p, size_t *len, size_t cap)
{
    size_t a = below(*len);
    size_t b = below(*len);
    uint8_t octet = p[a];

    (void)cap;
    p[a] = p[b];
    p[b] = octet;
}

static void alter(uint8_t *p, size_t *len, size_t cap)
{
    static void (*const ways[])(uint8_t *p, size_t *len, size_t cap) = {flip, flip,  set_octet,
                                                                        cut,  twice, swap};

    for (size_t n = 1 + below(CHANGES_MAX); n > 0 && *len > 0; n--) {
        ways[below(KW_COUNT(ways))](p, len, cap);
    }
}

/* --- what may be signed
 * -------------------------------------------------------------------------- */

static void judge_cert(struct rig *rig, const char *rule)
{
    AUTO(cert) *cert = NULL;
    struct kw_op op;

    kw_op_init(&op, "judge", 0);
    assert_ok(cert_parse_tbs(&op, KW_SPAN(rig->tbs, rig->tbs_len), &cert));
    assert_true(kw_span_equal(cert_issuer(cert), rig_ca_dn(RIG_CA)));
    assert_false(cert_is_ca(cert));
    assert_int_equal(cert_key_usage(cert), CERT_KU_DIGITAL_SIGNATURE);
    assert_int_equal(pubkey_alg(cert_public(cert)), KEY_ALG_EC_P256);
    assert_true(cert_not_before(cert) >= os_clock_unix_s() - 3700);
    if (strcmp(rule, "never") != 0) {
        assert_true(cert_not_after(cert) - cert_not_before(cert) <= LEAF_MAX_S);
    }
    /* only the serial that was handed out for it, and never again */
    assert_true(kw_span_equal(cert_serial(cert), KW_SPAN_ARRAY(run.last_serial)));
    memset(run.last_serial, 0, sizeof(run.last_serial));
}

static void lie_about_cert(struct rig *rig)
{
    static const char *const rules[] = {"leaf",     "leaf", "leaf", "server",
                                        "nameless", "sub",  "none"};
    const char *rule = rules[below(KW_COUNT(rules))];
    static uint8_t right[RIG_TBS_MAX];

    struct cert_spec spec = rig_spec(rig, RIG_CA, "leaf", run.last_serial);
    rig_capture_cert(rig, &spec, rig->key[RIG_CA]);
    size_t right_len = rig->tbs_len;
    memcpy(right, rig->tbs, right_len);
    for (unsigned i = 0; i < 64; i++) {
        memcpy(rig->tbs, right, right_len);
        rig->tbs_len = right_len;
        alter(rig->tbs, &rig->tbs_len, sizeof(rig->tbs) / 3);
        struct keeper_reply reply = rig_sign_cert(rig, "ca", rule);
        run.asked++;
        run.refused += reply.code != KW_CODE_OK;
        if (reply.code == KW_CODE_OK) {
            run.granted++;
            judge_cert(rig, rule);
            return;
        }
    }
}

static void lie_about_crl(struct rig *rig)
{
    uint64_t number = rig_next_crl_number();
    struct crl_spec spec = rig_crl_spec(rig, number);

    rig_capture_crl(rig, &spec, rig->key[RIG_CA]);
    alter(rig->tbs, &rig->tbs_len, sizeof(rig->tbs) / 3);
    struct keeper_reply reply = rig_sign_crl(rig, "ca");
    run.asked++;
    run.refused += reply.code != KW_CODE_OK;
    run.granted += reply.code == KW_CODE_OK;
}

static void lie_about_handshake(struct rig *rig)
{
    static const char context[] = "TLS 1.3, server CertificateVerify";

    rig_tls_content(rig, context, below(2) ? 32 : 48);
    alter(rig->tbs, &rig->tbs_len, 146);
    struct keeper_reply reply = rig_sign(rig, KEEPER_ROW_SIGN_TLS, "tls");
    run.asked++;
    run.refused += reply.code != KW_CODE_OK;
    if (reply.code == KW_CODE_OK) {
        run.granted++;
        size_t hash = rig->tbs_len - 64 - sizeof(context);
        assert_true(hash == 32 || hash == 48);
        assert_memory_equal(rig->tbs + 64, context, sizeof(context));
        for (unsigned i = 0; i < 64; i++) {
            assert_int_equal(rig->tbs[i], 0x20);
        }
    }
}

static void lie_about_status(struct rig *rig)
{
    struct ocsp_single single;

    rig_ocsp_single(rig, below(2) != 0, &single);
    rig_capture_ocsp(rig, &single, 1, os_clock_unix_s(), RIG_OCSP);
    alter(rig->tbs, &rig->tbs_len, 4096);
    struct keeper_reply reply = rig_sign(rig, KEEPER_ROW_SIGN_OCSP, "ocsp");
    run.asked++;
    run.refused += reply.code != KW_CODE_OK;
    run.granted += reply.code == KW_CODE_OK;
}

/* What a front end may have by itself, though its words are nonsense. */
enum { NOTHING, ANSWER, CHANGE /* of the vault, which outlives the keeper */ };

/* clang-format off */
static const uint8_t alone[KEEPER_ROWS] = {
    [KEEPER_ROW_INFO] = ANSWER,           [KEEPER_ROW_KEY_AT] = ANSWER,
    [KEEPER_ROW_KEY_FIND] = ANSWER,       [KEEPER_ROW_SERIALS] = ANSWER,
    [KEEPER_ROW_JOURNAL_READ] = ANSWER,   [KEEPER_ROW_KEY_HISTORY] = ANSWER,
    [KEEPER_ROW_KEY_POLICY] = ANSWER,     [KEEPER_ROW_VAULT_STATUS] = ANSWER,
    [KEEPER_ROW_ROSTER_AT] = ANSWER,      [KEEPER_ROW_APPROVAL_AT] = ANSWER,
    [KEEPER_ROW_SIGN_CERT_REQUEST] = ANSWER,
    /* It may seal the vault, end a key's use, or bring a successor: less, never more. */
    [KEEPER_ROW_VAULT_SEAL] = CHANGE,     [KEEPER_ROW_KEY_STEP] = CHANGE,
    [KEEPER_ROW_KEY_ROTATE] = CHANGE,     [KEEPER_ROW_VAULT_REKEY] = CHANGE,
};
/* clang-format on */

/* The keeper's answer; false where it ended the channel instead. */
static bool hear(struct rig *rig, struct keeper_reply *ret)
{
    struct pollfd ready = {.fd = rig->fd, .events = POLLIN};
    struct keeper_frame frame;
    struct kw_span body;

    assert_int_equal(poll(&ready, 1, REPLY_MS), 1);
    ssize_t n = recv(rig->fd, rig->reply_octets, sizeof(rig->reply_octets), 0);
    if (n <= 0) {
        return false;
    }
    assert_ok(keeper_frame_decode(KW_SPAN(rig->reply_octets, (size_t)n), &frame, &body));
    assert_int_equal(frame.req_id, rig->req_id);
    assert_ok(keeper_reply_decode(body, ret));
    return true;
}

/* A whole body altered: mostly malformed, then the keeper ends and the next one is started. True
 * where the vault is another one now, as the row allows. */
static bool lie_in_the_body(struct rig *rig, const struct keeper_row *row, bool altered)
{
    static uint8_t octets[KEEPER_FRAME_BYTES + KW_MSG_BODY_MAX];
    struct kw_out packet = KW_OUT_ARRAY(octets);
    struct keeper_msg msg;
    struct keeper_reply reply;

    rig_msg(rig, &msg, rig_key_ids[below(RIG_KEYS)]);
    if (!kw_ok(keeper_msg_encode(row, ++rig->req_id, &msg, &packet))) {
        return false; /* a row whose empty form cannot be written */
    }
    size_t body = packet.len - KEEPER_FRAME_BYTES;
    if (altered) {
        alter(octets + KEEPER_FRAME_BYTES, &body, row->body_max);
    }
    struct kw_out again = KW_OUT_ARRAY(octets);
    struct kw_writer w = kw_writer_of(&again);
    struct keeper_frame frame = {.version = KEEPER_VERSION,
                                 .type = (uint16_t)row->type,
                                 .body_len = (uint32_t)body,
                                 .req_id = rig->req_id};
    keeper_frame_encode(&w, &frame);
    assert_ok(kw_writer_end(&w));
    rig_send(rig, KW_SPAN(octets, KEEPER_FRAME_BYTES + body), NULL, 0);
    run.asked++;
    if (!hear(rig, &reply) || reply.code != KW_CODE_OK) {
        run.refused++;
        return false;
    }
    unsigned allowed = alone[row - keeper_rows];
    if (allowed == NOTHING) {
        print_error("%s was granted\n", row->name);
    }
    assert_true(allowed != NOTHING);
    run.granted += allowed == ANSWER;
    return allowed == CHANGE;
}

static void restart(struct rig *rig)
{
    int status = rig_end(rig);

    assert_true(WIFEXITED(status)); /* not by a signal */
    assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == EXIT_MALFORMED);
    run.ended++;
    rig_start(rig, /* ceremony= */ false);
}

/* A vault that was sealed or lost a key stays so: the run goes on with another one. */
static void begin_anew(void **state)
{
    rig_free(*state);
    *state = rig_new();
    rig_start(*state, /* ceremony= */ false);
    run.changed++;
}

static double number_of(const char *name, double otherwise)
{
    const char *text = getenv(name);
    return text ? strtod(text, NULL) : otherwise;
}

static void nothing_but_what_is_allowed(void **state)
{
    static void (*const lies[])(struct rig *rig) = {lie_about_cert, lie_about_crl,
                                                    lie_about_handshake, lie_about_status};
    int64_t until = os_clock_mono_ms() + (int64_t)(number_of("KW_LIES_SECONDS", SECONDS) * 1000);
    uint64_t seed = (uint64_t)number_of("KW_LIES_SEED", (double)(os_clock_unix_ms() % 1000000007));

    run.random = seed * 2 + 1;
    print_message("# KW_LIES_SEED=%llu\n", (unsigned long long)seed);
    rig_start(*state, /* ceremony= */ false);
    for (unsigned i = 1; os_clock_mono_ms() < until; i++) {
        lies[below(KW_COUNT(lies))](*state);
        if (i % 512 == 0) {
            bool changed = lie_in_the_body(*state, &keeper_rows[1 + below(KEEPER_ROWS - 1)],
                                           /* altered= */ true);
            restart(*state);
            if (changed) {
                begin_anew(state);
            }
            rig_right_request(*state); /* it still does what it should */
        }
    }
    print_message("# %lu asked, %lu refused, %lu granted and found right, %lu times ended, "
                  "%lu vaults changed as they allow\n",
                  run.asked, run.refused, run.granted, run.ended, run.changed);
    assert_true(run.refused > 0);
}

/* Each row, its least form first: an hour fell because one of them had sealed the vault. */
static void each_message_altered(void **state)
{
    enum { ROUNDS = 3 };

    run.random = 251629811 * 2 + 1;
    rig_start(*state, /* ceremony= */ false);
    for (unsigned i = 0; i < ROUNDS * (KEEPER_ROWS - 1); i++) {
        bool changed = lie_in_the_body(*state, &keeper_rows[1 + i % (KEEPER_ROWS - 1)],
                                       /* altered= */ i >= KEEPER_ROWS - 1);
        restart(*state);
        if (changed) {
            begin_anew(state);
        }
        rig_right_request(*state);
    }
    assert_true(run.changed > 0);
}

static int make_rig(void **state)
{
    *state = rig_new();
    return 0;
}

static int end_rig(void **state)
{
    rig_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_message_altered, make_rig, end_rig),
        cmocka_unit_test_setup_teardown(nothing_but_what_is_allowed, make_rig, end_rig),
    };

    return cmocka_run_group_tests_name("lies", tests, NULL, NULL);
}
