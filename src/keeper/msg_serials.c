/* SERIALS: fresh serial numbers for certificates of one CA. */
#include "keeper/msg_rows.h"

void enc_serials(struct kw_writer *w, const struct keeper_msg *msg)
{
    kw_writer_text(w, msg->key_id);
    kw_writer_u16(w, msg->serials.n);
}

void dec_serials(struct kw_reader *r, struct keeper_msg *ret)
{
    kw_reader_text(r, ret->key_id, sizeof(ret->key_id));
    ret->serials.n = kw_reader_u16(r);
    if (ret->serials.n == 0 || ret->serials.n > KEEPER_SERIALS_MAX) {
        kw_reader_reject(r);
    }
}

void enc_serials_answer(struct kw_writer *w, const struct keeper_answer *answer)
{
    kw_writer_u16(w, answer->serials.n);
    kw_writer_put(w, answer->serials.octets);
}

void dec_serials_answer(struct kw_reader *r, struct keeper_answer *ret)
{
    ret->serials.n = kw_reader_u16(r);
    if (ret->serials.n > KEEPER_SERIALS_MAX) {
        kw_reader_reject(r);
        return;
    }
    ret->serials.octets = kw_reader_take(r, (size_t)ret->serials.n * KW_SERIAL_BYTES);
}
