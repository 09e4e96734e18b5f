/* DATA_MAC, DATA_MAC_VERIFY: HMAC-SHA-256 over a message. */
#include "keeper/msg_rows.h"

void enc_data_mac(struct kw_writer *w, const struct keeper_msg *msg)
{
    kw_writer_text(w, msg->key_id);
    kw_writer_span16(w, msg->data.octets);
}

void dec_data_mac(struct kw_reader *r, struct keeper_msg *ret)
{
    kw_reader_text(r, ret->key_id, sizeof(ret->key_id));
    ret->data.octets = kw_reader_span16(r, KEEPER_MAC_MESSAGE_MAX);
}

void enc_data_mac_answer(struct kw_writer *w, const struct keeper_answer *answer)
{
    kw_writer_span16(w, answer->octets);
}

void dec_data_mac_answer(struct kw_reader *r, struct keeper_answer *ret)
{
    ret->octets = kw_reader_span16(r, KW_HASH_BYTES);
}

void enc_data_mac_verify(struct kw_writer *w, const struct keeper_msg *msg)
{
    enc_data_mac(w, msg);
    kw_writer_span16(w, msg->data.mac);
}

void dec_data_mac_verify(struct kw_reader *r, struct keeper_msg *ret)
{
    dec_data_mac(r, ret);
    ret->data.mac = kw_reader_span16(r, KW_HASH_BYTES);
}

void enc_data_mac_verify_answer(struct kw_writer *w, const struct keeper_answer *answer)
{
    kw_writer_u8(w, answer->valid ? 1 : 0);
}

void dec_data_mac_verify_answer(struct kw_reader *r, struct keeper_answer *ret)
{
    uint8_t valid = kw_reader_u8(r);

    ret->valid = valid == 1;
    if (valid > 1) {
        kw_reader_reject(r);
    }
}
