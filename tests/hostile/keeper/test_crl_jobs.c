/* A gate that wants to stop the keeper with long revocation lists, or to change what they were
 * allowed by while they are read. */
#include <endian.h>
#include <signal.h>
#include <unistd.h>

#include "hostile/keeper/attack.h"
#include "keeper/memfd.h"
#include "os/clock.h"

static const struct keeper_row *crl_row(void)
{
    return &keeper_rows[KEEPER_ROW_SIGN_CRL];
}

struct many {
    uint32_t n, next;
};

static kw_status next_of_many(struct kw_op *op, void *ctx, struct crl_entry *ret, bool *ret_more)
{
    static uint8_t serial[KW_SERIAL_BYTES];
    struct many *many = ctx;
    uint32_t mark = htobe32(many->next);

    (void)op;
    *ret_more = many->next < many->n;
    memset(serial, 0x31, sizeof(serial));
    memcpy(serial + 4, &mark, sizeof(mark));
    many->next++;
    *ret = (struct crl_entry){KW_SPAN_ARRAY(serial), os_clock_unix_s(), 1};
    return KW_OK;
}

static kw_status keep_message(struct kw_op *op, void *ctx, struct kw_span message, bool pss,
                              struct kw_out *sig)
{
    (void)pss;
    (void)sig;
    assert_ok(kw_bytes_copy(message, ctx));
    return FAIL(op, KW_E_DENIED, "only listening");
}

/* A memory file with a list that takes the keeper many slices. */
static int long_list(struct rig *rig, struct kw_bytes **ret)
{
    struct many many = {.n = 400000};
    struct crl_spec spec = rig_crl_spec(rig, rig_next_crl_number());
    AUTO(privkey) *listener = NULL;
    struct kw_bytes *none = NULL;
    struct kw_op op;
    int fd = -1;

    spec.next = next_of_many;
    spec.ctx = &many;
    kw_op_init(&op, "test", 0);
    assert_ok(privkey_remote(&op, rig->key[RIG_CA], keep_message, ret, NULL, &listener));
    assert_int_equal(crl_build(&op, &spec, listener, &none).code, KW_E_DENIED);
    assert_ok(memfd_make(NULL, kw_bytes_span(*ret), &fd));
    return fd;
}

static uint64_t send_msg(struct rig *rig, enum keeper_row_index row, const struct keeper_msg *msg,
                         int fd)
{
    static uint8_t octets[KEEPER_FRAME_BYTES + KW_MSG_BODY_MAX];
    struct kw_out packet = KW_OUT_ARRAY(octets);

    assert_ok(keeper_msg_encode(&keeper_rows[row], ++rig->req_id, msg, &packet));
    rig_send(rig, kw_out_span(&packet), &fd, fd >= 0 ? 1 : 0);
    return rig->req_id;
}

static uint64_t send_list(struct rig *rig, const struct kw_bytes *list, int fd)
{
    struct keeper_msg msg;

    rig_msg(rig, &msg, "ca");
    msg.sign_crl.by_fd = true;
    msg.sign_crl.len = (uint32_t)list->len;
    return send_msg(rig, KEEPER_ROW_SIGN_CRL, &msg, fd);
}

static uint64_t send_info(struct rig *rig)
{
    struct keeper_msg msg;

    rig_msg(rig, &msg, "");
    return send_msg(rig, KEEPER_ROW_INFO, &msg, -1);
}

/* Others are answered while a long list is read; what is signed is that list. */
static void long_lists_let_others_pass(void **state)
{
    struct rig *rig = attack_rig;
    AUTO(kw_bytes) *list = NULL;
    struct keeper_answer answer;
    uint64_t got = 0;

    (void)state;
    attack_begin();
    int fd = long_list(rig, &list);
    assert_int_equal(kill(rig->pid, SIGSTOP), 0); /* so that both wait for it */
    uint64_t crl = send_list(rig, list, fd);
    uint64_t info = send_info(rig);
    assert_int_equal(kill(rig->pid, SIGCONT), 0);
    struct keeper_reply reply = rig_receive(rig, &got);
    assert_int_equal(got, info);
    assert_int_equal(reply.code, KW_CODE_OK);
    reply = rig_receive(rig, &got);
    assert_int_equal(got, crl);
    assert_string_equal(reply.text, "");
    assert_ok(keeper_answer_decode(crl_row(), reply.result, &answer));
    assert_ok(pubkey_verify(NULL, rig->key[RIG_CA], kw_bytes_span(list), answer.octets));
    assert_int_equal(close(fd), 0);
}

/* However many are sent: two are looked at. */
static void a_third_long_list_has_to_come_again(void **state)
{
    struct rig *rig = attack_rig;
    AUTO(kw_bytes) *list = NULL;
    uint64_t ids[3];
    uint64_t got = 0;

    (void)state;
    attack_begin();
    int fd = long_list(rig, &list);
    assert_int_equal(kill(rig->pid, SIGSTOP), 0);
    for (size_t i = 0; i < KW_COUNT(ids); i++) {
        ids[i] = send_list(rig, list, fd);
    }
    assert_int_equal(kill(rig->pid, SIGCONT), 0);
    struct keeper_reply reply = rig_receive(rig, &got);
    assert_int_equal(got, ids[2]);
    assert_int_equal(reply.code, KW_E_LIMIT);
    reply = rig_receive(rig, &got);
    assert_int_equal(got, ids[0]);
    assert_int_equal(reply.code, KW_CODE_OK);
    reply = rig_receive(rig, &got); /* the same number: looked at when it was read, not before */
    assert_int_equal(got, ids[1]);
    attack_check(crl_row(), &reply, KW_E_DENIED, "crl-number:");
    assert_int_equal(close(fd), 0);
}

/* What became of the key while its list was read counts. */
static void a_key_that_is_stopped_meanwhile_signs_no_list(void **state)
{
    struct rig *rig = attack_rig;
    AUTO(kw_bytes) *list = NULL;
    struct keeper_msg msg;
    uint64_t got = 0;

    (void)state;
    attack_begin();
    int fd = long_list(rig, &list);
    rig_msg(rig, &msg, "ca");
    msg.key_step.event = KEY_EVENT_SUSPEND;
    assert_true(KW_TEXT_SET(msg.key_step.reason, "a test"));
    assert_int_equal(kill(rig->pid, SIGSTOP), 0);
    uint64_t crl = send_list(rig, list, fd);
    uint64_t step = send_msg(rig, KEEPER_ROW_KEY_STEP, &msg, -1);
    assert_int_equal(kill(rig->pid, SIGCONT), 0);
    struct keeper_reply reply = rig_receive(rig, &got);
    assert_int_equal(got, step);
    assert_int_equal(reply.code, KW_CODE_OK);
    reply = rig_receive(rig, &got);
    assert_int_equal(got, crl);
    assert_int_equal(reply.code, KW_E_STATE);
    assert_non_null(strstr(reply.text, "state:"));
    msg.key_step.event = KEY_EVENT_ACTIVATE;
    reply = rig_ask(rig, &keeper_rows[KEEPER_ROW_KEY_STEP], &msg, -1);
    assert_int_equal(reply.code, KW_CODE_OK);
    assert_int_equal(close(fd), 0);
}

/* The last case: a sealed vault stays so. */
static void a_vault_that_is_sealed_meanwhile_signs_no_list(void **state)
{
    struct rig *rig = attack_rig;
    AUTO(kw_bytes) *list = NULL;
    struct keeper_msg msg;
    uint64_t got = 0;

    (void)state;
    int fd = long_list(rig, &list);
    rig_msg(rig, &msg, "");
    assert_int_equal(kill(rig->pid, SIGSTOP), 0);
    uint64_t crl = send_list(rig, list, fd);
    uint64_t seal = send_msg(rig, KEEPER_ROW_VAULT_SEAL, &msg, -1);
    assert_int_equal(kill(rig->pid, SIGCONT), 0);
    struct keeper_reply reply = rig_receive(rig, &got);
    assert_int_equal(got, seal);
    assert_int_equal(reply.code, KW_CODE_OK);
    reply = rig_receive(rig, &got);
    assert_int_equal(got, crl);
    assert_int_equal(reply.code, KW_E_UNAVAILABLE);
    assert_int_equal(close(fd), 0);
}

int main(void)
{
    static struct attack_suite suite;

    attack_add(&suite, "long_lists_let_others_pass", long_lists_let_others_pass, NULL);
    attack_add(&suite, "a_third_long_list_has_to_come_again", a_third_long_list_has_to_come_again,
               NULL);
    attack_add(&suite, "a_key_that_is_stopped_meanwhile_signs_no_list",
               a_key_that_is_stopped_meanwhile_signs_no_list, NULL);
    attack_add(&suite, "a_vault_that_is_sealed_meanwhile_signs_no_list",
               a_vault_that_is_sealed_meanwhile_signs_no_list, NULL);
    return attack_run("hostile_keeper_crl_jobs", &suite);
}
