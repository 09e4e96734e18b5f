/* HELLO: both sides say which protocol and which build they are. */
#include "keeper/msg_rows.h"

void enc_hello(struct kw_writer *w, const struct keeper_msg *msg)
{
    kw_writer_u16(w, msg->hello.version);
    kw_writer_text(w, msg->hello.build);
}

void dec_hello(struct kw_reader *r, struct keeper_msg *ret)
{
    ret->hello.version = kw_reader_u16(r);
    kw_reader_text(r, ret->hello.build, sizeof(ret->hello.build));
}

void enc_hello_answer(struct kw_writer *w, const struct keeper_answer *answer)
{
    kw_writer_u16(w, answer->hello.version);
    kw_writer_text(w, answer->hello.build);
    kw_writer_u8(w, answer->hello.mode);
    kw_writer_u32(w, answer->hello.n_keys);
}

void dec_hello_answer(struct kw_reader *r, struct keeper_answer *ret)
{
    ret->hello.version = kw_reader_u16(r);
    kw_reader_text(r, ret->hello.build, sizeof(ret->hello.build));
    ret->hello.mode = kw_reader_u8(r);
    ret->hello.n_keys = kw_reader_u32(r);
    if (ret->hello.mode != KEEPER_CEREMONY && ret->hello.mode != KEEPER_SERVING &&
        ret->hello.mode != KEEPER_SEALED) {
        kw_reader_reject(r);
    }
}
