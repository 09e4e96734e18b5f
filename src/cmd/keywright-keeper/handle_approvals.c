/* ROSTER_SET, ROSTER_AT, APPROVAL_OPEN, APPROVAL_SIGN, APPROVAL_AT, APPROVAL_CANCEL,
 * APPROVAL_USE. */
#include "cmd/keywright-keeper/approvals.h"
#include "cmd/keywright-keeper/server.h"

kw_status handle_roster_set(struct kw_op *op, struct server *server, struct request *request)
{
    const struct keeper_msg *msg = request->msg;
    struct roster roster;

    ENSURE(op, kw_ok(roster_decode(msg->roster_set.roster, &roster)), KW_E_INPUT,
           "roster: it does not decode");
    TRY(op, approvals_set_roster(op, server->keyring, &roster, msg->roster_set.approval_id,
                                 server->mode == KEEPER_CEREMONY, request->now_unix));
    request->answer.roster.version = server->keyring->approvals->version;
    return KW_OK;
}

kw_status handle_roster_at(struct kw_op *op, struct server *server, struct request *request)
{
    const struct approvals *approvals = server->keyring->approvals;
    const struct roster *roster = &approvals->roster;
    struct keeper_roster_row *row = &request->answer.roster;
    bool rule = request->msg->roster_at.rule;
    uint32_t index = request->msg->roster_at.index;

    ENSURE(op, index < (rule ? roster->n_rules : roster->n), KW_E_NOT_FOUND,
           "there are %u approvers and %u rules", roster->n, roster->n_rules);
    *row = (struct keeper_roster_row){
        .version = approvals->version, .n = roster->n, .n_rules = roster->n_rules, .rule = rule};
    if (rule) {
        row->approval_rule = roster->rules[index];
    } else {
        row->approver = roster->at[index];
    }
    return KW_OK;
}

/* The text lies in request->octets. */
static kw_status show(struct kw_op *op, const struct server *server,
                      const struct approval_record *record, struct request *request)
{
    const struct approvals *approvals = server->keyring->approvals;
    struct keeper_approval *info = &request->answer.approval.info;
    struct kw_out text = {.p = request->octets, .cap = APPROVAL_TEXT_MAX};
    struct approval_rule rule = {.needed = record->what.needed, .roles = record->what.roles};

    _Static_assert(APPROVAL_TEXT_MAX + 1024 <= sizeof(request->octets), "room");
    _Static_assert((int)APPROVALS_SIGNERS_MAX == (int)KEEPER_SIGNERS_MAX, "all of them");
    if (record->state == APPROVAL_OPEN &&
        !kw_ok(approvals_needed(op, approvals, &record->what.subject, record->what.requester,
                                &rule))) {
        kw_op_clear(op); /* the rule is gone: what it said is shown */
    }
    TRY(op, approval_text(&record->what, &text), "the request's text");
    request->answer.approval.text = kw_out_span(&text);
    *info = (struct keeper_approval){.state = record->state,
                                     .have = approvals_count(approvals, record, rule.roles),
                                     .needed = rule.needed,
                                     .n = record->n};
    for (unsigned i = 0; i < record->n; i++) {
        info->signers[i].verdict = record->signers[i].verdict;
        info->signers[i].unix_s = record->signers[i].unix_s;
        memcpy(info->signers[i].name, record->signers[i].name, KW_NAME_MAX);
    }
    return KW_OK;
}

kw_status handle_approval_open(struct kw_op *op, struct server *server, struct request *request)
{
    const struct keeper_msg *msg = request->msg;
    struct approval_record *record = NULL;

    TRY(op, approvals_open(op, server->keyring, &msg->approval_open.subject,
                           msg->approval_open.requester, request->now_unix, &record));
    return show(op, server, record, request);
}

kw_status handle_approval_sign(struct kw_op *op, struct server *server, struct request *request)
{
    const struct keeper_msg *msg = request->msg;
    struct approval_record *record = NULL;

    TRY(op, approvals_sign(op, server->keyring, msg->approval_sign.id, msg->approval_sign.verdict,
                           msg->approval_sign.name, msg->approval_sign.signature, request->now_unix,
                           &record));
    return show(op, server, record, request);
}

kw_status handle_approval_at(struct kw_op *op, struct server *server, struct request *request)
{
    const struct keeper_msg *msg = request->msg;
    struct approvals *approvals = server->keyring->approvals;

    approvals_expire(approvals, request->now_unix);
    const struct approval_record *record =
        approvals_find(approvals, msg->approval_at.id, msg->approval_at.next);
    ENSURE(op, record, KW_E_NOT_FOUND, "approval: there is no request %llu",
           (unsigned long long)msg->approval_at.id);
    return show(op, server, record, request);
}

kw_status handle_approval_cancel(struct kw_op *op, struct server *server, struct request *request)
{
    struct approval_record *record = NULL;

    TRY(op, approvals_cancel(op, server->keyring, request->msg->approval_at.id, request->now_unix,
                             &record));
    return show(op, server, record, request);
}

/* Of what the server does by itself, and only of that: everything else uses its approval where it
 * is done, with the key. */
kw_status handle_approval_use(struct kw_op *op, struct server *server, struct request *request)
{
    const struct keeper_msg *msg = request->msg;

    const enum approval_op deed = msg->approval_use.subject.op;

    ENSURE(op, deed == APPROVE_REVOKE_PLAN || deed == APPROVE_DEVICE_WIPE, KW_E_DENIED,
           "approval: %s is approved where it is done", approval_op_text(deed));
    return approvals_require(op, server, &msg->approval_use.subject, msg->approval_use.id);
}
