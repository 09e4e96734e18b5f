#include "hostile/keeper/rig_purposes.h"

#include "base/time.h"
#include "keeper/subjects.h"
#include "model/release.h"
#include "os/clock.h"

enum { TEXT_MAX = 4096 };

const char *const purpose_ids[PURPOSE_KEYS] = {
    "kek", "kek2", "mac", "kdf", "firmware", "timestamp", "root", "station", "evidence", "cmp"};
struct pubkey *purpose_public[PURPOSE_KEYS];
/* CN=cmp */
const uint8_t purpose_cmp_name[PURPOSE_CMP_NAME] = {0x30, 0x0e, 0x31, 0x0c, 0x30, 0x0a, 0x06, 0x03,
                                                    0x55, 0x04, 0x03, 0x0c, 0x03, 'c',  'm',  'p'};

/* clang-format off */
static const struct {
    enum key_class class_;
    uint32_t alg;
    const char *role, *version;
    const char *scopes[2];
} keys[PURPOSE_KEYS] = {
    [PURPOSE_KEK]       = {KEY_CLASS_KEK, KEY_ALG_SECRET_256, "", "", {0}},
    [PURPOSE_KEK2]      = {KEY_CLASS_KEK, KEY_ALG_SECRET_256, "", "", {0}},
    [PURPOSE_MAC]       = {KEY_CLASS_MAC, KEY_ALG_SECRET_256, "", "", {0}},
    [PURPOSE_KDF]       = {KEY_CLASS_KDF, KEY_ALG_SECRET_256, "", "", {"session/", "osdp/"}},
    [PURPOSE_FIRMWARE]  = {KEY_CLASS_FIRMWARE, KEY_ALG_EC_P256, "", "2.#.#", {RIG_PRODUCT}},
    [PURPOSE_TIMESTAMP] = {KEY_CLASS_TUF, KEY_ALG_ED25519, "timestamp", "", {0}},
    [PURPOSE_ROOT]      = {KEY_CLASS_TUF, KEY_ALG_EC_P384, "root", "", {0}},
    [PURPOSE_STATION]   = {KEY_CLASS_PROVISIONING, KEY_ALG_EC_P256, "", "", {0}},
    [PURPOSE_EVIDENCE]  = {KEY_CLASS_EVIDENCE, KEY_ALG_ED25519, "", "", {0}},
    [PURPOSE_CMP]       = {KEY_CLASS_CMP, KEY_ALG_EC_P256, "", "", {0}},
};
/* clang-format on */

void purpose_policy(enum purpose_key key, struct key_policy *ret)
{
    int64_t now = os_clock_unix_s();

    *ret = (struct key_policy){.class_ = keys[key].class_,
                               .alg = keys[key].alg,
                               .not_before = now - 60,
                               .not_after = now + 365 * RIG_DAY_S};
    assert_true(KW_TEXT_SET(ret->key_id, purpose_ids[key]));
    assert_true(KW_TEXT_SET(ret->tuf_role, keys[key].role));
    assert_true(KW_TEXT_SET(ret->fw_version, keys[key].version));
    ret->tuf_max_s = keys[key].class_ == KEY_CLASS_TUF ? 7 * RIG_DAY_S : 0;
    for (; ret->n_scopes < 2 && keys[key].scopes[ret->n_scopes]; ret->n_scopes++) {
        assert_true(KW_TEXT_SET(ret->scopes[ret->n_scopes], keys[key].scopes[ret->n_scopes]));
    }
    if (key_class_symmetric(ret->class_)) {
        ret->processing_until = ret->not_after + 365 * RIG_DAY_S;
    }
    if (key == PURPOSE_CMP) {
        ret->issuer_dn_len = sizeof(purpose_cmp_name);
        memcpy(ret->issuer_dn, purpose_cmp_name, sizeof(purpose_cmp_name));
    }
    ret->overlap_s = 3600;
    if (key == PURPOSE_EVIDENCE) {
        assert_true(KW_TEXT_SET(ret->log_origin, RIG_ORIGIN));
    }
}

static void make_key(struct rig *rig, enum purpose_key key)
{
    static uint8_t octets[POLICY_ENCODED_MAX];
    static struct key_policy policy;
    struct kw_out encoded = KW_OUT_ARRAY(octets);
    struct keeper_msg msg;
    struct kw_op op;

    kw_op_init(&op, "test", 0);
    purpose_policy(key, &policy);
    assert_ok(policy_encode(&policy, &encoded));
    rig_msg(rig, &msg, "");
    msg.key_create.policy = kw_out_span(&encoded);
    struct keeper_reply reply = rig_ask(rig, &keeper_rows[KEEPER_ROW_KEY_CREATE], &msg, -1);
    struct keeper_answer answer = purpose_good(KEEPER_ROW_KEY_CREATE, &reply);
    if (key_class_symmetric(policy.class_)) {
        assert_int_equal(answer.octets.len, 8);
    } else {
        assert_ok(pubkey_parse(&op, answer.octets, &purpose_public[key]));
    }
}

int purpose_setup(void **state)
{
    (void)state;
    attack_rig = rig_new();
    rig_start(attack_rig, /* ceremony= */ true);
    for (int i = 0; i < PURPOSE_KEYS; i++) {
        make_key(attack_rig, (enum purpose_key)i);
    }
    (void)rig_end(attack_rig);
    rig_enrol(attack_rig, NULL);
    rig_start(attack_rig, /* ceremony= */ false);
    return 0;
}

int purpose_teardown(void **state)
{
    for (int i = 0; i < PURPOSE_KEYS; i++) {
        pubkey_unref(purpose_public[i]);
        purpose_public[i] = NULL;
    }
    return attack_teardown(state);
}

struct keeper_answer purpose_good(enum keeper_row_index row, const struct keeper_reply *reply)
{
    struct keeper_answer answer;

    assert_string_equal(reply->text, "");
    assert_int_equal(reply->code, KW_CODE_OK);
    assert_ok(keeper_answer_decode(&keeper_rows[row], reply->result, &answer));
    return answer;
}

static void fill_derive(struct keeper_msg *msg, struct kw_span label, struct kw_span context)
{
    assert_true(label.len <= KEEPER_LABEL_MAX);
    if (label.len > 0) {
        memcpy(msg->derive.label, label.p, label.len);
    }
    msg->derive.context = context;
    msg->derive.len = 32;
}

struct keeper_reply purpose_ask(enum keeper_row_index row, const char *key_id, struct kw_span a,
                                struct kw_span b)
{
    struct keeper_msg msg;

    rig_msg(attack_rig, &msg, key_id);
    switch (row) {
    case KEEPER_ROW_SERIALS:
        msg.serials.n = 1;
        break;
    case KEEPER_ROW_SIGN_FIRMWARE:
        msg.firmware.statement = a;
        break;
    case KEEPER_ROW_SIGN_CRL:
    case KEEPER_ROW_SIGN_TUF:
        msg.sign_crl.len = (uint32_t)a.len;
        msg.sign_crl.tbs = a;
        break;
    case KEEPER_ROW_SIGN_CERT:
        assert_true(KW_TEXT_SET(msg.sign_cert.rule, "leaf"));
        msg.sign_cert.tbs = a;
        break;
    case KEEPER_ROW_SIGN_CHECKPOINT:
        msg.checkpoint.body = a;
        break;
    case KEEPER_ROW_OCSP_ISSUER:
        msg.ocsp_issuer.cert = a;
        break;
    case KEEPER_ROW_KEY_BIRTH:
        assert_true(KW_TEXT_SET(msg.birth.rule, "leaf"));
        msg.birth.recipient = a;
        break;
    case KEEPER_ROW_DATA_DERIVE:
        fill_derive(&msg, a, b);
        break;
    case KEEPER_ROW_DATA_MAC_VERIFY:
        msg.data.octets = a;
        msg.data.mac = b;
        break;
    default:
        if (keeper_row_secret(&keeper_rows[row])) {
            msg.data.octets = a;
            msg.data.context = b;
        } else {
            msg.sign.message = a;
        }
        break;
    }
    return rig_ask(attack_rig, &keeper_rows[row], &msg, -1);
}

struct keeper_reply purpose_tuf(const char *key_id, struct kw_span body)
{
    return purpose_ask(KEEPER_ROW_SIGN_TUF, key_id, body, (struct kw_span){0});
}

struct keeper_reply purpose_firmware(const char *key_id, const char *statement, uint64_t approval)
{
    struct keeper_msg msg;

    rig_msg(attack_rig, &msg, key_id);
    msg.firmware.statement = kw_span_text(statement);
    msg.firmware.approval = approval;
    return rig_ask(attack_rig, &keeper_rows[KEEPER_ROW_SIGN_FIRMWARE], &msg, -1);
}

void purpose_rotate(enum purpose_key key, const char *successor)
{
    struct approval_subject subject = subject_key_rotate(keys[key].class_, purpose_ids[key]);
    struct keeper_msg msg;

    rig_msg(attack_rig, &msg, purpose_ids[key]);
    msg.key_rotate.approval_id = rig_approved(attack_rig, &subject);
    struct keeper_reply reply = rig_ask(attack_rig, &keeper_rows[KEEPER_ROW_KEY_ROTATE], &msg, -1);
    struct keeper_answer answer = purpose_good(KEEPER_ROW_KEY_ROTATE, &reply);
    assert_string_equal(answer.key.key_id, successor);
}

void purpose_deactivate(const char *key_id)
{
    struct keeper_msg msg;

    rig_msg(attack_rig, &msg, key_id);
    msg.key_step.event = KEY_EVENT_DEACTIVATE;
    assert_true(KW_TEXT_SET(msg.key_step.reason, "its time has come"));
    struct keeper_reply reply = rig_ask(attack_rig, &keeper_rows[KEEPER_ROW_KEY_STEP], &msg, -1);
    (void)purpose_good(KEEPER_ROW_KEY_STEP, &reply);
}

void purpose_destroy(enum purpose_key key)
{
    static const char reason[] = "nothing is left under it";
    struct approval_subject subject =
        subject_key_destroy(keys[key].class_, purpose_ids[key], reason);
    struct keeper_msg msg;

    rig_msg(attack_rig, &msg, purpose_ids[key]);
    assert_true(KW_TEXT_SET(msg.key_step.reason, reason));
    msg.key_step.approval_id = rig_approved(attack_rig, &subject);
    struct keeper_reply reply = rig_ask(attack_rig, &keeper_rows[KEEPER_ROW_KEY_DESTROY], &msg, -1);
    (void)purpose_good(KEEPER_ROW_KEY_DESTROY, &reply);
}

uint64_t purpose_approve(const char *text)
{
    struct statement release;

    assert_ok(statement_parse(kw_span_text(text), &release, NULL));
    struct approval_subject subject = release_subject("firmware", &release);
    assert_ok(approval_subject_check(&subject));
    uint64_t id = rig_open(attack_rig, &subject, RIG_ALICE);
    struct keeper_reply reply = rig_verdict(attack_rig, id, APPROVAL_REQUEST, RIG_ALICE);
    assert_true(reply.code == KW_CODE_OK || reply.code == KW_E_CONFLICT);
    reply = rig_verdict(attack_rig, id, APPROVAL_APPROVE, RIG_RITA);
    assert_string_equal(reply.text, "");
    return id;
}

const char *purpose_release(const char *version, const char *counter, const char *hash)
{
    static char text[TEXT_MAX];

    (void)snprintf(text, sizeof(text),
                   "firmware-release v1\nproduct: " RIG_PRODUCT
                   "\nhardware: rev-b\nversion: %s\nimage-sha256: %s\nimage-size: 4096\n"
                   "security-counter: %s\n",
                   version, hash, counter);
    return text;
}

const char *purpose_record(int64_t date)
{
    static char text[TEXT_MAX];
    char when[KW_TIME_TEXT];

    (void)snprintf(text, sizeof(text),
                   "provisioning-record v1\ndevice: DEV1\nserial: S-1\nbatch: B-1\nstation: ST-03\n"
                   "keys-sha256: " RIG_HASH "\ndate: %s\nrecord-sha256: " RIG_HASH
                   "\nprev-sha256: none\n",
                   kw_time_text(date, when));
    return text;
}

const char *purpose_evidence(int64_t from, int64_t to)
{
    static char text[TEXT_MAX];
    char begin[KW_TIME_TEXT];
    char end[KW_TIME_TEXT];

    (void)snprintf(text, sizeof(text),
                   "evidence-manifest v1\nlog-origin: " RIG_ORIGIN
                   "\nlog-size: 7\nlog-root: " RIG_HASH
                   "\nfrom: %s\nto: %s\nmanifest-sha256: " RIG_HASH "\n",
                   kw_time_text(from, begin), kw_time_text(to, end));
    return text;
}

const char *purpose_metadata(const char *role, const char *version, int64_t expires)
{
    static char text[TEXT_MAX];
    char when[KW_TIME_TEXT];

    (void)snprintf(text, sizeof(text),
                   "{\"_type\":\"%s\",\"expires\":\"%s\",\"meta\":{},\"spec_version\":\"1.0.31\","
                   "\"version\":%s}",
                   role, kw_time_text(expires, when), version);
    return text;
}
