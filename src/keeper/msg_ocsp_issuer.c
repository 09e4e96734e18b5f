/* OCSP_ISSUER: the next key of a CA in another vault, told to the OCSP signer by the CA itself. */
#include "keeper/msg_rows.h"

void enc_ocsp_issuer(struct kw_writer *w, const struct keeper_msg *msg)
{
    kw_writer_text(w, msg->key_id);
    kw_writer_span16(w, msg->ocsp_issuer.old_key);
    kw_writer_span16(w, msg->ocsp_issuer.cert);
}

void dec_ocsp_issuer(struct kw_reader *r, struct keeper_msg *ret)
{
    kw_reader_text(r, ret->key_id, sizeof(ret->key_id));
    ret->ocsp_issuer.old_key = kw_reader_span16(r, KW_SPKI_MAX);
    ret->ocsp_issuer.cert = kw_reader_span16(r, KW_CERT_MAX);
}

void enc_ocsp_issuer_answer(struct kw_writer *w, const struct keeper_answer *answer)
{
    (void)w;
    (void)answer;
}

void dec_ocsp_issuer_answer(struct kw_reader *r, struct keeper_answer *ret)
{
    (void)r;
    (void)ret;
}
