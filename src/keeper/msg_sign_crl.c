/* SIGN_CRL: a TBSCertList, in the packet or in a sealed memfd beside it. */
#include "keeper/msg_rows.h"

void enc_sign_crl(struct kw_writer *w, const struct keeper_msg *msg)
{
    kw_writer_text(w, msg->key_id);
    kw_writer_u8(w, msg->sign_crl.by_fd ? 1 : 0);
    kw_writer_u32(w, msg->sign_crl.len);
    if (!msg->sign_crl.by_fd) {
        kw_writer_put(w, msg->sign_crl.tbs);
    }
}

void dec_sign_crl(struct kw_reader *r, struct keeper_msg *ret)
{
    kw_reader_text(r, ret->key_id, sizeof(ret->key_id));
    uint8_t by_fd = kw_reader_u8(r);
    ret->sign_crl.by_fd = by_fd == 1;
    ret->sign_crl.len = kw_reader_u32(r);
    if (by_fd > 1 || ret->sign_crl.len > KW_CRL_MAX) {
        kw_reader_reject(r);
        return;
    }
    if (!ret->sign_crl.by_fd) {
        ret->sign_crl.tbs = kw_reader_take(r, ret->sign_crl.len);
    }
}

void enc_sign_crl_answer(struct kw_writer *w, const struct keeper_answer *answer)
{
    kw_writer_span16(w, answer->octets);
}

void dec_sign_crl_answer(struct kw_reader *r, struct keeper_answer *ret)
{
    ret->octets = kw_reader_span16(r, KW_SIG_MAX);
}
