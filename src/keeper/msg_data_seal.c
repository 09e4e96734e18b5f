/* DATA_SEAL, DATA_OPEN: small data under AES-256-GCM. */
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
    ret->data.context = kw_reader_span16(r, KEEPER_AAD_MAX);
    ret->data.octets = kw_reader_span16(r, max);
}

void enc_data_seal(struct kw_writer *w, const struct keeper_msg *msg)
{
    encode(w, msg);
}

void dec_data_seal(struct kw_reader *r, struct keeper_msg *ret)
{
    decode(r, KEEPER_SEAL_MAX, ret);
}

void enc_data_seal_answer(struct kw_writer *w, const struct keeper_answer *answer)
{
    kw_writer_span16(w, answer->octets);
}

void dec_data_seal_answer(struct kw_reader *r, struct keeper_answer *ret)
{
    ret->octets = kw_reader_span16(r, SEALED_MAX);
}

void enc_data_open(struct kw_writer *w, const struct keeper_msg *msg)
{
    encode(w, msg);
}

void dec_data_open(struct kw_reader *r, struct keeper_msg *ret)
{
    decode(r, SEALED_MAX, ret);
}

void enc_data_open_answer(struct kw_writer *w, const struct keeper_answer *answer)
{
    kw_writer_span16(w, answer->octets);
}

void dec_data_open_answer(struct kw_reader *r, struct keeper_answer *ret)
{
    ret->octets = kw_reader_span16(r, KEEPER_SEAL_MAX);
}
