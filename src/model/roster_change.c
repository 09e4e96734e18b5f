/* What differs between two rosters, said in words. */
#include <stdio.h>

#include "base/hex.h"
#include "base/op.h"
#include "model/roster.h"

enum { KEY_HEX = 32 }; /* digits of a key's hash that are shown: 128 bits */

struct change {
    const struct roster *from, *to;
    roster_hash_fn hash;
    struct approval_subject *subject;
    unsigned n;
};

static bool same_approver(const struct approver *a, const struct approver *b)
{
    return strcmp(a->name, b->name) == 0 && a->roles == b->roles &&
           kw_span_equal(KW_SPAN(a->spki, a->spki_len), KW_SPAN(b->spki, b->spki_len));
}

static bool same_rule(const struct approval_rule *a, const struct approval_rule *b)
{
    return a->op == b->op && a->class_ == b->class_ && a->needed == b->needed &&
           a->roles == b->roles && a->deadline_s == b->deadline_s;
}

static const struct approval_rule *exact_rule(const struct roster *roster,
                                              const struct approval_rule *like)
{
    for (unsigned i = 0; i < roster->n_rules; i++) {
        if (roster->rules[i].op == like->op && roster->rules[i].class_ == like->class_) {
            return &roster->rules[i];
        }
    }
    return NULL;
}

static void say(struct change *change, const char *what, const char *text)
{
    char name[APPROVAL_DETAIL_NAME];

    (void)snprintf(name, sizeof(name), "%s-%u", what, ++change->n);
    approval_detail(change->subject, name, "%s", text);
}

static void say_approver(struct change *change, const char *what, const struct approver *approver)
{
    char roles[ROLE_TEXT_MAX], hex[KEY_HEX + 1], text[256];
    uint8_t id[KW_HASH_BYTES];

    change->hash(KW_SPAN(approver->spki, approver->spki_len), id);
    (void)snprintf(text, sizeof(text), "%s as %s, key %s", approver->name,
                   approval_roles_text(approver->roles, roles),
                   kw_hex(KW_SPAN(id, KEY_HEX / 2), hex, sizeof(hex)));
    say(change, what, text);
}

static void say_rule(struct change *change, const char *what, const struct approval_rule *rule)
{
    char roles[ROLE_TEXT_MAX], text[256];
    bool any = rule->class_ == KEY_CLASS_NONE;

    (void)snprintf(text, sizeof(text), "%s of %s: %u of %s within %u s", approval_op_text(rule->op),
                   any ? "any class" : key_class_text(rule->class_), (unsigned)rule->needed,
                   approval_roles_text(rule->roles, roles), (unsigned)rule->deadline_s);
    say(change, what, text);
}

static void say_approvers(struct change *change)
{
    for (unsigned i = 0; i < change->from->n; i++) {
        if (!roster_find(change->to, change->from->at[i].name)) {
            say_approver(change, "remove", &change->from->at[i]);
        }
    }
    for (unsigned i = 0; i < change->to->n; i++) {
        const struct approver *now = &change->to->at[i];
        const struct approver *before = roster_find(change->from, now->name);
        if (!before || !same_approver(before, now)) {
            say_approver(change, before ? "change" : "add", now);
        }
    }
}

static void say_rules(struct change *change)
{
    for (unsigned i = 0; i < change->from->n_rules; i++) {
        if (!exact_rule(change->to, &change->from->rules[i])) {
            say_rule(change, "remove-rule", &change->from->rules[i]);
        }
    }
    for (unsigned i = 0; i < change->to->n_rules; i++) {
        const struct approval_rule *now = &change->to->rules[i];
        const struct approval_rule *before = exact_rule(change->from, now);
        if (!before || !same_rule(before, now)) {
            say_rule(change, before ? "change-rule" : "add-rule", now);
        }
    }
}

bool roster_only_adds(const struct roster *from, const struct roster *to)
{
    if (from->n_rules != to->n_rules) {
        return false;
    }
    for (unsigned i = 0; i < from->n; i++) {
        const struct approver *now = roster_find(to, from->at[i].name);
        if (!now || !same_approver(now, &from->at[i])) {
            return false;
        }
    }
    for (unsigned i = 0; i < from->n_rules; i++) {
        const struct approval_rule *now = exact_rule(to, &from->rules[i]);
        if (!now || !same_rule(now, &from->rules[i])) {
            return false;
        }
    }
    return true;
}

kw_status roster_change(const struct roster *from, const struct roster *to, roster_hash_fn hash,
                        struct approval_subject *ret)
{
    struct approval_subject subject = approval_subject_of(APPROVE_ROSTER, KEY_CLASS_NONE, NULL);
    struct change change = {.from = from, .to = to, .hash = hash, .subject = &subject};
    uint8_t octets[ROSTER_ENCODED_MAX], digest[KW_HASH_BYTES];
    struct kw_out encoded = KW_OUT_ARRAY(octets);

    TRY(NULL, roster_encode(to, &encoded));
    say_approvers(&change);
    say_rules(&change);
    ENSURE(NULL, change.n > 0, KW_E_INPUT);
    hash(kw_out_span(&encoded), digest);
    approval_detail_hex(&subject, "whole", KW_SPAN_ARRAY(digest));
    ENSURE(NULL, kw_ok(approval_subject_check(&subject)), KW_E_TOO_LARGE);
    *ret = subject;
    return KW_OK;
}
