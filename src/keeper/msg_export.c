/* VAULT_EXPORT, RECOVERY_SET, KEY_IMPORT: what may leave of the vault, for whom it is sealed, and
 * its way back. */
#include "keeper/msg_rows.h"

void enc_vault_export(struct kw_writer *w, const struct keeper_msg *msg)
{
    kw_writer_u64(w, msg->vault_export.approval_id);
}

void dec_vault_export(struct kw_reader *r, struct keeper_msg *ret)
{
    ret->vault_export.approval_id = kw_reader_u64(r);
}

void enc_vault_export_answer(struct kw_writer *w, const struct keeper_answer *answer)
{
    kw_writer_u32(w, answer->exported);
}

void dec_vault_export_answer(struct kw_reader *r, struct keeper_answer *ret)
{
    ret->exported = kw_reader_u32(r);
}

void enc_recovery_set(struct kw_writer *w, const struct keeper_msg *msg)
{
    kw_writer_u64(w, msg->recovery_set.approval_id);
    kw_writer_put(w, KW_SPAN_ARRAY(msg->recovery_set.key));
}

void dec_recovery_set(struct kw_reader *r, struct keeper_msg *ret)
{
    ret->recovery_set.approval_id = kw_reader_u64(r);
    kw_reader_copy(r, ret->recovery_set.key, sizeof(ret->recovery_set.key));
}

void enc_recovery_set_answer(struct kw_writer *w, const struct keeper_answer *answer)
{
    (void)w; /* done */
    (void)answer;
}

void dec_recovery_set_answer(struct kw_reader *r, struct keeper_answer *ret)
{
    (void)r; /* done */
    (void)ret;
}

void enc_key_import(struct kw_writer *w, const struct keeper_msg *msg)
{
    kw_writer_u8(w, (uint8_t)msg->key_import.state);
    kw_writer_span16(w, msg->key_import.policy);
    kw_writer_span16(w, msg->key_import.mark);
    kw_writer_span16(w, msg->key_import.box);
    kw_writer_put(w, KW_SPAN_ARRAY(msg->key_import.recovery));
}

void dec_key_import(struct kw_reader *r, struct keeper_msg *ret)
{
    unsigned state = kw_reader_u8(r);

    ret->key_import.policy = kw_reader_span16(r, POLICY_ENCODED_MAX);
    ret->key_import.mark = kw_reader_span16(r, KEEPER_MARK_MAX);
    ret->key_import.box = kw_reader_span16(r, KEEPER_BOX_MAX);
    kw_reader_copy(r, ret->key_import.recovery, sizeof(ret->key_import.recovery));
    if (state >= KEY_STATE_MAX) {
        kw_reader_reject(r);
        return;
    }
    ret->key_import.state = (enum key_state)state;
}

void enc_key_import_answer(struct kw_writer *w, const struct keeper_answer *answer)
{
    (void)w; /* done */
    (void)answer;
}

void dec_key_import_answer(struct kw_reader *r, struct keeper_answer *ret)
{
    (void)r; /* done */
    (void)ret;
}
