/* A gate that wants what others should have approved. */
#include <stdio.h>
#include <string.h>

#include "crypto/privkey.h"
#include "hostile/keeper/attack.h"
#include "hostile/keeper/rig_people.h"
#include "keeper/subjects.h"
#include "os/files.h"

#define REASON "end of its use"

static const struct keeper_row *row(enum keeper_row_index index)
{
    return &keeper_rows[index];
}

static struct approval_subject destruction(const char *key_id, const char *reason)
{
    return subject_key_destroy(KEY_CLASS_TLS_SERVER, key_id, reason);
}

/* --- signatures that must not count ------------------------------------------------------------
 */

/* How far the request is when the attack begins: asked by alice. */
enum stage { OPENED, REQUESTED, BY_BOB, REJECTED };

static uint64_t reach(enum stage stage)
{
    struct approval_subject subject = destruction("tls", REASON);
    uint64_t id = rig_open(attack_rig, &subject, RIG_ALICE);

    if (stage >= REQUESTED) {
        assert_string_equal(rig_verdict(attack_rig, id, APPROVAL_REQUEST, RIG_ALICE).text, "");
    }
    if (stage == BY_BOB) {
        assert_string_equal(rig_verdict(attack_rig, id, APPROVAL_APPROVE, RIG_BOB).text, "");
    }
    if (stage == REJECTED) {
        assert_string_equal(rig_verdict(attack_rig, id, APPROVAL_REJECT, RIG_BOB).text, "");
    }
    return id;
}

/* Whatever an attack leaves open would use up the requester's share. */
static void clean_up(uint64_t id)
{
    if (rig_approval(attack_rig, id).state == APPROVAL_OPEN) {
        (void)rig_verdict(attack_rig, id, APPROVAL_REJECT, RIG_ALICE);
    }
    assert_int_not_equal(rig_approval(attack_rig, id).state, APPROVAL_OPEN);
}

/* Another value in the line of this name; same length, so that nothing else moves. */
static void change_line(char *text, const char *name)
{
    char start[64];

    (void)snprintf(start, sizeof(start), "\n%s: ", name);
    char *line = strstr(text, start);
    assert_non_null(line);
    char *value = line + strlen(start);
    *value = *value == '1' ? '2' : '1';
}

static const struct attack {
    const char *name;
    enum stage stage;
    enum approval_verdict sent, signed_;
    enum rig_person person;
    const char *as;
    const char *line; /* changed in the signed text; NULL: the text is right */
    enum kw_code code;
    const char *reason;
} attacks[] = {
#define REQ APPROVAL_REQUEST
#define YES APPROVAL_APPROVE
#define NO APPROVAL_REJECT
    /* clang-format off */
    {"another vault",                    REQUESTED, YES, YES, RIG_BOB,     "bob",     "vault",     KW_E_DENIED,   "not by 'bob'"},
    {"another request",                  REQUESTED, YES, YES, RIG_BOB,     "bob",     "request",   KW_E_DENIED,   "not by 'bob'"},
    {"another operation",                REQUESTED, YES, YES, RIG_BOB,     "bob",     "operation", KW_E_DENIED,   "not by 'bob'"},
    {"another meaning",                  REQUESTED, YES, YES, RIG_BOB,     "bob",     "meaning",   KW_E_DENIED,   "not by 'bob'"},
    {"another key",                      REQUESTED, YES, YES, RIG_BOB,     "bob",     "key",       KW_E_DENIED,   "not by 'bob'"},
    {"another class",                    REQUESTED, YES, YES, RIG_BOB,     "bob",     "class",     KW_E_DENIED,   "not by 'bob'"},
    {"another reason",                   REQUESTED, YES, YES, RIG_BOB,     "bob",     "reason",    KW_E_DENIED,   "not by 'bob'"},
    {"another requester",                REQUESTED, YES, YES, RIG_BOB,     "bob",     "requester", KW_E_DENIED,   "not by 'bob'"},
    {"fewer approvals",                  REQUESTED, YES, YES, RIG_BOB,     "bob",     "approvals", KW_E_DENIED,   "not by 'bob'"},
    {"another opening time",             REQUESTED, YES, YES, RIG_BOB,     "bob",     "opened",    KW_E_DENIED,   "not by 'bob'"},
    {"a later deadline",                 REQUESTED, YES, YES, RIG_BOB,     "bob",     "deadline",  KW_E_DENIED,   "not by 'bob'"},
    {"another nonce",                    REQUESTED, YES, YES, RIG_BOB,     "bob",     "nonce",     KW_E_DENIED,   "not by 'bob'"},
    {"a rejection turned into approval", REQUESTED, YES, NO,  RIG_BOB,     "bob",     NULL,        KW_E_DENIED,   "not by 'bob'"},
    {"a request turned into approval",   REQUESTED, YES, REQ, RIG_BOB,     "bob",     NULL,        KW_E_DENIED,   "not by 'bob'"},
    {"an approval turned into rejection",REQUESTED, NO,  YES, RIG_BOB,     "bob",     NULL,        KW_E_DENIED,   "not by 'bob'"},
    {"forged: another's key",            REQUESTED, YES, YES, RIG_MALLORY, "bob",     NULL,        KW_E_DENIED,   "not by 'bob'"},
    {"alice's key in bob's name",        REQUESTED, YES, YES, RIG_ALICE,   "bob",     NULL,        KW_E_DENIED,   "not by 'bob'"},
    {"carol's key in bob's name",        REQUESTED, YES, YES, RIG_CAROL,   "bob",     NULL,        KW_E_DENIED,   "not by 'bob'"},
    {"nobody enrolled",                  REQUESTED, YES, YES, RIG_MALLORY, "mallory", NULL,        KW_E_DENIED,   "not enrolled"},
    {"no name",                          REQUESTED, YES, YES, RIG_BOB,     "",        NULL,        KW_E_DENIED,   "not enrolled"},
    {"a name in capitals",               REQUESTED, YES, YES, RIG_BOB,     "BOB",     NULL,        KW_E_DENIED,   "not enrolled"},
    {"a name with a space",              REQUESTED, YES, YES, RIG_BOB,     "bob ",    NULL,        KW_E_DENIED,   "not enrolled"},
    {"who asks approves",                REQUESTED, YES, YES, RIG_ALICE,   "alice",   NULL,        KW_E_DENIED,   "who asks cannot approve"},
    {"the wrong role: release manager",  REQUESTED, YES, YES, RIG_RITA,    "rita",    NULL,        KW_E_DENIED,   "is no security-officer"},
    {"the wrong role: operator",         REQUESTED, YES, YES, RIG_OTTO,    "otto",    NULL,        KW_E_DENIED,   "is no security-officer"},
    {"the wrong role: auditor",          REQUESTED, YES, YES, RIG_DORA,    "dora",    NULL,        KW_E_DENIED,   "is no security-officer"},
    {"a rejection by the wrong role",    REQUESTED, NO,  NO,  RIG_OTTO,    "otto",    NULL,        KW_E_DENIED,   "is no security-officer"},
    {"approved before it was asked",     OPENED,    YES, YES, RIG_BOB,     "bob",     NULL,        KW_E_STATE,    "has not signed the request"},
    {"another asks in alice's place",    OPENED,    REQ, REQ, RIG_BOB,     "bob",     NULL,        KW_E_DENIED,   "only 'alice' may sign as requester"},
    {"another's key for alice",          OPENED,    REQ, REQ, RIG_BOB,     "alice",   NULL,        KW_E_DENIED,   "not by 'alice'"},
    {"asked for with an altered reason", OPENED,    REQ, REQ, RIG_ALICE,   "alice",   "reason",    KW_E_DENIED,   "not by 'alice'"},
    {"an approval as a request",         OPENED,    REQ, YES, RIG_ALICE,   "alice",   NULL,        KW_E_DENIED,   "not by 'alice'"},
    {"asked twice",                      REQUESTED, REQ, REQ, RIG_ALICE,   "alice",   NULL,        KW_E_CONFLICT, "has signed already"},
    {"approved twice by one",            BY_BOB,    YES, YES, RIG_BOB,     "bob",     NULL,        KW_E_CONFLICT, "has signed already"},
    {"approved after a rejection",       REJECTED,  YES, YES, RIG_CAROL,   "carol",   NULL,        KW_E_STATE,    "was rejected already"},
    {"rejected twice",                   REJECTED,  NO,  NO,  RIG_CAROL,   "carol",   NULL,        KW_E_STATE,    "was rejected already"},
    /* clang-format on */
};

static struct keeper_reply sign(uint64_t id, const struct attack *attack, const char *text)
{
    uint8_t octets[APPROVAL_SIGNED_MAX], sig_octets[KW_SIG_MAX];
    struct kw_out message = KW_OUT_ARRAY(octets), sig = KW_OUT_ARRAY(sig_octets);
    struct keeper_msg msg;
    struct kw_op op;

    kw_op_init(&op, "test", 0);
    assert_ok(approval_signed_octets(attack->signed_, kw_span_text(text), &message));
    assert_ok(privkey_sign(&op, rig_person_key(attack->person), kw_out_span(&message), &sig));
    rig_msg(attack_rig, &msg, "");
    msg.approval_sign.id = id;
    msg.approval_sign.verdict = attack->sent;
    msg.approval_sign.signature = kw_out_span(&sig);
    assert_true(KW_TEXT_SET(msg.approval_sign.name, attack->as));
    return rig_ask(attack_rig, row(KEEPER_ROW_APPROVAL_SIGN), &msg, -1);
}

static void run_attack(void **state)
{
    const struct attack *attack = *state;
    uint64_t id = reach(attack->stage);
    struct keeper_approval before = rig_approval(attack_rig, id);
    char text[APPROVAL_TEXT_MAX + 1];

    attack_begin();
    memcpy(text, before.text, sizeof(text));
    if (attack->line) {
        change_line(text, attack->line);
    }
    struct keeper_reply reply = sign(id, attack, text);
    attack_check(row(KEEPER_ROW_APPROVAL_SIGN), &reply, attack->code, attack->reason);
    struct keeper_approval after = rig_approval(attack_rig, id);
    assert_int_equal(after.n, before.n);
    assert_int_equal(after.have, before.have);
    clean_up(id);
}

/* A signature over any text but this one, or any other signature: one bit is enough. */
static void one_bit_of_the_text(void **state)
{
    const struct attack right = {.sent = YES, .signed_ = YES, .person = RIG_BOB, .as = "bob"};
    uint64_t id = reach(REQUESTED);
    struct keeper_approval is = rig_approval(attack_rig, id);

    (void)state;
    for (size_t i = 0; is.text[i]; i++) {
        is.text[i] ^= 1;
        struct keeper_reply reply = sign(id, &right, is.text);
        assert_string_equal(kw_code_text(reply.code), "denied");
        is.text[i] ^= 1;
    }
    assert_int_equal(rig_approval(attack_rig, id).have, 0);
    struct keeper_reply reply = sign(id, &right, is.text);
    assert_string_equal(reply.text, ""); /* unaltered it counts: the loop tried the right thing */
    assert_int_equal(rig_approval(attack_rig, id).have, 1);
    clean_up(id);
}

/* A signature of one request is none of another with the same words. */
static void reused_for_the_same_again(void **state)
{
    const struct attack right = {.sent = YES, .signed_ = YES, .person = RIG_BOB, .as = "bob"};
    uint64_t first = reach(REQUESTED), second = reach(REQUESTED);
    struct keeper_approval of_first = rig_approval(attack_rig, first);

    (void)state;
    attack_begin();
    struct keeper_reply reply = sign(second, &right, of_first.text);
    attack_check(row(KEEPER_ROW_APPROVAL_SIGN), &reply, KW_E_DENIED, "not by 'bob'");
    clean_up(first);
    clean_up(second);
}

/* --- use ---------------------------------------------------------------------------------------
 */

static struct keeper_reply destroy(const char *key_id, const char *reason, uint64_t approval_id)
{
    struct keeper_msg msg;

    rig_msg(attack_rig, &msg, key_id);
    assert_true(KW_TEXT_SET(msg.key_step.reason, reason));
    msg.key_step.approval_id = approval_id;
    return rig_ask(attack_rig, row(KEEPER_ROW_KEY_DESTROY), &msg, -1);
}

static void check_destroy(struct keeper_reply reply, enum kw_code code, const char *reason)
{
    attack_check(row(KEEPER_ROW_KEY_DESTROY), &reply, code, reason);
}

static void destroyed_without_enough(void **state)
{
    (void)state;
    attack_begin();
    check_destroy(destroy("tls", REASON, 0), KW_E_APPROVAL, "needs 2 of security-officer");
    attack_begin();
    check_destroy(destroy("tls", REASON, 987654), KW_E_DENIED, "there is no request");
    static const struct {
        enum stage stage;
        enum kw_code code;
        const char *reason;
    } stages[] = {
        {OPENED,    KW_E_APPROVAL, "has not signed"      },
        {REQUESTED, KW_E_APPROVAL, "has 0 of 2"          },
        {BY_BOB,    KW_E_APPROVAL, "has 1 of 2"          },
        {REJECTED,  KW_E_DENIED,   "was rejected already"},
    };
    for (size_t i = 0; i < KW_COUNT(stages); i++) {
        uint64_t id = reach(stages[i].stage);
        attack_begin();
        check_destroy(destroy("tls", REASON, id), stages[i].code, stages[i].reason);
        clean_up(id);
    }
}

static void approved_for_something_else(void **state)
{
    struct approval_subject reason = destruction("tls", "another reason");
    struct approval_subject key = subject_key_destroy(KEY_CLASS_OCSP_SIGNER, "ocsp", REASON);
    struct approval_subject class_ = subject_key_destroy(KEY_CLASS_LOG_SIGNER, "tls", REASON);
    struct approval_subject what = subject_key_revoke(KEY_CLASS_TLS_SERVER, "tls", REASON);
    const struct approval_subject *const others[] = {&reason, &key, &class_, &what};

    (void)state;
    for (size_t i = 0; i < KW_COUNT(others); i++) {
        uint64_t id = rig_approved(attack_rig, others[i]);
        attack_begin();
        check_destroy(destroy("tls", REASON, id), KW_E_DENIED, "is for something else");
        clean_up(id);
    }
}

/* It says under which approval, also where it is written anew. */
static void check_statement_of(const char *key_id, uint64_t id)
{
    char path[256], words[64];
    AUTO(kw_bytes) *text = NULL;

    (void)snprintf(path, sizeof(path), "%s/destroyed/%s.statement", attack_rig->vault, key_id);
    (void)snprintf(words, sizeof(words), "approvals: %llu\n", (unsigned long long)id);
    assert_ok(os_file_read(NULL, path, 65536, &text));
    assert_non_null(memmem(text->p, text->len, words, strlen(words)));
}

/* Once, whatever happens in between. */
static void used_once(void **state)
{
    struct approval_subject subject = destruction("tls", REASON);
    uint64_t id = rig_approved(attack_rig, &subject);

    (void)state;
    assert_string_equal(destroy("tls", REASON, id).text, "");
    check_statement_of("tls", id);
    assert_string_equal(destroy("tls", REASON, 0).text, ""); /* the proof once more */
    check_statement_of("tls", id);
    assert_int_equal(rig_approval(attack_rig, id).state, APPROVAL_CONSUMED);
    struct approval_subject again = subject_key_revoke(KEY_CLASS_LOG_SIGNER, "log", REASON);
    (void)again;
    assert_int_equal(rig_end(attack_rig), 0);
    rig_start(attack_rig, /* ceremony= */ false);
    assert_int_equal(rig_approval(attack_rig, id).state, APPROVAL_CONSUMED);
    attack_begin();
    struct keeper_reply reply = rig_verdict(attack_rig, id, APPROVAL_APPROVE, RIG_BOB);
    attack_check(row(KEEPER_ROW_APPROVAL_SIGN), &reply, KW_E_STATE, "was consumed already");
}

/* --- asking ------------------------------------------------------------------------------------
 */

/* Somebody who floods finds an end; others still ask. */
static void a_flood_hinders_nobody_else(void **state)
{
    struct approval_subject subject = destruction("ocsp", REASON);
    uint64_t ids[16], first = rig_open(attack_rig, &subject, RIG_CAROL);
    unsigned n = 0;

    (void)state;
    assert_string_equal(rig_verdict(attack_rig, first, APPROVAL_REQUEST, RIG_CAROL).text, "");
    for (;;) {
        struct keeper_reply reply = rig_ask_open(attack_rig, &subject, "otto");
        if (reply.code != KW_CODE_OK) {
            assert_string_equal(kw_code_text(reply.code), "too_many");
            break;
        }
        struct keeper_answer answer;
        assert_ok(keeper_answer_decode(row(KEEPER_ROW_APPROVAL_OPEN), reply.result, &answer));
        ids[n++] = answer.approval.info.what.id;
        assert_true(n < KW_COUNT(ids));
    }
    assert_int_equal(rig_approval(attack_rig, first).state, APPROVAL_OPEN);
    uint64_t second = rig_open(attack_rig, &subject, RIG_BOB);
    (void)rig_verdict(attack_rig, second, APPROVAL_REJECT, RIG_BOB);
    (void)rig_verdict(attack_rig, first, APPROVAL_REJECT, RIG_CAROL);
    for (unsigned i = 0; i < n; i++) {
        (void)rig_verdict(attack_rig, ids[i], APPROVAL_REJECT, RIG_BOB);
    }
}

static void asked_by_nobody(void **state)
{
    struct approval_subject subject = destruction("tls", REASON);

    (void)state;
    attack_begin();
    struct keeper_reply reply = rig_ask_open(attack_rig, &subject, "mallory");
    attack_check(row(KEEPER_ROW_APPROVAL_OPEN), &reply, KW_E_DENIED, "not enrolled");
}

/* --- the roster --------------------------------------------------------------------------------
 */

static struct keeper_reply set_roster(const struct roster *roster, uint64_t approval_id)
{
    static uint8_t octets[ROSTER_ENCODED_MAX];
    struct kw_out encoded = KW_OUT_ARRAY(octets);
    struct keeper_msg msg;

    assert_ok(roster_encode(roster, &encoded));
    rig_msg(attack_rig, &msg, "");
    msg.roster_set.roster = kw_out_span(&encoded);
    msg.roster_set.approval_id = approval_id;
    return rig_ask(attack_rig, row(KEEPER_ROW_ROSTER_SET), &msg, -1);
}

static void keep_people(struct roster *roster, unsigned n)
{
    memset(&roster->at[n], 0, (roster->n - n) * sizeof(roster->at[0]));
    roster->n = n;
}

static void the_roster_is_nobodys(void **state)
{
    struct roster roster, fewer;
    struct kw_span spki = pubkey_spki(privkey_public(rig_person_key(RIG_MALLORY)));

    (void)state;
    rig_roster(&roster);
    fewer = roster;
    struct approver *mallory = &roster.at[roster.n++];
    assert_true(KW_TEXT_SET(mallory->name, "mallory"));
    mallory->roles = ROLE_SECURITY_OFFICER;
    mallory->spki_len = (uint32_t)spki.len;
    memcpy(mallory->spki, spki.p, spki.len);
    attack_begin();
    struct keeper_reply reply = set_roster(&roster, 0);
    attack_check(row(KEEPER_ROW_ROSTER_SET), &reply, KW_E_APPROVAL, "needs 2");
    struct approval_subject subject = destruction("ocsp", REASON);
    uint64_t id = rig_approved(attack_rig, &subject);
    attack_begin();
    reply = set_roster(&roster, id);
    attack_check(row(KEEPER_ROW_ROSTER_SET), &reply, KW_E_DENIED, "is for something else");
    clean_up(id);
    keep_people(&fewer, 2);
    attack_begin();
    reply = set_roster(&fewer, 0);
    attack_check(row(KEEPER_ROW_ROSTER_SET), &reply, KW_E_STATE, "nobody could approve");
    attack_begin();
    memset(roster.at[0].spki, 0x30, 8);
    reply = set_roster(&roster, 0);
    attack_check(row(KEEPER_ROW_ROSTER_SET), &reply, KW_E_INPUT, "not a DER");
}

/* A second ceremony by a gate that starts the keeper so changes nothing. */
static void a_ceremony_frees_nobody(void **state)
{
    struct roster roster;

    (void)state;
    rig_roster(&roster);
    roster.rules[0].needed = 1;
    assert_int_equal(rig_end(attack_rig), 0);
    rig_start(attack_rig, /* ceremony= */ true);
    struct keeper_reply reply = set_roster(&roster, 0);
    assert_string_equal(kw_code_text(reply.code), "approval_needed");
    reply = destroy("ocsp", REASON, 0);
    assert_string_equal(kw_code_text(reply.code), "approval_needed");
    assert_int_equal(rig_end(attack_rig), 0);
    rig_start(attack_rig, /* ceremony= */ false);
}

int main(void)
{
    static struct attack_suite suite;

    for (size_t i = 0; i < KW_COUNT(attacks); i++) {
        attack_add(&suite, attacks[i].name, run_attack, &attacks[i]);
    }
    attack_add(&suite, "one_bit_of_the_text", one_bit_of_the_text, NULL);
    attack_add(&suite, "reused_for_the_same_again", reused_for_the_same_again, NULL);
    attack_add(&suite, "destroyed_without_enough", destroyed_without_enough, NULL);
    attack_add(&suite, "approved_for_something_else", approved_for_something_else, NULL);
    attack_add(&suite, "asked_by_nobody", asked_by_nobody, NULL);
    attack_add(&suite, "a_flood_hinders_nobody_else", a_flood_hinders_nobody_else, NULL);
    attack_add(&suite, "the_roster_is_nobodys", the_roster_is_nobodys, NULL);
    attack_add(&suite, "a_ceremony_frees_nobody", a_ceremony_frees_nobody, NULL);
    attack_add(&suite, "used_once", used_once, NULL);
    return attack_run_people("hostile_keeper_approvals", &suite);
}
