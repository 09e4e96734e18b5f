/* The gate's calls about keys' lives and the journal, each one message. */
#include "keeper/client.h"
#include "keeper/journal_row.h"

static kw_status set_key_id(struct kw_op *op, struct keeper_msg *msg, const char *key_id)
{
    ENSURE(op, KW_TEXT_SET(msg->key_id, key_id), KW_E_NOT_FOUND, "the keeper has no such key");
    return KW_OK;
}

kw_status keeper_key_policy(struct kw_op *op, struct keeper *keeper, const char *key_id,
                            struct key_policy *ret)
{
    struct keeper_msg msg = {0};
    struct channel_room room;
    struct keeper_answer answer;

    TRY(op, set_key_id(op, &msg, key_id));
    TRY(op, keeper_call(op, keeper, KEEPER_ROW_KEY_POLICY, &msg, -1, &room, &answer));
    ENSURE(op, kw_ok(policy_decode(answer.octets, ret)), KW_E_DEVICE,
           "the keeper sent something that is no policy");
    return KW_OK;
}

kw_status keeper_key_history(struct kw_op *op, struct keeper *keeper, const char *key_id,
                             struct keeper_key_life *ret)
{
    struct keeper_msg msg = {0};
    struct channel_room room;
    struct keeper_answer answer;

    TRY(op, set_key_id(op, &msg, key_id));
    TRY(op, keeper_call(op, keeper, KEEPER_ROW_KEY_HISTORY, &msg, -1, &room, &answer));
    *ret = answer.life;
    return KW_OK;
}

static kw_status set_reason(struct kw_op *op, struct keeper_msg *msg, const char *reason)
{
    ENSURE(op, KW_TEXT_SET(msg->key_step.reason, reason), KW_E_INPUT,
           "a reason has at most %d characters", KEEPER_REASON_MAX - 1);
    return KW_OK;
}

kw_status keeper_key_step(struct kw_op *op, struct keeper *keeper, const char *key_id,
                          enum key_event event, const char *reason, uint64_t approval_id,
                          struct keeper_key_info *ret)
{
    struct keeper_msg msg = {
        .key_step = {.event = event, .approval_id = approval_id}
    };
    struct channel_room room;
    struct keeper_answer answer;

    ENSURE(op, (unsigned)event < KEY_EVENT_DESTROY, KW_E_INPUT, "no such step");
    TRY(op, set_key_id(op, &msg, key_id));
    TRY(op, set_reason(op, &msg, reason));
    TRY(op, keeper_call(op, keeper, KEEPER_ROW_KEY_STEP, &msg, -1, &room, &answer));
    if (ret) {
        *ret = answer.key;
    }
    return KW_OK;
}

static kw_status next_key(struct kw_op *op, struct keeper *keeper, const char *key_id,
                          struct keeper_msg *msg, struct keeper_key_info *ret)
{
    struct channel_room room;
    struct keeper_answer answer;

    TRY(op, set_key_id(op, msg, key_id));
    TRY(op, keeper_call(op, keeper, KEEPER_ROW_KEY_ROTATE, msg, -1, &room, &answer));
    *ret = answer.key;
    return KW_OK;
}

kw_status keeper_key_rotate(struct kw_op *op, struct keeper *keeper, const char *key_id,
                            uint64_t approval_id, struct keeper_key_info *ret)
{
    struct keeper_msg msg = {.key_rotate = {.approval_id = approval_id}};

    return next_key(op, keeper, key_id, &msg, ret);
}

kw_status keeper_log_line(struct kw_op *op, struct keeper *keeper, const char *key_id,
                          uint64_t approval_id, struct keeper_key_info *ret)
{
    struct keeper_msg msg = {
        .key_rotate = {.new_line = true, .approval_id = approval_id}
    };

    return next_key(op, keeper, key_id, &msg, ret);
}

kw_status keeper_key_destroy(struct kw_op *op, struct keeper *keeper, const char *key_id,
                             const char *reason, uint64_t approval_id, struct keeper_destroyed *ret)
{
    struct keeper_msg msg = {
        .key_step = {.event = KEY_EVENT_DESTROY, .approval_id = approval_id}
    };
    struct channel_room room;
    struct keeper_answer answer;

    TRY(op, set_key_id(op, &msg, key_id));
    TRY(op, set_reason(op, &msg, reason));
    TRY(op, keeper_call(op, keeper, KEEPER_ROW_KEY_DESTROY, &msg, -1, &room, &answer));
    *ret = (struct keeper_destroyed){.signature_len = (uint32_t)answer.destroyed.signature.len};
    if (answer.destroyed.statement.len > 0) { /* shorter than the room: the message's limit */
        memcpy(ret->statement, answer.destroyed.statement.p, answer.destroyed.statement.len);
    }
    if (answer.destroyed.signature.len > 0) {
        memcpy(ret->signature, answer.destroyed.signature.p, answer.destroyed.signature.len);
    }
    memcpy(ret->signer, answer.destroyed.signer, sizeof(ret->signer));
    return KW_OK;
}

kw_status keeper_journal_read(struct kw_op *op, struct keeper *keeper, uint64_t from, unsigned max,
                              struct keeper_journal_row ret[], unsigned *ret_n, uint64_t *ret_last)
{
    struct keeper_msg msg = {
        .journal_read = {.from = from, .max = (uint16_t)max}
    };
    struct channel_room room;
    struct keeper_answer answer;

    ENSURE(op, max >= 1 && max <= KEEPER_JOURNAL_ROWS_MAX, KW_E_INPUT, "1 to %d rows at once",
           KEEPER_JOURNAL_ROWS_MAX);
    TRY(op, keeper_call(op, keeper, KEEPER_ROW_JOURNAL_READ, &msg, -1, &room, &answer));
    ENSURE(op, answer.journal.n <= max, KW_E_DEVICE, "the keeper sent more rows than asked for");
    struct kw_reader r = kw_reader_of(answer.journal.rows);
    for (unsigned i = 0; i < answer.journal.n; i++) {
        ret[i] = (struct keeper_journal_row){0};
        keeper_journal_row_decode(&r, &ret[i]);
    }
    ENSURE(op, kw_ok(kw_reader_end(&r)), KW_E_DEVICE, "the keeper sent malformed rows");
    *ret_n = answer.journal.n;
    *ret_last = answer.journal.last;
    return KW_OK;
}

kw_status keeper_ocsp_issuer(struct kw_op *op, struct keeper *keeper, const char *key_id,
                             const struct pubkey *old_key, struct kw_span cross)
{
    struct keeper_msg msg = {
        .ocsp_issuer = {.old_key = pubkey_spki(old_key), .cert = cross}
    };
    struct channel_room room;
    struct keeper_answer answer;

    ENSURE(op, KW_TEXT_SET(msg.key_id, key_id), KW_E_NOT_FOUND, "the keeper has no such key");
    return keeper_call(op, keeper, KEEPER_ROW_OCSP_ISSUER, &msg, -1, &room, &answer);
}
