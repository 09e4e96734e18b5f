/* SIGN_FIRMWARE: a release statement, and the approval that lets it out. */
#include "keeper/msg_rows.h"
#include "model/statement.h"

void enc_sign_firmware(struct kw_writer *w, const struct keeper_msg *msg)
{
    kw_writer_text(w, msg->key_id);
    kw_writer_u64(w, msg->firmware.approval);
    kw_writer_span16(w, msg->firmware.statement);
}

void dec_sign_firmware(struct kw_reader *r, struct keeper_msg *ret)
{
    kw_reader_text(r, ret->key_id, sizeof(ret->key_id));
    ret->firmware.approval = kw_reader_u64(r);
    ret->firmware.statement = kw_reader_span16(r, STATEMENT_MAX);
}

void enc_sign_firmware_answer(struct kw_writer *w, const struct keeper_answer *answer)
{
    kw_writer_span16(w, answer->octets);
}

void dec_sign_firmware_answer(struct kw_reader *r, struct keeper_answer *ret)
{
    ret->octets = kw_reader_span16(r, KW_SIG_MAX);
}
