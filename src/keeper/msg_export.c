/* VAULT_EXPORT, RECOVERY_SET: what may leave of the vault, and for whom it is sealed. */
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
