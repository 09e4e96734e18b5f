/* DATA_KEY, DATA_WRAP, DATA_UNWRAP, DATA_REWRAP: keys for data, and what they are wrapped for. */
#include "keeper/msg_rows.h"
#include "keeper/wrapped.h"

static void encode(struct kw_writer *w, const struct keeper_msg *msg)
{
    kw_writer_text(w, msg->key_id);
    kw_writer_span16(w, msg->data.context);
    kw_writer_span16(w, msg->data.octets);
}

static void decode(struct kw_reader *r, size_t max, struct keeper_msg *ret)
{
    kw_reader_text(r, ret->key_id, sizeof(ret->key_id));
    ret->data.context = kw_reader_span16(r, KEEPER_CONTEXT_MAX);
    ret->data.octets = kw_reader_span16(r, max);
}

void enc_data_key(struct kw_writer *w, const struct keeper_msg *msg)
{
    kw_writer_text(w, msg->key_id);
    kw_writer_span16(w, msg->data.context);
}

void dec_data_key(struct kw_reader *r, struct keeper_msg *ret)
{
    kw_reader_text(r, ret->key_id, sizeof(ret->key_id));
    ret->data.context = kw_reader_span16(r, KEEPER_CONTEXT_MAX);
}

void enc_data_key_answer(struct kw_writer *w, const struct keeper_answer *answer)
{
    kw_writer_span16(w, answer->data_key.plain);
    kw_writer_span16(w, answer->data_key.wrapped);
}

void dec_data_key_answer(struct kw_reader *r, struct keeper_answer *ret)
{
    ret->data_key.plain = kw_reader_span16(r, KEEPER_DATA_KEY_MAX);
    ret->data_key.wrapped = kw_reader_span16(r, WRAPPED_MAX);
}

void enc_data_wrap(struct kw_writer *w, const struct keeper_msg *msg)
{
    encode(w, msg);
}

void dec_data_wrap(struct kw_reader *r, struct keeper_msg *ret)
{
    decode(r, KEEPER_DATA_KEY_MAX, ret);
}

void enc_data_wrap_answer(struct kw_writer *w, const struct keeper_answer *answer)
{
    kw_writer_span16(w, answer->octets);
}

void dec_data_wrap_answer(struct kw_reader *r, struct keeper_answer *ret)
{
    ret->octets = kw_reader_span16(r, WRAPPED_MAX);
}

void enc_data_unwrap(struct kw_writer *w, const struct keeper_msg *msg)
{
    encode(w, msg);
}

void dec_data_unwrap(struct kw_reader *r, struct keeper_msg *ret)
{
    decode(r, WRAPPED_MAX, ret);
}

void enc_data_unwrap_answer(struct kw_writer *w, const struct keeper_answer *answer)
{
    kw_writer_span16(w, answer->octets);
}

void dec_data_unwrap_answer(struct kw_reader *r, struct keeper_answer *ret)
{
    ret->octets = kw_reader_span16(r, KEEPER_DATA_KEY_MAX);
}

void enc_data_rewrap(struct kw_writer *w, const struct keeper_msg *msg)
{
    encode(w, msg);
}

void dec_data_rewrap(struct kw_reader *r, struct keeper_msg *ret)
{
    decode(r, WRAPPED_MAX, ret);
}

void enc_data_rewrap_answer(struct kw_writer *w, const struct keeper_answer *answer)
{
    enc_data_wrap_answer(w, answer);
}

void dec_data_rewrap_answer(struct kw_reader *r, struct keeper_answer *ret)
{
    dec_data_wrap_answer(r, ret);
}
