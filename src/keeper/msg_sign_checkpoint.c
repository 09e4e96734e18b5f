/* SIGN_CHECKPOINT: a tree head, and the proof that it extends the last one. */
#include "keeper/msg_rows.h"

void enc_sign_checkpoint(struct kw_writer *w, const struct keeper_msg *msg)
{
    kw_writer_text(w, msg->key_id);
    kw_writer_span16(w, msg->checkpoint.body);
    kw_writer_u64(w, msg->checkpoint.old_size);
    kw_writer_u8(w, msg->checkpoint.n);
    kw_writer_put(w, msg->checkpoint.proof);
}

void dec_sign_checkpoint(struct kw_reader *r, struct keeper_msg *ret)
{
    kw_reader_text(r, ret->key_id, sizeof(ret->key_id));
    ret->checkpoint.body = kw_reader_span16(r, KEEPER_CHECKPOINT_BODY_MAX);
    ret->checkpoint.old_size = kw_reader_u64(r);
    ret->checkpoint.n = kw_reader_u8(r);
    if (ret->checkpoint.n > KEEPER_PROOF_MAX) {
        kw_reader_reject(r);
        return;
    }
    ret->checkpoint.proof = kw_reader_take(r, (size_t)ret->checkpoint.n * KW_HASH_BYTES);
}

void enc_sign_checkpoint_answer(struct kw_writer *w, const struct keeper_answer *answer)
{
    kw_writer_u64(w, answer->checkpoint.last_size);
    kw_writer_span16(w, answer->checkpoint.sig);
}

void dec_sign_checkpoint_answer(struct kw_reader *r, struct keeper_answer *ret)
{
    ret->checkpoint.last_size = kw_reader_u64(r);
    ret->checkpoint.sig = kw_reader_span16(r, KW_SIG_MAX);
}
