/* Who approves what: changed under its own rule. */
#include "cmd/keywright-keeper/approvals.h"
#include "cmd/keywright-keeper/keyring.h"
#include "crypto/digest.h"
#include "crypto/pubkey.h"

static kw_status check_keys(struct kw_op *op, const struct roster *roster)
{
    for (unsigned i = 0; i < roster->n; i++) {
        AUTO(pubkey) *key = NULL;
        TRY(op, pubkey_parse(op, KW_SPAN(roster->at[i].spki, roster->at[i].spki_len), &key),
            "roster: the key of '%s'", roster->at[i].name);
    }
    return KW_OK;
}

static const struct approval_rule *rule_like(const struct roster *roster,
                                             const struct approval_rule *rule)
{
    const struct approval_rule *found = roster_rule(roster, rule->op, rule->class_);

    return found && found->class_ == rule->class_ ? found : NULL;
}

/* What cannot be met already may stay so: a vault begins with one person. */
static kw_status check_rules(struct kw_op *op, const struct roster *from, const struct roster *to)
{
    for (unsigned i = 0; i < to->n_rules; i++) {
        const struct approval_rule *rule = &to->rules[i];
        const struct approval_rule *before = rule_like(from, rule);
        ENSURE(op, roster_can_meet(to, rule) || (before && !roster_can_meet(from, before)),
               KW_E_STATE, "roster: with these people nobody could approve %s any more",
               approval_op_text(rule->op));
    }
    return KW_OK;
}

static kw_status check_last(struct kw_op *op, const struct roster *from, const struct roster *to)
{
    const struct approval_rule *rule = roster_rule(to, APPROVE_ROSTER, KEY_CLASS_NONE);

    ENSURE(op, rule && (roster_count(to, rule->roles) > 0 || roster_count(from, rule->roles) == 0),
           KW_E_STATE, "roster: the last who may approve its changes cannot go");
    return KW_OK;
}

static kw_status check_approved(struct kw_op *op, struct keyring *keyring, const struct roster *to,
                                uint64_t approval_id, int64_t now_unix)
{
    const struct roster *from = &keyring->approvals->roster;
    const struct approval_rule *rule = roster_rule(from, APPROVE_ROSTER, KEY_CLASS_NONE);
    struct approval_subject subject;

    kw_status status = roster_change(from, to, digest_sha256, &subject);
    ENSURE(op, kw_ok(status), status.code, "roster: %s",
           status.code == KW_E_INPUT ? "nothing would change"
                                     : "too much changes at once; do it in smaller steps");
    ENSURE(op, (rule && roster_can_meet(from, rule)) || roster_only_adds(from, to), KW_E_DENIED,
           "roster: with so few people it can only grow; enrol more first");
    return approvals_consume(op, keyring, &subject, approval_id, /* ceremony= */ false, now_unix);
}

kw_status approvals_set_roster(struct kw_op *op, struct keyring *keyring,
                               const struct roster *roster, uint64_t approval_id, bool ceremony,
                               int64_t now_unix)
{
    struct approvals *approvals = keyring->approvals;
    bool first = approvals->version == 0;

    TRY(op, check_keys(op, roster));
    TRY(op, check_last(op, &approvals->roster, roster));
    ENSURE(op, !first || ceremony, KW_E_DENIED, "roster: the first one is set in the ceremony");
    if (!first) {
        TRY(op, check_rules(op, &approvals->roster, roster));
        TRY(op, check_approved(op, keyring, roster, approval_id, now_unix));
    }
    struct roster before = approvals->roster;
    approvals->roster = *roster;
    kw_status status = approvals_save(op, keyring);
    if (!kw_ok(status) && status.code != KW_E_UNSURE) {
        approvals->roster = before;
    }
    return status;
}
