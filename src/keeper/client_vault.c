/* The gate's calls about the vault as a whole. */
#include "keeper/client.h"

kw_status keeper_vault_status(struct kw_op *op, struct keeper *keeper,
                              struct keeper_vault_status *ret)
{
    struct keeper_msg msg = {0};
    struct channel_room room;
    struct keeper_answer answer;

    TRY(op, keeper_call(op, keeper, KEEPER_ROW_VAULT_STATUS, &msg, -1, &room, &answer));
    *ret = answer.vault;
    return KW_OK;
}

kw_status keeper_vault_seal(struct kw_op *op, struct keeper *keeper)
{
    struct keeper_msg msg = {0};
    struct channel_room room;
    struct keeper_answer answer;

    return keeper_call(op, keeper, KEEPER_ROW_VAULT_SEAL, &msg, -1, &room, &answer);
}

kw_status keeper_vault_rekey(struct kw_op *op, struct keeper *keeper, bool new_secret,
                             uint64_t approval_id, uint32_t *ret_generation)
{
    struct keeper_msg msg = {
        .vault_rekey = {.new_secret = new_secret, .approval_id = approval_id}
    };
    struct channel_room room;
    struct keeper_answer answer;

    TRY(op, keeper_call(op, keeper, KEEPER_ROW_VAULT_REKEY, &msg, -1, &room, &answer));
    *ret_generation = answer.vault.generation;
    return KW_OK;
}
