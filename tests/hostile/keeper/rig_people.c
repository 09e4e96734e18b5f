#include "hostile/keeper/rig_people.h"

#include "crypto/privkey.h"

const char *const rig_names[RIG_PEOPLE] = {
    [RIG_ALICE] = "alice", [RIG_BOB] = "bob",   [RIG_CAROL] = "carol",     [RIG_RITA] = "rita",
    [RIG_OTTO] = "otto",   [RIG_DORA] = "dora", [RIG_MALLORY] = "mallory",
};

static const uint32_t roles[RIG_ENROLLED] = {
    [RIG_ALICE] = ROLE_SECURITY_OFFICER,
    [RIG_BOB] = ROLE_SECURITY_OFFICER,
    [RIG_CAROL] = ROLE_SECURITY_OFFICER | ROLE_RELEASE_MANAGER,
    [RIG_RITA] = ROLE_RELEASE_MANAGER,
    [RIG_OTTO] = ROLE_OPERATOR,
    [RIG_DORA] = ROLE_AUDITOR,
};

const struct privkey *rig_person_key(enum rig_person person)
{
    static struct privkey *keys[RIG_PEOPLE];
    struct kw_op op;

    kw_op_init(&op, "test", 0);
    if (!keys[person]) {
        enum key_alg alg = person == RIG_RITA   ? KEY_ALG_ED25519
                           : person == RIG_DORA ? KEY_ALG_EC_P384
                                                : KEY_ALG_EC_P256;
        assert_ok(privkey_generate(&op, alg, &keys[person]));
    }
    return keys[person];
}

static void add_rule(struct roster *roster, enum approval_op what, uint32_t needed, uint32_t who,
                     uint32_t deadline_s)
{
    roster->rules[roster->n_rules++] = (struct approval_rule){
        .op = what, .needed = needed, .roles = who, .deadline_s = deadline_s};
}

void rig_roster(struct roster *ret)
{
    memset(ret, 0, sizeof(*ret));
    for (unsigned i = 0; i < RIG_ENROLLED; i++) {
        struct approver *approver = &ret->at[ret->n++];
        struct kw_span spki = pubkey_spki(privkey_public(rig_person_key((enum rig_person)i)));
        assert_true(KW_TEXT_SET(approver->name, rig_names[i]));
        approver->roles = roles[i];
        approver->spki_len = (uint32_t)spki.len;
        memcpy(approver->spki, spki.p, spki.len);
    }
    for (unsigned i = APPROVE_NONE + 1; i < APPROVE_MAX; i++) {
        if (i == APPROVE_FIRMWARE) {
            add_rule(ret, APPROVE_FIRMWARE, 1, ROLE_RELEASE_MANAGER, 300);
        } else {
            add_rule(ret, (enum approval_op)i, 2, ROLE_SECURITY_OFFICER, 3600);
        }
    }
}

void rig_enrol(struct rig *rig, const struct roster *roster)
{
    static uint8_t octets[ROSTER_ENCODED_MAX];
    struct kw_out encoded = KW_OUT_ARRAY(octets);
    struct roster usual;
    struct keeper_msg msg;

    rig_roster(&usual);
    assert_ok(roster_encode(roster ? roster : &usual, &encoded));
    rig_start(rig, /* ceremony= */ true);
    rig_msg(rig, &msg, "");
    msg.roster_set.roster = kw_out_span(&encoded);
    struct keeper_reply reply = rig_ask(rig, &keeper_rows[KEEPER_ROW_ROSTER_SET], &msg, -1);
    assert_string_equal(reply.text, "");
    assert_int_equal(rig_end(rig), 0);
}

struct keeper_reply rig_ask_open(struct rig *rig, const struct approval_subject *subject,
                                 const char *requester)
{
    struct keeper_msg msg;

    rig_msg(rig, &msg, subject->key_id);
    msg.approval_open.subject = *subject;
    assert_true(KW_TEXT_SET(msg.approval_open.requester, requester));
    return rig_ask(rig, &keeper_rows[KEEPER_ROW_APPROVAL_OPEN], &msg, -1);
}

struct keeper_reply rig_ask_sign(struct rig *rig, uint64_t id, enum approval_verdict verdict,
                                 enum rig_person person, const char *name, struct kw_span text)
{
    uint8_t octets[APPROVAL_SIGNED_MAX], sig_octets[KW_SIG_MAX];
    struct kw_out message = KW_OUT_ARRAY(octets), sig = KW_OUT_ARRAY(sig_octets);
    struct keeper_msg msg;
    struct kw_op op;

    kw_op_init(&op, "test", 0);
    assert_ok(approval_signed_octets(verdict, text, &message));
    assert_ok(privkey_sign(&op, rig_person_key(person), kw_out_span(&message), &sig));
    rig_msg(rig, &msg, "");
    msg.approval_sign.id = id;
    msg.approval_sign.verdict = verdict;
    msg.approval_sign.signature = kw_out_span(&sig);
    assert_true(KW_TEXT_SET(msg.approval_sign.name, name));
    return rig_ask(rig, &keeper_rows[KEEPER_ROW_APPROVAL_SIGN], &msg, -1);
}

struct keeper_approval rig_approval(struct rig *rig, uint64_t id)
{
    const struct keeper_row *row = &keeper_rows[KEEPER_ROW_APPROVAL_AT];
    struct keeper_answer answer;
    struct keeper_msg msg;

    rig_msg(rig, &msg, "");
    msg.approval_at.id = id;
    struct keeper_reply reply = rig_ask(rig, row, &msg, -1);
    assert_string_equal(reply.text, "");
    assert_ok(keeper_answer_decode(row, reply.result, &answer));
    return answer.approval.info;
}

uint64_t rig_open(struct rig *rig, const struct approval_subject *subject,
                  enum rig_person requester)
{
    const struct keeper_row *row = &keeper_rows[KEEPER_ROW_APPROVAL_OPEN];
    struct keeper_reply reply = rig_ask_open(rig, subject, rig_names[requester]);
    struct keeper_answer answer;

    assert_string_equal(reply.text, "");
    assert_ok(keeper_answer_decode(row, reply.result, &answer));
    return answer.approval.info.what.id;
}

struct keeper_reply rig_verdict(struct rig *rig, uint64_t id, enum approval_verdict verdict,
                                enum rig_person person)
{
    struct keeper_approval is = rig_approval(rig, id);

    return rig_ask_sign(rig, id, verdict, person, rig_names[person], kw_span_text(is.text));
}

uint64_t rig_approved(struct rig *rig, const struct approval_subject *subject)
{
    static const struct {
        enum approval_verdict verdict;
        enum rig_person person;
    } steps[] = {
        {APPROVAL_REQUEST, RIG_ALICE},
        {APPROVAL_APPROVE, RIG_BOB  },
        {APPROVAL_APPROVE, RIG_CAROL},
    };
    uint64_t id = rig_open(rig, subject, RIG_ALICE);

    for (size_t i = 0; i < KW_COUNT(steps); i++) {
        struct keeper_reply reply = rig_verdict(rig, id, steps[i].verdict, steps[i].person);
        assert_string_equal(reply.text, "");
    }
    return id;
}
