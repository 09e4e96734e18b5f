/* DATA_DERIVE: a key derived from a master key (REQ-KEY-KDF-01). */
#include "keeper/msg_rows.h"

void enc_data_derive(struct kw_writer *w, const struct keeper_msg *msg)
{
    kw_writer_text(w, msg->key_id);
    kw_writer_text(w, msg->derive.label);
    kw_writer_span16(w, msg->derive.salt);
    kw_writer_span16(w, msg->derive.context);
    kw_writer_u8(w, msg->derive.len);
}

void dec_data_derive(struct kw_reader *r, struct keeper_msg *ret)
{
    kw_reader_text(r, ret->key_id, sizeof(ret->key_id));
    kw_reader_text(r, ret->derive.label, sizeof(ret->derive.label));
    ret->derive.salt = kw_reader_span16(r, KEEPER_SALT_MAX);
    ret->derive.context = kw_reader_span16(r, KEEPER_CONTEXT_MAX);
    ret->derive.len = kw_reader_u8(r);
}

void enc_data_derive_answer(struct kw_writer *w, const struct keeper_answer *answer)
{
    kw_writer_span16(w, answer->octets);
}

void dec_data_derive_answer(struct kw_reader *r, struct keeper_answer *ret)
{
    ret->octets = kw_reader_span16(r, KEEPER_DERIVE_MAX);
}
