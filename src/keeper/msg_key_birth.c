/* KEY_BIRTH: a key made for somebody else, that leaves at once and encrypted. */
#include "keeper/msg_rows.h"

void enc_key_birth(struct kw_writer *w, const struct keeper_msg *msg)
{
    kw_writer_text(w, msg->key_id);
    kw_writer_text(w, msg->birth.rule);
    kw_writer_u8(w, msg->birth.alg);
    kw_writer_span16(w, msg->birth.recipient);
    kw_writer_span16(w, msg->birth.recipient_id);
}

void dec_key_birth(struct kw_reader *r, struct keeper_msg *ret)
{
    kw_reader_text(r, ret->key_id, sizeof(ret->key_id));
    kw_reader_text(r, ret->birth.rule, sizeof(ret->birth.rule));
    ret->birth.alg = kw_reader_u8(r);
    ret->birth.recipient = kw_reader_span16(r, KW_SPKI_MAX);
    ret->birth.recipient_id = kw_reader_span16(r, KEEPER_RECIPIENT_MAX);
}

void enc_key_birth_answer(struct kw_writer *w, const struct keeper_answer *answer)
{
    kw_writer_span16(w, answer->born.spki);
    kw_writer_span16(w, answer->born.sealed);
}

void dec_key_birth_answer(struct kw_reader *r, struct keeper_answer *ret)
{
    ret->born.spki = kw_reader_span16(r, KW_SPKI_MAX);
    ret->born.sealed = kw_reader_span16(r, KEEPER_BORN_MAX);
}
