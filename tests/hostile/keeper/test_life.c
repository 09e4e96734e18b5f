/* A gate that would rather have other states, other keys, other pasts: a key's life is the
 * keeper's. */
#include <signal.h>
#include <unistd.h>

#include "base/writer.h"
#include "crypto/digest.h"
#include "hostile/keeper/attack.h"
#include "hostile/keeper/rig_people.h"
#include "keeper/subjects.h"

enum { CLOSE_MS = 60000 };

static const struct keeper_row *row(enum keeper_row_index index)
{
    return &keeper_rows[index];
}

static struct keeper_reply ask_step(const char *key_id, enum key_event event, uint64_t approval_id)
{
    struct keeper_msg msg;

    rig_msg(attack_rig, &msg, key_id);
    msg.key_step.event = event;
    msg.key_step.approval_id = approval_id;
    assert_true(KW_TEXT_SET(msg.key_step.reason, "because"));
    return rig_ask(attack_rig, row(KEEPER_ROW_KEY_STEP), &msg, -1);
}

static struct keeper_reply ask_destroy(const char *key_id, uint64_t approval_id)
{
    struct keeper_msg msg;

    rig_msg(attack_rig, &msg, key_id);
    msg.key_step.approval_id = approval_id;
    assert_true(KW_TEXT_SET(msg.key_step.reason, "because"));
    return rig_ask(attack_rig, row(KEEPER_ROW_KEY_DESTROY), &msg, -1);
}

static struct keeper_reply ask_rotate(const char *key_id, uint64_t approval_id)
{
    struct keeper_msg msg;

    rig_msg(attack_rig, &msg, key_id);
    msg.key_rotate.approval_id = approval_id;
    return rig_ask(attack_rig, row(KEEPER_ROW_KEY_ROTATE), &msg, -1);
}

static struct keeper_reply sign_tls(const char *key_id)
{
    rig_tls_content(attack_rig, "TLS 1.3, server CertificateVerify", 32);
    return rig_sign(attack_rig, KEEPER_ROW_SIGN_TLS, key_id);
}

static void nothing_irreversible_alone(void **state)
{
    (void)state;
    attack_begin();
    struct keeper_reply reply = ask_step("tls", KEY_EVENT_COMPROMISE, 0);
    attack_check(row(KEEPER_ROW_KEY_STEP), &reply, KW_E_DENIED, "approval:");
    attack_begin();
    reply = ask_destroy("tls", 0);
    attack_check(row(KEEPER_ROW_KEY_DESTROY), &reply, KW_E_DENIED, "approval:");
    attack_begin();
    reply = ask_destroy("tls", 4711);
    attack_check(row(KEEPER_ROW_KEY_DESTROY), &reply, KW_E_DENIED, "approval:");
    reply = sign_tls("tls");
    assert_int_equal(reply.code, KW_CODE_OK);
}

static void no_step_that_is_none(void **state)
{
    static const struct {
        enum key_event event;
        enum kw_code code;
    } steps[] = {
        {KEY_EVENT_ACTIVATE,   KW_E_STATE}, /* it is active */
        {KEY_EVENT_SUSPEND,    KW_CODE_OK},
        {KEY_EVENT_SUSPEND,    KW_E_STATE},
        {KEY_EVENT_ACTIVATE,   KW_CODE_OK},
        {KEY_EVENT_DEACTIVATE, KW_CODE_OK},
        {KEY_EVENT_ACTIVATE,   KW_E_STATE}, /* no way back */
        {KEY_EVENT_SUSPEND,    KW_E_STATE},
        {KEY_EVENT_DEACTIVATE, KW_E_STATE},
    };

    (void)state;
    for (size_t i = 0; i < KW_COUNT(steps); i++) {
        attack_begin();
        struct keeper_reply reply = ask_step("ocsp", steps[i].event, 0);
        assert_int_equal(reply.code, steps[i].code);
    }
    attack_begin();
    rig_tls_content(attack_rig, "anything", 32);
    struct keeper_reply reply = rig_sign(attack_rig, KEEPER_ROW_SIGN_OCSP, "ocsp");
    attack_check(row(KEEPER_ROW_SIGN_OCSP), &reply, KW_E_STATE, "state: the key is deactivated");
}

static void suspended_is_suspended_over_a_restart(void **state)
{
    (void)state;
    attack_begin();
    assert_int_equal(ask_step("tls", KEY_EVENT_SUSPEND, 0).code, KW_CODE_OK);
    (void)rig_end(attack_rig);
    rig_start(attack_rig, /* ceremony= */ false);
    struct keeper_reply reply = sign_tls("tls");
    attack_check(row(KEEPER_ROW_SIGN_TLS), &reply, KW_E_STATE, "state: the key is suspended");
    assert_int_equal(ask_step("tls", KEY_EVENT_ACTIVATE, 0).code, KW_CODE_OK);
    reply = sign_tls("tls");
    assert_int_equal(reply.code, KW_CODE_OK);
}

/* A gate that rotates as often as it likes gets one key, not a vault full of them. */
static void one_successor(void **state)
{
    struct keeper_answer answer;

    (void)state;
    attack_begin();
    struct keeper_reply reply = ask_rotate("log", 0);
    assert_int_equal(reply.code, KW_CODE_OK);
    assert_ok(keeper_answer_decode(row(KEEPER_ROW_KEY_ROTATE), reply.result, &answer));
    assert_string_equal(answer.key.key_id, "log.2");
    attack_begin();
    reply = ask_rotate("log", 0);
    attack_check(row(KEEPER_ROW_KEY_ROTATE), &reply, KW_E_CONFLICT, "line: its successor");
    attack_begin();
    reply = ask_rotate("nobody", 0);
    attack_check(row(KEEPER_ROW_KEY_ROTATE), &reply, KW_E_NOT_FOUND, "key:");
    attack_begin();
    reply = ask_rotate("", 0);
    attack_check(row(KEEPER_ROW_KEY_ROTATE), &reply, KW_E_NOT_FOUND, "key:");
}

static struct keeper_reply ask_line(const char *key_id)
{
    struct keeper_msg msg;

    rig_msg(attack_rig, &msg, key_id);
    msg.key_rotate.new_line = true;
    return rig_ask(attack_rig, row(KEEPER_ROW_KEY_ROTATE), &msg, -1);
}

/* Where a rule names it, one person beside the stopped server is not enough. */
static void a_new_line_needs_whom_the_rules_name(void **state)
{
    (void)state;
    (void)rig_end(attack_rig);
    rig_start(attack_rig, /* ceremony= */ true);
    attack_begin();
    struct keeper_reply reply = ask_line("log");
    attack_check(row(KEEPER_ROW_KEY_ROTATE), &reply, KW_E_APPROVAL, "approval: log-line");
    (void)rig_end(attack_rig);
    rig_start(attack_rig, /* ceremony= */ false);
}

/* A second history is another log, and only a person beside the stopped server begins it. */
static void a_new_line_in_a_ceremony_alone(void **state)
{
    struct keeper_answer answer;

    (void)state;
    attack_begin();
    struct keeper_reply reply = ask_line("log");
    attack_check(row(KEEPER_ROW_KEY_ROTATE), &reply, KW_E_STATE, "line: a log gets");
    (void)rig_end(attack_rig);
    rig_start(attack_rig, /* ceremony= */ true);
    assert_int_equal(ask_line("tls").code, KW_E_INPUT);
    assert_int_equal(ask_line("ca").code, KW_E_INPUT);
    for (unsigned n = 2; n < 4; n++) { /* from the first and from the last alike */
        char name[16];
        (void)snprintf(name, sizeof(name), "log-%u", n);
        reply = ask_line(n == 2 ? "log" : "log-2");
        assert_int_equal(reply.code, KW_CODE_OK);
        assert_ok(keeper_answer_decode(row(KEEPER_ROW_KEY_ROTATE), reply.result, &answer));
        assert_string_equal(answer.key.key_id, name);
    }
    (void)rig_end(attack_rig);
    rig_start(attack_rig, /* ceremony= */ false);
    attack_begin();
    /* the line's key signs for its own origin, not for the old one */
    static const struct {
        const char *key_id, *origin;
        bool signs;
    } heads[] = {
        {"log-2", RIG_ORIGIN,      false},
        {"log-3", RIG_ORIGIN "/2", false},
        {"log",   RIG_ORIGIN "/2", false},
        {"log-2", RIG_ORIGIN "/2", true },
        {"log-3", RIG_ORIGIN "/3", true },
    };
    for (size_t i = 0; i < KW_COUNT(heads); i++) {
        char body[256];
        struct keeper_msg msg;
        rig_msg(attack_rig, &msg, heads[i].key_id);
        (void)snprintf(body, sizeof(body), "%s\n1\n%s\n", heads[i].origin,
                       "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
        msg.checkpoint.body = kw_span_text(body);
        reply = rig_ask(attack_rig, row(KEEPER_ROW_SIGN_CHECKPOINT), &msg, -1);
        assert_int_equal(reply.code, heads[i].signs ? KW_CODE_OK : (int)KW_E_DENIED);
    }
}

/* --- bodies ----------------------------------------------------------------------------------- */

static void must_close(enum keeper_row_index index, struct kw_span body)
{
    static uint8_t room[KEEPER_FRAME_BYTES + KW_MSG_BODY_MAX];
    struct kw_out out = KW_OUT_ARRAY(room);
    struct kw_writer w = kw_writer_of(&out);
    struct keeper_frame frame = {.version = KEEPER_VERSION,
                                 .type = (uint16_t)row(index)->type,
                                 .body_len = (uint32_t)body.len,
                                 .req_id = 1};

    keeper_frame_encode(&w, &frame);
    kw_writer_put(&w, body);
    assert_ok(kw_writer_end(&w));
    rig_send(attack_rig, kw_out_span(&out), NULL, 0);
    assert_true(rig_channel_closed(attack_rig, CLOSE_MS));
    (void)rig_end(attack_rig);
    rig_start(attack_rig, /* ceremony= */ false);
    rig_right_request(attack_rig);
}

static void step_body(unsigned event, const char *reason, size_t n_reason)
{
    uint8_t octets[512];
    struct kw_out out = KW_OUT_ARRAY(octets);
    struct kw_writer w = kw_writer_of(&out);

    kw_writer_text(&w, "r");
    kw_writer_text(&w, "tls");
    kw_writer_u8(&w, (uint8_t)event);
    kw_writer_span16(&w, KW_SPAN(reason, n_reason));
    kw_writer_u64(&w, 0);
    assert_ok(kw_writer_end(&w));
    must_close(KEEPER_ROW_KEY_STEP, kw_out_span(&out));
}

static void malformed_steps(void **state)
{
    static const char endless[KEEPER_REASON_MAX + 1] = {'a'};

    (void)state;
    step_body(KEY_EVENT_DESTROY, "x", 1); /* not by this message */
    step_body(KEY_EVENT_MAX, "x", 1);
    step_body(255, "x", 1);
    step_body(KEY_EVENT_SUSPEND, "a\nb", 3); /* would be a line of its own somewhere */
    step_body(KEY_EVENT_SUSPEND, "\xff", 1);
    step_body(KEY_EVENT_SUSPEND, endless, sizeof(endless));
}

static void journal_body(uint64_t from, unsigned max)
{
    uint8_t octets[64];
    struct kw_out out = KW_OUT_ARRAY(octets);
    struct kw_writer w = kw_writer_of(&out);

    kw_writer_text(&w, "r");
    kw_writer_u64(&w, from);
    kw_writer_u16(&w, (uint16_t)max);
    assert_ok(kw_writer_end(&w));
    must_close(KEEPER_ROW_JOURNAL_READ, kw_out_span(&out));
}

static void malformed_readings(void **state)
{
    (void)state;
    journal_body(1, 0);
    journal_body(1, KEEPER_JOURNAL_ROWS_MAX + 1);
    journal_body(1, UINT16_MAX);
}

/* --- the past --------------------------------------------------------------------------------- */

static void far_rows_are_none(void **state)
{
    struct keeper_journal_row rows[KEEPER_JOURNAL_ROWS_MAX];
    uint64_t last = 0;

    (void)state;
    assert_int_equal(rig_journal(attack_rig, UINT64_MAX, rows, &last), 0);
    assert_true(last > 0);
    assert_int_equal(rig_journal(attack_rig, last + 1, rows, &last), 0);
    assert_true(rig_journal(attack_rig, 0, rows, &last) > 0);
    assert_int_equal(rows[0].seq, 1);
}

/* Whatever the gate asks for, and kills the keeper after: it was written down before it left. */
static void no_signature_without_its_row(void **state)
{
    struct keeper_journal_row rows[KEEPER_JOURNAL_ROWS_MAX];
    uint8_t serial[KW_SERIAL_BYTES], digest[KW_HASH_BYTES];
    uint64_t before = 0, last = 0;

    (void)state;
    (void)rig_journal(attack_rig, UINT64_MAX, rows, &before);
    attack_begin();
    struct cert_spec spec = rig_spec(attack_rig, RIG_CA, "leaf", serial);
    rig_capture_cert(attack_rig, &spec, attack_rig->key[RIG_CA]);
    struct keeper_reply reply = rig_sign_cert(attack_rig, "ca", "leaf");
    assert_int_equal(reply.code, KW_CODE_OK);
    digest_sha256(KW_SPAN(attack_rig->tbs, attack_rig->tbs_len), digest);
    assert_int_equal(kill(attack_rig->pid, SIGKILL), 0);
    (void)rig_end(attack_rig);
    rig_start(attack_rig, /* ceremony= */ false);
    unsigned n = rig_journal(attack_rig, before + 1, rows, &last);
    bool found = false;
    for (unsigned i = 0; i < n; i++) {
        found |= rows[i].kind == KEEPER_JOURNAL_USE && rows[i].what == KEEPER_SIGN_CERT &&
                 memcmp(rows[i].digest, digest, sizeof(digest)) == 0 &&
                 strcmp(rows[i].who, attack_rig->request_id) == 0;
    }
    assert_true(found);
}

/* --- with approval ---------------------------------------------------------------------------- */

/* What was approved for one key and reason is good for nothing else, and only once. */
static void an_approval_is_for_this_alone(void **state)
{
    (void)state;
    attack_begin();
    struct approval_subject subject = subject_key_destroy(KEY_CLASS_TLS_SERVER, "tls", "because");
    uint64_t id = rig_approved(attack_rig, &subject);
    struct keeper_reply reply = ask_destroy("ocsp", id);
    attack_check(row(KEEPER_ROW_KEY_DESTROY), &reply, KW_E_DENIED, "approval:");
    attack_begin();
    reply = ask_step("tls", KEY_EVENT_COMPROMISE, id);
    attack_check(row(KEEPER_ROW_KEY_STEP), &reply, KW_E_DENIED, "approval:");
    attack_begin();
    reply = ask_destroy("tls", id);
    assert_int_equal(reply.code, KW_CODE_OK);
    attack_begin();
    reply = sign_tls("tls");
    attack_check(row(KEEPER_ROW_SIGN_TLS), &reply, KW_E_STATE, "state: the key is destroyed");
    attack_begin();
    reply = ask_rotate("tls", 0);
    attack_check(row(KEEPER_ROW_KEY_ROTATE), &reply, KW_E_STATE, "state: the key is destroyed");
    attack_begin();
    reply = ask_step("tls", KEY_EVENT_ACTIVATE, 0);
    attack_check(row(KEEPER_ROW_KEY_STEP), &reply, KW_E_STATE, "state: the key is destroyed");
}

int main(void)
{
    static const struct CMUnitTest alone[] = {
        cmocka_unit_test(nothing_irreversible_alone),
        cmocka_unit_test(no_step_that_is_none),
        cmocka_unit_test(suspended_is_suspended_over_a_restart),
        cmocka_unit_test(a_new_line_in_a_ceremony_alone),
        cmocka_unit_test(one_successor),
        cmocka_unit_test(malformed_steps),
        cmocka_unit_test(malformed_readings),
        cmocka_unit_test(far_rows_are_none),
        cmocka_unit_test(no_signature_without_its_row),
    };
    static const struct CMUnitTest people[] = {
        cmocka_unit_test(an_approval_is_for_this_alone),
        cmocka_unit_test(a_new_line_needs_whom_the_rules_name),
    };

    int failed = cmocka_run_group_tests_name("life", alone, attack_setup_serving, attack_teardown);
    return failed + cmocka_run_group_tests_name("life, approved", people, attack_setup_people,
                                                attack_teardown);
}
