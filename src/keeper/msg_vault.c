/* VAULT_STATUS, VAULT_SEAL, VAULT_REKEY: the vault as a whole. Secrets never cross this channel. */
#include "keeper/msg_rows.h"

void enc_vault_status(struct kw_writer *w, const struct keeper_msg *msg)
{
    (void)w; /* nothing behind request_id */
    (void)msg;
}

void dec_vault_status(struct kw_reader *r, struct keeper_msg *ret)
{
    (void)r; /* nothing behind request_id */
    (void)ret;
}

void enc_vault_status_answer(struct kw_writer *w, const struct keeper_answer *answer)
{
    const struct keeper_vault_status *vault = &answer->vault;

    kw_writer_u8(w, vault->open ? 1 : 0);
    kw_writer_text(w, vault->method);
    kw_writer_u8(w, vault->given);
    kw_writer_u8(w, vault->needed);
    kw_writer_u32(w, vault->generation);
    kw_writer_text(w, vault->custody);
    kw_writer_u64(w, (uint64_t)vault->clock_off_s);
}

void dec_vault_status_answer(struct kw_reader *r, struct keeper_answer *ret)
{
    struct keeper_vault_status *vault = &ret->vault;

    unsigned open = kw_reader_u8(r);
    kw_reader_text(r, vault->method, sizeof(vault->method));
    vault->given = kw_reader_u8(r);
    vault->needed = kw_reader_u8(r);
    vault->generation = kw_reader_u32(r);
    kw_reader_text(r, vault->custody, sizeof(vault->custody));
    vault->clock_off_s = (int64_t)kw_reader_u64(r);
    vault->open = open == 1;
    if (open > 1) {
        kw_reader_reject(r);
    }
}

void enc_vault_seal(struct kw_writer *w, const struct keeper_msg *msg)
{
    (void)w; /* nothing behind request_id */
    (void)msg;
}

void dec_vault_seal(struct kw_reader *r, struct keeper_msg *ret)
{
    (void)r; /* nothing behind request_id */
    (void)ret;
}

void enc_vault_seal_answer(struct kw_writer *w, const struct keeper_answer *answer)
{
    (void)w; /* done */
    (void)answer;
}

void dec_vault_seal_answer(struct kw_reader *r, struct keeper_answer *ret)
{
    (void)r; /* done */
    (void)ret;
}

void enc_vault_rekey(struct kw_writer *w, const struct keeper_msg *msg)
{
    kw_writer_u8(w, msg->vault_rekey.new_secret ? 1 : 0);
    kw_writer_u64(w, msg->vault_rekey.approval_id);
}

void dec_vault_rekey(struct kw_reader *r, struct keeper_msg *ret)
{
    unsigned new_secret = kw_reader_u8(r);

    ret->vault_rekey.new_secret = new_secret == 1;
    ret->vault_rekey.approval_id = kw_reader_u64(r);
    if (new_secret > 1) {
        kw_reader_reject(r);
    }
}

void enc_vault_rekey_answer(struct kw_writer *w, const struct keeper_answer *answer)
{
    kw_writer_u32(w, answer->vault.generation);
}

void dec_vault_rekey_answer(struct kw_reader *r, struct keeper_answer *ret)
{
    ret->vault.generation = kw_reader_u32(r);
}
