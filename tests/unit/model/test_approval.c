/* What people sign, and who they are. */
#include <stdio.h>
#include <stdlib.h>

#include "../base/check.h"
#include "model/approval.h"
#include "model/roster.h"

static const char text[] = "keywright approval v1\n"
                           "vault: 000102030405060708090a0b0c0d0e0f\n"
                           "request: 7\n"
                           "operation: key-destroy\n"
                           "meaning: destroy a key, for ever; its id never comes back\n"
                           "key: kek-1\n"
                           "class: data-kek\n"
                           "reason: 金鑰到期\n"
                           "requester: alice\n"
                           "approvals: 2 of security-officer,auditor\n"
                           "opened: 2026-11-21T02:22:42Z\n"
                           "deadline: 2026-11-22T02:22:42Z\n"
                           "nonce: ffffffffffffffffffffffffffffff00\n";

static void the_text_says_everything(void **state)
{
    struct approval_description what, again;
    uint8_t room[APPROVAL_TEXT_MAX];
    struct kw_out out = KW_OUT_ARRAY(room);

    (void)state;
    assert_ok(approval_text_parse(kw_span_text(text), &what));
    assert_int_equal(what.id, 7);
    assert_int_equal(what.subject.op, APPROVE_KEY_DESTROY);
    assert_int_equal(what.subject.class_, KEY_CLASS_KEK);
    assert_string_equal(what.subject.key_id, "kek-1");
    assert_int_equal(what.subject.n, 1);
    assert_string_equal(what.subject.details[0].value, "金鑰到期");
    assert_string_equal(what.requester, "alice");
    assert_int_equal(what.needed, 2);
    assert_int_equal(what.roles, ROLE_SECURITY_OFFICER | ROLE_AUDITOR);
    assert_int_equal(what.deadline - what.opened, 86400);
    assert_ok(approval_text(&what, &out));
    assert_span(kw_out_span(&out), text);
    what.nonce[15] ^= 1;
    assert_ok(approval_text(&what, &out));
    assert_ok(approval_text_parse(kw_out_span(&out), &again));
    assert_memory_not_equal(again.nonce, room, 1);
    assert_false(kw_span_equal(kw_out_span(&out), kw_span_text(text)));
}

/* The text with one piece replaced. */
static void replaced(const char *from, const char *to, char *ret, size_t cap)
{
    const char *at = strstr(text, from);

    assert_non_null(at);
    (void)snprintf(ret, cap, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
}

static void other_texts_are_none(void **state)
{
    static const struct {
        const char *from, *to;
    } rows[] = {
        {"v1\n",                                 "v2\n"                                },
        {"v1\n",                                 "v1 \n"                               },
        {"request: 7",                           "request: 07"                         },
        {"request: 7",                           "request: -7"                         },
        {"request: 7",                           "request:7"                           },
        {"key-destroy",                          "key-forget"                          },
        {"for ever",                             "for a while"                         },
        {"class: data-kek",                      "class: data-key"                     },
        {"class: data-kek",                      "class: none"                         },
        {"requester: alice\n",                   ""                                    },
        {"requester: alice\n",                   "requester: alice\nrequester: bob\n"  },
        {"reason: ",                             "reason:  "                           },
        {"reason: ",                             "Reason: "                            },
        {"reason: ",                             "nonce: "                             },
        {"金鑰",                                 "\xe9\x87"                            },
        {"金鑰",                                 "a\tb"                                },
        {"金鑰",                                 "a\x7f"                               },
        {"金鑰到期",                             ""                                    },
        {"金鑰",                                 "safe\xe2\x80\xaegnihton"             },
        {"金鑰",                                 "\xe2\x80\x8b"                        },
        {"金鑰",                                 "\xef\xbb\xbf"                        },
        {"2 of",                                 "9 of"                                },
        {"2 of",                                 "2  of"                               },
        {"security-officer,auditor",             "auditor,security-officer"            },
        {"security-officer,auditor",             "auditor,auditor"                     },
        {"T02:22:42Z\ndeadline",                 "T02:22:42.000Z\ndeadline"            },
        {"2026-11-22",                           "2026-11-20"                          },
        {"ff00\n",                               "FF00\n"                              },
        {"ff00\n",                               "ff00"                                },
        {"ff00\n",                               "ff00\n\n"                            },
        {"ff00\n",                               "ff00\nmore: x\n"                     },
        {"\nrequest: 7\noperation: key-destroy", "\noperation: key-destroy\nrequest: 7"},
    };
    struct approval_description what;
    char room[1024];

    (void)state;
    for (size_t i = 0; i < KW_COUNT(rows); i++) {
        replaced(rows[i].from, rows[i].to, room, sizeof(room));
        if (kw_ok(approval_text_parse(kw_span_text(room), &what))) {
            fail_msg("'%s' for '%s' was taken", rows[i].to, rows[i].from);
        }
    }
    for (size_t n = 0; n + 1 < sizeof(text); n++) {
        assert_code(approval_text_parse(KW_SPAN(text, n), &what), KW_E_INPUT);
    }
}

static void subjects_are_told_or_refused(void **state)
{
    struct approval_subject subject = approval_subject_of(APPROVE_KEY_CREATE, KEY_CLASS_KEK, "k");

    (void)state;
    assert_ok(approval_subject_check(&subject));
    for (unsigned i = 0; i < APPROVAL_DETAILS_MAX; i++) {
        char name[8];
        (void)snprintf(name, sizeof(name), "d%u", i);
        approval_detail(&subject, name, "x");
    }
    assert_ok(approval_subject_check(&subject));
    struct approval_subject other = subject;
    assert_true(approval_subject_equal(&subject, &other));
    other.details[11].value[0] = 'y';
    assert_false(approval_subject_equal(&subject, &other));
    approval_detail(&subject, "one-more", "x");
    assert_code(approval_subject_check(&subject), KW_E_INPUT);
    subject = approval_subject_of(APPROVE_KEY_CREATE, KEY_CLASS_KEK, "k");
    approval_detail(&subject, "long", "%0200d", 1);
    assert_code(approval_subject_check(&subject), KW_E_INPUT);
    subject = approval_subject_of(APPROVE_KEY_CREATE, KEY_CLASS_KEK, "-");
    assert_code(approval_subject_check(&subject), KW_E_INPUT);
}

/* --- the roster --------------------------------------------------------------------------------
 */

static void fake_hash(struct kw_span octets, uint8_t ret[KW_HASH_BYTES])
{
    memset(ret, octets.len > 0 ? octets.p[octets.len - 1] : 0, KW_HASH_BYTES);
}

static void add_person(struct roster *roster, const char *name, uint32_t roles)
{
    struct approver *who = &roster->at[roster->n++];

    memset(who, 0, sizeof(*who));
    assert_true(KW_TEXT_SET(who->name, name));
    who->roles = roles;
    who->spki_len = (uint32_t)strlen(name);
    memcpy(who->spki, name, strlen(name));
}

static struct roster small(void)
{
    struct roster roster = {
        .n_rules = 2,
        .rules = {{APPROVE_ROSTER, KEY_CLASS_NONE, 2, ROLE_SECURITY_OFFICER, 3600},
                  {APPROVE_KEY_DESTROY, KEY_CLASS_KEK, 1, ROLE_AUDITOR, 3600}}
    };

    add_person(&roster, "alice", ROLE_SECURITY_OFFICER);
    add_person(&roster, "bob", ROLE_SECURITY_OFFICER);
    return roster;
}

static void changes_are_said_in_words(void **state)
{
    struct roster from = small(), to = small();
    struct approval_subject subject;

    (void)state;
    assert_code(roster_change(&from, &to, fake_hash, &subject), KW_E_INPUT);
    add_person(&to, "carol", ROLE_SECURITY_OFFICER | ROLE_AUDITOR);
    assert_true(roster_only_adds(&from, &to));
    to.rules[1].needed = 0;
    assert_false(roster_only_adds(&from, &to));
    memmove(&to.at[1], &to.at[2], sizeof(to.at[1]));
    to.n--;
    assert_ok(roster_change(&from, &to, fake_hash, &subject));
    assert_string_equal(subject.details[0].value,
                        "bob as security-officer, key 62626262626262626262626262626262");
    assert_string_equal(subject.details[1].name, "add-2");
    assert_string_equal(subject.details[2].value,
                        "key-destroy of data-kek: 0 of auditor within 3600 s");
    assert_string_equal(subject.details[3].name, "whole");
}

static void rules_are_met_by_others(void **state)
{
    struct roster roster = small();

    (void)state;
    assert_false(roster_can_meet(&roster, &roster.rules[0]));
    assert_false(roster_can_meet(&roster, &roster.rules[1]));
    add_person(&roster, "carol", ROLE_AUDITOR);
    assert_true(roster_can_meet(&roster, &roster.rules[0]));
    assert_true(roster_can_meet(&roster, &roster.rules[1]));
    assert_null(roster_rule(&roster, APPROVE_KEY_DESTROY, KEY_CLASS_ISSUING_CA));
    assert_ptr_equal(roster_rule(&roster, APPROVE_ROSTER, KEY_CLASS_KEK), &roster.rules[0]);
}

static void rosters_that_are_none(void **state)
{
    uint8_t room[ROSTER_ENCODED_MAX];
    struct kw_out out = KW_OUT_ARRAY(room);
    struct roster roster = small(), back;

    (void)state;
    assert_ok(roster_encode(&roster, &out));
    assert_ok(roster_decode(kw_out_span(&out), &back));
    assert_memory_equal(&roster, &back, sizeof(roster));
    memcpy(roster.at[1].spki, roster.at[0].spki, sizeof(roster.at[0].spki));
    roster.at[1].spki_len = roster.at[0].spki_len;
    assert_code(roster_encode(&roster, &out), KW_E_INPUT); /* one key, two names */
    roster = small();
    roster.rules[0].needed = 0;
    assert_code(roster_encode(&roster, &out), KW_E_INPUT); /* nobody guards the roster */
    roster = small();
    roster.at[0].roles = 0;
    assert_code(roster_encode(&roster, &out), KW_E_INPUT);
    roster = small();
    roster.rules[1] = roster.rules[0];
    assert_code(roster_encode(&roster, &out), KW_E_INPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_text_says_everything),     cmocka_unit_test(other_texts_are_none),
        cmocka_unit_test(subjects_are_told_or_refused), cmocka_unit_test(changes_are_said_in_words),
        cmocka_unit_test(rules_are_met_by_others),      cmocka_unit_test(rosters_that_are_none),
    };

    return cmocka_run_group_tests_name("approval", tests, NULL, NULL);
}
