/* KEY_ROTATE, KEY_STEP, KEY_HISTORY, KEY_POLICY, JOURNAL_READ: a key's life and what it did. */
#include "cmd/keywright-keeper/handle_keys.h"
#include "cmd/keywright-keeper/server.h"
#include "keeper/subjects.h"

static kw_status find(struct kw_op *op, const struct server *server, const char *key_id,
                      struct keeper_key **ret)
{
    *ret = keyring_find(server->keyring, key_id);
    ENSURE(op, *ret || !state_find(server->keyring->state, key_id), KW_E_STATE,
           "state: the key is destroyed");
    ENSURE(op, *ret, KW_E_NOT_FOUND, "key: there is no key '%s'", key_id);
    return KW_OK;
}

/* The log goes on under another name, as the old one may never be signed anew. */
static kw_status begin_line(struct kw_op *op, struct server *server, struct request *request)
{
    struct key_cause cause = request_cause(request, "a new line of the log");
    struct keeper_key *key = NULL;
    struct keeper_key *next = NULL;

    ENSURE(op, server->mode == KEEPER_CEREMONY, KW_E_STATE,
           "line: a log gets a new line in a ceremony alone");
    TRY(op, find(op, server, request->msg->key_id, &key));
    const struct key_record *record = state_find(server->keyring->state, request->msg->key_id);
    struct approval_subject subject =
        subject_log_line(request->msg->key_id, record ? record->tree_size : 0);
    TRY(op, approvals_require(op, server, &subject, request->msg->key_rotate.approval_id));
    TRY(op, keyring_line(op, server->keyring, key, &cause, &next), "a new line after '%s'",
        request->msg->key_id);
    return describe_key(op, server->keyring, next, &request->answer.key);
}

kw_status handle_key_rotate(struct kw_op *op, struct server *server, struct request *request)
{
    const struct keeper_msg *msg = request->msg;
    struct key_cause cause = request_cause(request, "rotation");
    struct keeper_key *key = NULL;
    struct keeper_key *next = NULL;

    if (msg->key_rotate.new_line) {
        return begin_line(op, server, request);
    }
    TRY(op, find(op, server, msg->key_id, &key));
    TRY(op, keyring_settle(op, server->keyring, key, request->now_unix));
    struct approval_subject subject = subject_key_rotate(key->policy.class_, msg->key_id);
    TRY(op, approvals_require(op, server, &subject, msg->key_rotate.approval_id));
    TRY(op, keyring_rotate(op, server->keyring, key, &cause, &next), "rotating key '%s'",
        msg->key_id);
    return describe_key(op, server->keyring, next, &request->answer.key);
}

kw_status handle_key_step(struct kw_op *op, struct server *server, struct request *request)
{
    const struct keeper_msg *msg = request->msg;
    struct key_cause cause = request_cause(request, msg->key_step.reason);
    struct keeper_key *key = NULL;

    TRY(op, find(op, server, msg->key_id, &key));
    if (msg->key_step.event == KEY_EVENT_COMPROMISE) {
        struct approval_subject subject =
            subject_key_revoke(key->policy.class_, msg->key_id, msg->key_step.reason);
        TRY(op, approvals_require(op, server, &subject, msg->key_step.approval_id));
    }
    TRY(op, keyring_step(op, server->keyring, key, msg->key_step.event, &cause), "key '%s'",
        msg->key_id);
    return describe_key(op, server->keyring, key, &request->answer.key);
}

kw_status handle_key_history(struct kw_op *op, struct server *server, struct request *request)
{
    struct keeper_key_life *life = &request->answer.life;

    const struct key_record *record = state_find(server->keyring->state, request->msg->key_id);
    ENSURE(op, record, KW_E_NOT_FOUND, "there is no key '%s'", request->msg->key_id);
    *life = (struct keeper_key_life){.class_ = record->class_,
                                     .state = record->state,
                                     .alg = record->alg,
                                     .not_before = record->not_before,
                                     .not_after = record->not_after,
                                     .uses = record->signatures,
                                     .crl_number = record->crl_number,
                                     .tree_size = record->tree_size,
                                     .retire_at = record->retire_at};
    memcpy(life->key_id, record->key_id, sizeof(life->key_id));
    memcpy(life->spki_sha256, record->spki_sha256, sizeof(life->spki_sha256));
    memcpy(life->tree_root, record->tree_root, sizeof(life->tree_root));
    memcpy(life->predecessor, record->predecessor, sizeof(life->predecessor));
    memcpy(life->successor, record->successor, sizeof(life->successor));
    memcpy(life->phases, record->phases, sizeof(life->phases));
    return KW_OK;
}

kw_status handle_key_policy(struct kw_op *op, struct server *server, struct request *request)
{
    struct kw_out out = {.p = request->octets, .cap = POLICY_ENCODED_MAX};
    struct keeper_key *key = NULL;

    _Static_assert(POLICY_ENCODED_MAX <= sizeof(request->octets), "room");
    TRY(op, find(op, server, request->msg->key_id, &key));
    TRY(op, policy_encode(&key->policy, &out), "encoding the policy");
    request->answer.octets = kw_out_span(&out);
    return KW_OK;
}

kw_status handle_journal_read(struct kw_op *op, struct server *server, struct request *request)
{
    const struct keeper_msg *msg = request->msg;
    struct kw_out out = {.p = request->octets,
                         .cap = KEEPER_JOURNAL_ROWS_MAX * KEEPER_JOURNAL_ROW_MAX};
    unsigned n = 0;

    _Static_assert(KEEPER_JOURNAL_ROWS_MAX * KEEPER_JOURNAL_ROW_MAX <= sizeof(request->octets),
                   "room");
    TRY(op, keyring_flush(op, server->keyring, request->now_unix, /* all= */ false));
    struct kw_writer w = kw_writer_of(&out);
    TRY(op, journal_read(op, server->keyring->journal, msg->journal_read.from,
                         msg->journal_read.max, &w, &n));
    TRY(op, kw_writer_end(&w), "rows of the journal");
    request->answer.journal.last = server->keyring->state->journal_seq;
    request->answer.journal.n = (uint16_t)n;
    request->answer.journal.rows = kw_out_span(&out);
    return KW_OK;
}
