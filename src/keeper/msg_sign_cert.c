/* SIGN_CERT: a TBSCertificate under a named rule of the CA's policy. */
#include "keeper/msg_rows.h"

void enc_sign_cert(struct kw_writer *w, const struct keeper_msg *msg)
{
    kw_writer_text(w, msg->key_id);
    kw_writer_text(w, msg->sign_cert.rule);
    kw_writer_span16(w, msg->sign_cert.tbs);
    kw_writer_u64(w, msg->sign_cert.approval_id);
}

void dec_sign_cert(struct kw_reader *r, struct keeper_msg *ret)
{
    kw_reader_text(r, ret->key_id, sizeof(ret->key_id));
    kw_reader_text(r, ret->sign_cert.rule, sizeof(ret->sign_cert.rule));
    ret->sign_cert.tbs = kw_reader_span16(r, KW_CERT_MAX);
    ret->sign_cert.approval_id = kw_reader_u64(r);
}

void enc_sign_cert_answer(struct kw_writer *w, const struct keeper_answer *answer)
{
    kw_writer_span16(w, answer->octets);
}

void dec_sign_cert_answer(struct kw_reader *r, struct keeper_answer *ret)
{
    ret->octets = kw_reader_span16(r, KW_SIG_MAX);
}
