/* The gate's calls of two-person control, each one message. */
#include "keeper/client.h"

static kw_status ask(struct kw_op *op, struct keeper *keeper, enum keeper_row_index row,
                     struct keeper_msg *msg, struct keeper_approval *ret)
{
    struct channel_room room;
    struct keeper_answer answer;

    TRY(op, keeper_call(op, keeper, row, msg, -1, &room, &answer));
    *ret = answer.approval.info;
    return KW_OK;
}

kw_status keeper_approval_open(struct kw_op *op, struct keeper *keeper,
                               const struct approval_subject *subject, const char *requester,
                               struct keeper_approval *ret)
{
    struct keeper_msg msg = {.approval_open = {.subject = *subject}};

    ENSURE(op, kw_ok(approval_subject_check(subject)), KW_E_INPUT,
           "the operation '%s' cannot be described to those who approve it",
           approval_op_text(subject->op));
    ENSURE(op, KW_TEXT_SET(msg.approval_open.requester, requester), KW_E_INPUT,
           "the requester's name is too long");
    memcpy(msg.key_id, subject->key_id, sizeof(msg.key_id));
    return ask(op, keeper, KEEPER_ROW_APPROVAL_OPEN, &msg, ret);
}

kw_status keeper_approval_sign(struct kw_op *op, struct keeper *keeper, uint64_t id,
                               enum approval_verdict verdict, const char *name,
                               struct kw_span signature, struct keeper_approval *ret)
{
    struct keeper_msg msg = {
        .approval_sign = {.id = id, .verdict = verdict, .signature = signature}
    };

    ENSURE(op, verdict >= APPROVAL_REQUEST && verdict < APPROVAL_VERDICT_MAX, KW_E_INPUT,
           "no such verdict");
    ENSURE(op, KW_TEXT_SET(msg.approval_sign.name, name), KW_E_INPUT, "the name is too long");
    ENSURE(op, signature.len <= KW_SIG_MAX, KW_E_INPUT, "the signature is too long");
    return ask(op, keeper, KEEPER_ROW_APPROVAL_SIGN, &msg, ret);
}

kw_status keeper_approval_at(struct kw_op *op, struct keeper *keeper, uint64_t id, bool next,
                             struct keeper_approval *ret)
{
    struct keeper_msg msg = {
        .approval_at = {.id = id, .next = next}
    };

    return ask(op, keeper, KEEPER_ROW_APPROVAL_AT, &msg, ret);
}

kw_status keeper_approval_cancel(struct kw_op *op, struct keeper *keeper, uint64_t id,
                                 struct keeper_approval *ret)
{
    struct keeper_msg msg = {.approval_at = {.id = id}};

    return ask(op, keeper, KEEPER_ROW_APPROVAL_CANCEL, &msg, ret);
}

kw_status keeper_approval_use(struct kw_op *op, struct keeper *keeper,
                              const struct approval_subject *subject, uint64_t approval_id)
{
    struct keeper_msg msg = {
        .approval_use = {.id = approval_id, .subject = *subject}
    };
    struct channel_room room;
    struct keeper_answer answer;

    ENSURE(op, kw_ok(approval_subject_check(subject)), KW_E_INPUT,
           "the operation '%s' cannot be described to those who approve it",
           approval_op_text(subject->op));
    memcpy(msg.key_id, subject->key_id, sizeof(msg.key_id));
    return keeper_call(op, keeper, KEEPER_ROW_APPROVAL_USE, &msg, -1, &room, &answer);
}

kw_status keeper_roster_set(struct kw_op *op, struct keeper *keeper, const struct roster *roster,
                            uint64_t approval_id)
{
    uint8_t octets[ROSTER_ENCODED_MAX];
    struct kw_out encoded = KW_OUT_ARRAY(octets);
    struct channel_room room;
    struct keeper_answer answer;

    ENSURE(
        op, kw_ok(roster_encode(roster, &encoded)), KW_E_INPUT,
        "this roster is none: a name or key twice, a role or number out of range, or no rule for "
        "changes of the roster itself");
    struct keeper_msg msg = {
        .roster_set = {.approval_id = approval_id, .roster = kw_out_span(&encoded)}
    };
    return keeper_call(op, keeper, KEEPER_ROW_ROSTER_SET, &msg, -1, &room, &answer);
}

static kw_status row_at(struct kw_op *op, struct keeper *keeper, bool rule, uint32_t index,
                        uint64_t *version, struct keeper_roster_row *ret)
{
    struct keeper_msg msg = {
        .roster_at = {.rule = rule, .index = index}
    };
    struct channel_room room;
    struct keeper_answer answer;

    TRY(op, keeper_call(op, keeper, KEEPER_ROW_ROSTER_AT, &msg, -1, &room, &answer));
    ENSURE(op, answer.roster.rule == rule, KW_E_DEVICE, "the keeper sent another row");
    ENSURE(op, *version == 0 || answer.roster.version == *version, KW_E_CONFLICT,
           "the approvals changed meanwhile; ask again");
    *version = answer.roster.version;
    *ret = answer.roster;
    return KW_OK;
}

/* A roster always has a rule: for its own changes. */
kw_status keeper_roster(struct kw_op *op, struct keeper *keeper, struct roster *ret)
{
    struct roster roster = {0};
    struct keeper_roster_row row;
    uint64_t version = 0;
    kw_status status = row_at(op, keeper, /* rule= */ true, 0, &version, &row);

    if (status.code == KW_E_NOT_FOUND) {
        kw_op_clear(op);
        *ret = roster;
        return KW_OK;
    }
    TRY(op, status);
    roster.n = row.n;
    roster.n_rules = row.n_rules;
    for (uint32_t i = 0; i < roster.n_rules; i++) {
        TRY(op, row_at(op, keeper, /* rule= */ true, i, &version, &row));
        roster.rules[i] = row.approval_rule;
    }
    for (uint32_t i = 0; i < roster.n; i++) {
        TRY(op, row_at(op, keeper, /* rule= */ false, i, &version, &row));
        roster.at[i] = row.approver;
    }
    *ret = roster;
    return KW_OK;
}
