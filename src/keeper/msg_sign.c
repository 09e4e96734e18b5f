/* SIGN_OCSP, SIGN_TLS, SIGN_CERT_REQUEST, SIGN_CROSS, SIGN_STATEMENT, SIGN_CMP: a key and the
 * octets to be signed. */
#include "keeper/msg_rows.h"
#include "model/statement.h"

static void encode(struct kw_writer *w, const struct keeper_msg *msg)
{
    kw_writer_text(w, msg->key_id);
    kw_writer_span16(w, msg->sign.message);
}

static void decode(struct kw_reader *r, size_t max, struct keeper_msg *ret)
{
    kw_reader_text(r, ret->key_id, sizeof(ret->key_id));
    ret->sign.message = kw_reader_span16(r, max);
}

static void encode_answer(struct kw_writer *w, const struct keeper_answer *answer)
{
    kw_writer_span16(w, answer->octets);
}

static void decode_answer(struct kw_reader *r, struct keeper_answer *ret)
{
    ret->octets = kw_reader_span16(r, KW_SIG_MAX);
}

void enc_sign_ocsp(struct kw_writer *w, const struct keeper_msg *msg)
{
    encode(w, msg);
}

void dec_sign_ocsp(struct kw_reader *r, struct keeper_msg *ret)
{
    decode(r, KEEPER_OCSP_TBS_MAX, ret);
}

void enc_sign_ocsp_answer(struct kw_writer *w, const struct keeper_answer *answer)
{
    encode_answer(w, answer);
}

void dec_sign_ocsp_answer(struct kw_reader *r, struct keeper_answer *ret)
{
    decode_answer(r, ret);
}

void enc_sign_tls(struct kw_writer *w, const struct keeper_msg *msg)
{
    encode(w, msg);
}

void dec_sign_tls(struct kw_reader *r, struct keeper_msg *ret)
{
    decode(r, KEEPER_TLS_CONTENT_MAX, ret);
}

void enc_sign_tls_answer(struct kw_writer *w, const struct keeper_answer *answer)
{
    encode_answer(w, answer);
}

void dec_sign_tls_answer(struct kw_reader *r, struct keeper_answer *ret)
{
    decode_answer(r, ret);
}

void enc_sign_cert_request(struct kw_writer *w, const struct keeper_msg *msg)
{
    encode(w, msg);
}

void dec_sign_cert_request(struct kw_reader *r, struct keeper_msg *ret)
{
    decode(r, KEEPER_CERT_REQUEST_MAX, ret);
}

void enc_sign_cert_request_answer(struct kw_writer *w, const struct keeper_answer *answer)
{
    encode_answer(w, answer);
}

void dec_sign_cert_request_answer(struct kw_reader *r, struct keeper_answer *ret)
{
    decode_answer(r, ret);
}

void enc_sign_cross(struct kw_writer *w, const struct keeper_msg *msg)
{
    encode(w, msg);
}

void dec_sign_cross(struct kw_reader *r, struct keeper_msg *ret)
{
    decode(r, KW_CERT_MAX, ret);
}

void enc_sign_cross_answer(struct kw_writer *w, const struct keeper_answer *answer)
{
    encode_answer(w, answer);
}

void dec_sign_cross_answer(struct kw_reader *r, struct keeper_answer *ret)
{
    decode_answer(r, ret);
}

void enc_sign_statement(struct kw_writer *w, const struct keeper_msg *msg)
{
    encode(w, msg);
}

void dec_sign_statement(struct kw_reader *r, struct keeper_msg *ret)
{
    decode(r, STATEMENT_MAX, ret);
}

void enc_sign_statement_answer(struct kw_writer *w, const struct keeper_answer *answer)
{
    encode_answer(w, answer);
}

void dec_sign_statement_answer(struct kw_reader *r, struct keeper_answer *ret)
{
    decode_answer(r, ret);
}

void enc_sign_cmp(struct kw_writer *w, const struct keeper_msg *msg)
{
    encode(w, msg);
}

void dec_sign_cmp(struct kw_reader *r, struct keeper_msg *ret)
{
    decode(r, KEEPER_CMP_MAX, ret);
}

void enc_sign_cmp_answer(struct kw_writer *w, const struct keeper_answer *answer)
{
    encode_answer(w, answer);
}

void dec_sign_cmp_answer(struct kw_reader *r, struct keeper_answer *ret)
{
    decode_answer(r, ret);
}
