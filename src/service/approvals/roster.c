#include "service/approvals/roster.h"

#include "crypto/digest.h"

void roster_key_hash(const struct approver *who, uint8_t ret[KW_HASH_BYTES])
{
    digest_sha256(KW_SPAN(who->spki, who->spki_len), ret);
}

/* Try it; where it needs approval, ask for it. */
static kw_status change(struct kw_op *op, struct service *service, struct keeper *keeper,
                        const struct roster *from, const struct roster *to,
                        struct keeper_approval *ret)
{
    uint8_t octets[ROSTER_ENCODED_MAX];
    struct kw_out encoded = KW_OUT_ARRAY(octets);
    struct approval_subject subject;

    kw_status status = keeper_roster_set(op, keeper, to, 0);
    if (status.code != KW_E_APPROVAL) {
        return status;
    }
    kw_op_clear(op);
    ENSURE(op, kw_ok(roster_change(from, to, digest_sha256, &subject)), KW_E_TOO_LARGE,
           "too much changes at once");
    TRY(op, roster_encode(to, &encoded), "the new roster");
    TRY(op, approval_ask_in(op, service, keeper, &subject, kw_out_span(&encoded), ret));
    return FAIL(op, KW_E_APPROVAL, "request %llu waits for approval",
                (unsigned long long)ret->number);
}

kw_status roster_enroll(struct kw_op *op, struct service *service, struct keeper *keeper,
                        const char *name, uint32_t roles, struct kw_span spki,
                        struct keeper_approval *ret)
{
    struct roster from, to;

    TRY(op, keeper_roster(op, keeper, &from));
    to = from;
    ENSURE(op, !roster_find(&from, name), KW_E_CONFLICT, "'%.60s' is enrolled already", name);
    ENSURE(op, to.n < ROSTER_MAX, KW_E_LIMIT, "at most %d people approve", ROSTER_MAX);
    ENSURE(op, strlen(name) <= ROSTER_NAME_LEN && spki.len <= ROSTER_SPKI_MAX, KW_E_INPUT,
           "the name (at most %d octets) or the key is too long", ROSTER_NAME_LEN);
    struct approver *who = &to.at[to.n++];
    memset(who, 0, sizeof(*who));
    who->roles = roles;
    who->spki_len = (uint32_t)spki.len;
    memcpy(who->spki, spki.p, spki.len);
    ENSURE(op, KW_TEXT_SET(who->name, name), KW_E_INPUT, "the name is too long");
    return change(op, service, keeper, &from, &to, ret);
}

kw_status roster_dismiss(struct kw_op *op, struct service *service, struct keeper *keeper,
                         const char *name, struct keeper_approval *ret)
{
    struct roster from, to;

    TRY(op, keeper_roster(op, keeper, &from));
    const struct approver *who = roster_find(&from, name);
    ENSURE(op, who, KW_E_NOT_FOUND, "'%.60s' is not enrolled", name);
    size_t i = (size_t)(who - from.at);
    to = from;
    memmove(&to.at[i], &to.at[i + 1], (to.n - i - 1) * sizeof(to.at[0]));
    memset(&to.at[--to.n], 0, sizeof(to.at[0]));
    return change(op, service, keeper, &from, &to, ret);
}

kw_status roster_set_rule(struct kw_op *op, struct service *service, struct keeper *keeper,
                          const struct approval_rule *rule, struct keeper_approval *ret)
{
    struct roster from, to;
    unsigned i = 0;

    TRY(op, keeper_roster(op, keeper, &from));
    to = from;
    while (i < to.n_rules && (to.rules[i].op != rule->op || to.rules[i].class_ != rule->class_)) {
        i++;
    }
    ENSURE(op, i < ROSTER_RULES_MAX, KW_E_LIMIT, "at most %d rules", ROSTER_RULES_MAX);
    to.rules[i] = *rule;
    to.n_rules = i < to.n_rules ? to.n_rules : i + 1;
    return change(op, service, keeper, &from, &to, ret);
}

kw_status roster_execute(struct kw_op *op, struct service *service,
                         const struct keeper_approval *approval, struct kw_span args)
{
    struct roster roster;

    ENSURE(op, kw_ok(roster_decode(args, &roster)), KW_E_INTEGRITY,
           "the roster that was asked for is damaged");
    uint64_t place = approval->number / APPROVAL_VAULT_STEP;
    ENSURE(op, place < service->n_vaults, KW_E_INTERNAL, "no such vault");
    return keeper_roster_set(op, service->vaults[place], &roster, approval->what.id);
}
