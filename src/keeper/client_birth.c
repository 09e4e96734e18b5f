/* KEY_BIRTH, from the gate's side. */
#include "keeper/client.h"

kw_status keeper_key_birth(struct kw_op *op, struct keeper *keeper, const char *ca_key_id,
                           const char *rule, uint32_t alg, const struct pubkey *recipient,
                           struct kw_span recipient_id, struct pubkey **ret,
                           struct kw_bytes **ret_sealed)
{
    struct keeper_msg msg = {
        .birth = {.alg = (uint8_t)alg,
                  .recipient = pubkey_spki(recipient),
                  .recipient_id = recipient_id}
    };
    struct channel_room room;
    struct keeper_answer answer;
    AUTO(pubkey) *made = NULL;

    ENSURE(op, KW_TEXT_SET(msg.key_id, ca_key_id) && KW_TEXT_SET(msg.birth.rule, rule),
           KW_E_NOT_FOUND, "the keeper has no such key or rule");
    TRY(op, keeper_call(op, keeper, KEEPER_ROW_KEY_BIRTH, &msg, -1, &room, &answer),
        "a key for '%s' of '%s'", rule, ca_key_id);
    TRY(op, pubkey_parse(op, answer.born.spki, &made), "the keeper's new key");
    TRY(op, kw_bytes_copy(answer.born.sealed, ret_sealed));
    *ret = TAKE(made);
    return KW_OK;
}
