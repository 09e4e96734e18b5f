/* What leaves of a vault, to whom, and into what: a front end that would like more. */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "crypto/digest.h"
#include "hostile/keeper/rig_purposes.h"
#include "keeper/subjects.h"
#include "service/backup/package.h"

enum { PACKAGE_MAX = 1 << 20 };

static struct kw_secret *recovery;
static uint8_t public_half[BOX_KEY_BYTES];

static struct keeper_reply set_recovery(struct rig *rig, const uint8_t key[BOX_KEY_BYTES],
                                        uint64_t approval)
{
    struct keeper_msg msg;

    rig_msg(rig, &msg, "");
    msg.recovery_set.approval_id = approval;
    memcpy(msg.recovery_set.key, key, BOX_KEY_BYTES);
    return rig_ask(rig, &keeper_rows[KEEPER_ROW_RECOVERY_SET], &msg, -1);
}

static struct keeper_reply export_into(struct rig *rig, int fd, uint64_t approval)
{
    struct keeper_msg msg;

    rig_msg(rig, &msg, "");
    msg.vault_export.approval_id = approval;
    return rig_ask(rig, &keeper_rows[KEEPER_ROW_VAULT_EXPORT], &msg, fd);
}

static void make_key(struct rig *rig, enum purpose_key key, bool escrow)
{
    static uint8_t octets[POLICY_ENCODED_MAX];
    static struct key_policy policy;
    struct kw_out encoded = KW_OUT_ARRAY(octets);
    struct keeper_msg msg;

    purpose_policy(key, &policy);
    policy.escrow = escrow;
    assert_ok(policy_encode(&policy, &encoded));
    rig_msg(rig, &msg, "");
    msg.key_create.policy = kw_out_span(&encoded);
    struct keeper_reply reply = rig_ask(rig, &keeper_rows[KEEPER_ROW_KEY_CREATE], &msg, -1);
    assert_int_equal(reply.code, KW_CODE_OK);
}

static int setup(void **state)
{
    struct rig *rig = rig_new();
    struct kw_op op;

    kw_op_init(&op, "test", 0);
    assert_ok(box_key_new(&op, &recovery));
    assert_ok(box_key_public(&op, recovery, public_half));
    rig_start(rig, true);
    make_key(rig, PURPOSE_KEK, true);
    make_key(rig, PURPOSE_MAC, false);
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    rig_free(*state);
    kw_secret_free(recovery);
    return 0;
}

static struct kw_span read_package(int fd, uint32_t len)
{
    static uint8_t room[PACKAGE_MAX];

    assert_int_equal(pread(fd, room, sizeof(room), 0), len);
    return KW_SPAN(room, len);
}

struct seen {
    unsigned keys, boxes;
};

static kw_status look(struct kw_op *op, void *ctx, const struct package_key *key)
{
    struct seen *seen = ctx;
    uint8_t check[KW_HASH_BYTES];
    AUTO(kw_secret) *secret = NULL;

    seen->keys++;
    assert_true(key->public_half.len > 0);
    if (key->box.len == 0) {
        return KW_OK;
    }
    seen->boxes++;
    assert_string_equal(key->key_id, purpose_ids[PURPOSE_KEK]);
    assert_ok(package_open(op, key, recovery, &secret));
    assert_ok(digest_hmac_sha256(op, secret, kw_span_text("keywright key check value v1"), check));
    assert_memory_equal(check, key->public_half.p, key->public_half.len);
    return KW_OK;
}

/* Of eight keys one may leave: it is not even there without its box. */
static void only_escrowed_secrets(void **state)
{
    struct rig *rig = *state;
    struct seen seen = {0};
    struct kw_op op;
    int fd = memfd_create("package", MFD_CLOEXEC);

    kw_op_init(&op, "test", 0);
    assert_int_equal(export_into(rig, fd, 0).code, KW_E_STATE); /* for whom? */
    assert_int_equal(set_recovery(rig, public_half, 0).code, KW_CODE_OK);
    struct keeper_reply reply = export_into(rig, fd, 0);
    assert_int_equal(reply.code, KW_CODE_OK);
    struct keeper_answer answer = purpose_good(KEEPER_ROW_VAULT_EXPORT, &reply);
    assert_ok(package_each(&op, read_package(fd, answer.exported), look, &seen));
    assert_int_equal(seen.keys, RIG_KEYS + 2);
    assert_int_equal(seen.boxes, 1);
    (void)close(fd);
}

/* Neither a pipe nor a file on disk, which may block, nor one that cannot be written. */
static void into_a_memory_file_alone(void **state)
{
    struct rig *rig = *state;
    int pipes[2];
    int sealed = memfd_create("package", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    int file = open(rig->dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(fcntl(sealed, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_WRITE), 0);
    assert_int_equal(set_recovery(rig, public_half, 0).code, KW_CODE_OK);
    assert_int_equal(export_into(rig, pipes[1], 0).code, KW_E_DENIED);
    if (file >= 0) { /* tmpfs has seals too, and does not block either */
        enum kw_code code = export_into(rig, file, 0).code;
        assert_true(code == KW_E_DENIED || code == KW_CODE_OK);
        (void)close(file);
    }
    assert_int_equal(export_into(rig, sealed, 0).code, KW_E_IO);
    (void)close(sealed);
    (void)close(pipes[0]);
    (void)close(pipes[1]);
}

/* A point of small order would make every box open to everybody. */
static void no_bad_recovery_key(void **state)
{
    static const uint8_t zero[BOX_KEY_BYTES], one[BOX_KEY_BYTES] = {1};

    assert_int_equal(set_recovery(*state, zero, 0).code, KW_E_INPUT);
    assert_int_equal(set_recovery(*state, one, 0).code, KW_E_INPUT);
}

/* With people, nobody puts another recovery key in, and nobody exports, without them. */
static void not_without_people(void **state)
{
    struct rig *rig = *state;
    uint8_t other[BOX_KEY_BYTES];
    struct kw_op op;
    AUTO(kw_secret) *own = NULL;
    int fd = memfd_create("package", MFD_CLOEXEC);

    kw_op_init(&op, "test", 0);
    assert_ok(box_key_new(&op, &own));
    assert_ok(box_key_public(&op, own, other));
    assert_int_equal(set_recovery(rig, public_half, 0).code, KW_CODE_OK);
    assert_int_equal(rig_end(rig), 0);
    rig_enrol(rig, NULL);
    rig_start(rig, false);
    assert_int_equal(set_recovery(rig, other, 0).code, KW_E_APPROVAL);
    assert_int_equal(export_into(rig, fd, 0).code, KW_E_APPROVAL);
    struct approval_subject set = subject_recovery_set(public_half);
    uint64_t set_id = rig_approved(rig, &set);
    assert_int_equal(set_recovery(rig, other, set_id).code, KW_E_DENIED); /* it is for another */
    assert_int_equal(export_into(rig, fd, set_id).code, KW_E_DENIED);
    assert_int_equal(set_recovery(rig, public_half, set_id).code, KW_CODE_OK);
    struct approval_subject ours = subject_vault_export(public_half);
    uint64_t id = rig_approved(rig, &ours);
    assert_int_equal(export_into(rig, fd, id).code, KW_CODE_OK);
    assert_int_equal(export_into(rig, fd, id).code, KW_E_DENIED); /* once */
    (void)close(fd);
}

/* --- the way back ----------------------------------------------------------------------------- */

struct way_back {
    struct rig *rig;
    const char *key_id;
    enum kw_code code;
    const char *reason;
    void (*twist)(struct keeper_msg *msg);
    bool asked;
};

static struct keeper_reply bring(struct way_back *it, const struct package_key *key)
{
    static uint8_t octets[POLICY_ENCODED_MAX];
    struct kw_out policy = KW_OUT_ARRAY(octets);
    struct keeper_msg msg;

    assert_ok(policy_encode(&key->policy, &policy));
    rig_msg(it->rig, &msg, "");
    msg.key_import.state = key->state;
    msg.key_import.policy = kw_out_span(&policy);
    msg.key_import.mark = kw_span_sub(key->public_half, 0, KEEPER_MARK_MAX); /* of a CA: longer */
    msg.key_import.box = key->box;
    memcpy(msg.key_import.recovery, kw_secret_span(recovery).p, BOX_KEY_BYTES);
    if (it->twist) {
        it->twist(&msg);
    }
    return rig_ask(it->rig, &keeper_rows[KEEPER_ROW_KEY_IMPORT], &msg, -1);
}

static kw_status bring_escrowed(struct kw_op *op, void *ctx, const struct package_key *key)
{
    struct way_back *it = ctx;

    (void)op;
    if (strcmp(key->key_id, it->key_id) != 0) {
        return KW_OK;
    }
    struct keeper_reply reply = bring(it, key);
    if (reply.code != it->code) {
        print_error("%s\n", reply.text);
    }
    assert_int_equal(reply.code, it->code);
    assert_non_null(strstr(reply.text, it->reason));
    it->asked = true;
    return KW_OK;
}

static void other_recovery(struct keeper_msg *msg)
{
    msg->key_import.recovery[7] ^= 1;
}
static void other_mark(struct keeper_msg *msg)
{
    static const uint8_t mark[8] = {1, 2, 3};

    msg->key_import.mark = KW_SPAN_ARRAY(mark);
}
static void no_box(struct keeper_msg *msg)
{
    msg->key_import.box = KW_SPAN(NULL, 0);
}
static void was_destroyed(struct keeper_msg *msg)
{
    msg->key_import.state = KEY_DESTROYED;
}

/* Another vault takes what is escrowed, as it was, and from the right recovery key alone. */
static void brought_to_another_vault(void **state)
{
    struct rig *rig = *state;
    struct rig *other = rig_new();
    struct kw_op op;
    int fd = memfd_create("package", MFD_CLOEXEC);
    const char *kek = purpose_ids[PURPOSE_KEK];
    struct way_back tries[] = {
        {other, kek,                      KW_E_INTEGRITY, "escrow:",        other_mark,     false},
        {other, kek,                      KW_E_INTEGRITY, "escrow:",        no_box,         false},
        {other, kek,                      KW_E_DENIED,    "escrow:",        was_destroyed,  false},
        {other, purpose_ids[PURPOSE_MAC], KW_E_DENIED,    "without escrow", NULL,           false},
        {other, "ca",                     KW_E_DENIED,    "without escrow", NULL,           false},
        {other, kek,                      KW_CODE_OK,     "",               NULL,           false},
        {other, kek,                      KW_E_CONFLICT,  "used before",    NULL,           false},
        {rig,   kek,                      KW_E_DENIED,    "another one",    other_recovery, false},
        {rig,   kek,                      KW_E_CONFLICT,  "used before",    NULL,           false},
    };

    kw_op_init(&op, "test", 0);
    assert_int_equal(set_recovery(rig, public_half, 0).code, KW_CODE_OK);
    struct keeper_reply reply = export_into(rig, fd, 0);
    struct keeper_answer answer = purpose_good(KEEPER_ROW_VAULT_EXPORT, &reply);
    struct kw_span package = read_package(fd, answer.exported);
    rig_start(other, /* ceremony= */ false);
    struct way_back serving = {other, kek, KW_E_STATE, "state:", NULL, false};
    assert_ok(package_each(&op, package, bring_escrowed, &serving));
    assert_int_equal(rig_end(other), 0);
    rig_start(other, /* ceremony= */ true);
    for (size_t i = 0; i < KW_COUNT(tries); i++) {
        assert_ok(package_each(&op, package, bring_escrowed, &tries[i]));
        assert_true(tries[i].asked);
    }
    /* it opens what the first one wrapped */
    assert_int_equal(rig_end(other), 0);
    rig_start(other, /* ceremony= */ false);
    rig_right_request(other);
    struct keeper_msg msg;
    rig_msg(rig, &msg, kek);
    msg.data.context = kw_span_text("disk");
    msg.data.octets = kw_span_text("0123456789abcdef");
    reply = rig_ask(rig, &keeper_rows[KEEPER_ROW_DATA_WRAP], &msg, -1);
    assert_int_equal(reply.code, KW_CODE_OK);
    assert_ok(keeper_answer_decode(&keeper_rows[KEEPER_ROW_DATA_WRAP], reply.result, &answer));
    rig_msg(other, &msg, kek);
    msg.data.context = kw_span_text("disk");
    msg.data.octets = answer.octets;
    reply = rig_ask(other, &keeper_rows[KEEPER_ROW_DATA_UNWRAP], &msg, -1);
    assert_string_equal(reply.text, "");
    (void)close(fd);
    rig_free(other);
}

#define TEST_RIG(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_RIG(only_escrowed_secrets),    TEST_RIG(into_a_memory_file_alone),
        TEST_RIG(no_bad_recovery_key),      TEST_RIG(not_without_people),
        TEST_RIG(brought_to_another_vault),
    };

    return cmocka_run_group_tests_name("export", tests, NULL, NULL);
}
