/* SIGN_TUF: metadata of one TUF role, in the message or as a memory file, as SIGN_CRL has it. */
#include "keeper/msg_rows.h"

void enc_sign_tuf(struct kw_writer *w, const struct keeper_msg *msg)
{
    enc_sign_crl(w, msg);
}

void dec_sign_tuf(struct kw_reader *r, struct keeper_msg *ret)
{
    dec_sign_crl(r, ret);
    if (ret->sign_crl.len > KEEPER_TUF_MAX) {
        kw_reader_reject(r);
    }
}

void enc_sign_tuf_answer(struct kw_writer *w, const struct keeper_answer *answer)
{
    enc_sign_crl_answer(w, answer);
}

void dec_sign_tuf_answer(struct kw_reader *r, struct keeper_answer *ret)
{
    dec_sign_crl_answer(r, ret);
}
