/* The gate's calls, each one message. */
#include "keeper/client.h"

kw_status keeper_call_on(struct kw_op *op, struct channel *channel, enum keeper_row_index index,
                         struct keeper_msg *msg, int pass_fd, struct channel_room *room,
                         struct keeper_reply *ret_reply, struct keeper_answer *ret)
{
    const struct keeper_row *row = &keeper_rows[index];
    struct keeper_reply reply;

    ENSURE(op, KW_TEXT_SET(msg->request_id, op->request_id), KW_E_INTERNAL, "request id too long");
    TRY(op, channel_call(op, channel, row, msg, pass_fd, room, &reply));
    if (ret_reply) {
        *ret_reply = reply;
    }
    ENSURE(op, reply.code == KW_CODE_OK, reply.code, "%s", reply.text);
    if (!kw_ok(keeper_answer_decode(row, reply.result, ret))) {
        channel_break(channel);
        return FAIL(op, KW_E_UNSURE, "the keeper's answer to %s is malformed", row->name);
    }
    return KW_OK;
}

kw_status keeper_call(struct kw_op *op, struct keeper *keeper, enum keeper_row_index row,
                      struct keeper_msg *msg, int pass_fd, struct channel_room *room,
                      struct keeper_answer *ret)
{
    AUTO(channel) *channel = NULL;

    TRY(op, keeper_channel(op, keeper, &channel));
    return keeper_call_on(op, channel, row, msg, pass_fd, room, NULL, ret);
}

/* An id that is too long is simply none of the keeper's. */
static kw_status set_key_id(struct kw_op *op, struct keeper_msg *msg, const char *key_id)
{
    ENSURE(op, KW_TEXT_SET(msg->key_id, key_id), KW_E_NOT_FOUND, "the keeper has no such key");
    return KW_OK;
}

kw_status keeper_info(struct kw_op *op, struct keeper *keeper, struct keeper_info *ret)
{
    struct keeper_msg msg = {0};
    struct channel_room room;
    struct keeper_answer answer;

    TRY(op, keeper_call(op, keeper, KEEPER_ROW_INFO, &msg, -1, &room, &answer));
    *ret = answer.info;
    return KW_OK;
}

kw_status keeper_key_at(struct kw_op *op, struct keeper *keeper, uint32_t index,
                        struct keeper_key_info *ret)
{
    struct keeper_msg msg = {.key_at = {.index = index}};
    struct channel_room room;
    struct keeper_answer answer;

    TRY(op, keeper_call(op, keeper, KEEPER_ROW_KEY_AT, &msg, -1, &room, &answer));
    *ret = answer.key;
    return KW_OK;
}

kw_status keeper_key_find(struct kw_op *op, struct keeper *keeper, const char *key_id,
                          struct keeper_key_info *ret)
{
    struct keeper_msg msg = {0};
    struct channel_room room;
    struct keeper_answer answer;

    TRY(op, set_key_id(op, &msg, key_id));
    TRY(op, keeper_call(op, keeper, KEEPER_ROW_KEY_FIND, &msg, -1, &room, &answer));
    *ret = answer.key;
    return KW_OK;
}

/* What a keeper calls a public key must at least be one. */
static kw_status parse_public(struct kw_op *op, struct kw_span spki, struct pubkey **ret)
{
    kw_status status = pubkey_parse(op, spki, ret);

    if (!kw_ok(status)) {
        kw_op_clear(op);
        return FAIL(op, KW_E_DEVICE, "the keeper sent something that is no public key");
    }
    return KW_OK;
}

kw_status keeper_key_public(struct kw_op *op, struct keeper *keeper, const char *key_id,
                            struct pubkey **ret)
{
    struct keeper_key_info info;

    TRY(op, keeper_key_find(op, keeper, key_id, &info));
    ENSURE(op, !key_class_symmetric(info.class_), KW_E_INPUT, "key '%s' has no public half",
           key_id);
    return parse_public(op, KW_SPAN(info.spki, info.spki_len), ret);
}

kw_status keeper_key_create(struct kw_op *op, struct keeper *keeper,
                            const struct key_policy *policy, struct pubkey **ret)
{
    return keeper_key_create_approved(op, keeper, policy, 0, ret);
}

kw_status keeper_key_create_approved(struct kw_op *op, struct keeper *keeper,
                                     const struct key_policy *policy, uint64_t approval_id,
                                     struct pubkey **ret)
{
    uint8_t octets[POLICY_ENCODED_MAX];
    struct kw_out encoded = KW_OUT_ARRAY(octets);
    struct channel_room room;
    struct keeper_answer answer;

    kw_status status = policy_encode(policy, &encoded);
    ENSURE(op, kw_ok(status), status.code, "the policy of key '%.64s' cannot be encoded",
           policy->key_id);
    struct keeper_msg msg = {
        .key_create = {.policy = kw_out_span(&encoded), .approval_id = approval_id}
    };
    TRY(op, keeper_call(op, keeper, KEEPER_ROW_KEY_CREATE, &msg, -1, &room, &answer));
    if (key_class_symmetric(policy->class_)) {
        *ret = NULL;
        return KW_OK;
    }
    return parse_public(op, answer.octets, ret);
}

kw_status keeper_serials(struct kw_op *op, struct keeper *keeper, const char *ca_key_id, unsigned n,
                         uint8_t ret[][KW_SERIAL_BYTES])
{
    struct keeper_msg msg = {.serials = {.n = (uint16_t)n}};
    struct channel_room room;
    struct keeper_answer answer;

    ENSURE(op, n >= 1 && n <= KEEPER_SERIALS_MAX, KW_E_INPUT, "1 to %d serials at once",
           KEEPER_SERIALS_MAX);
    TRY(op, set_key_id(op, &msg, ca_key_id));
    TRY(op, keeper_call(op, keeper, KEEPER_ROW_SERIALS, &msg, -1, &room, &answer));
    ENSURE(op, answer.serials.n == n, KW_E_DEVICE, "the keeper sent %u serials instead of %u",
           answer.serials.n, n);
    memcpy(ret, answer.serials.octets.p, (size_t)n * KW_SERIAL_BYTES);
    return KW_OK;
}
