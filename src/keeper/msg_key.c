/* KEY_AT, KEY_FIND, KEY_CREATE: which keys there are, and new ones. */
#include "keeper/msg_rows.h"

void enc_key_at(struct kw_writer *w, const struct keeper_msg *msg)
{
    kw_writer_u32(w, msg->key_at.index);
}

void dec_key_at(struct kw_reader *r, struct keeper_msg *ret)
{
    ret->key_at.index = kw_reader_u32(r);
}

void enc_key_at_answer(struct kw_writer *w, const struct keeper_answer *answer)
{
    const struct keeper_key_info *key = &answer->key;

    kw_writer_text(w, key->key_id);
    kw_writer_u8(w, (uint8_t)key->class_);
    kw_writer_u8(w, (uint8_t)key->state);
    kw_writer_u32(w, key->alg);
    kw_writer_text(w, key->custody);
    kw_writer_u64(w, (uint64_t)key->not_before);
    kw_writer_u64(w, (uint64_t)key->not_after);
    kw_writer_u64(w, key->signatures);
    kw_writer_span16(w, KW_SPAN(key->spki, key->spki_len));
}

void dec_key_at_answer(struct kw_reader *r, struct keeper_answer *ret)
{
    struct keeper_key_info *key = &ret->key;

    kw_reader_text(r, key->key_id, sizeof(key->key_id));
    unsigned class_ = kw_reader_u8(r);
    unsigned state = kw_reader_u8(r);
    key->alg = kw_reader_u32(r);
    kw_reader_text(r, key->custody, sizeof(key->custody));
    key->not_before = (int64_t)kw_reader_u64(r);
    key->not_after = (int64_t)kw_reader_u64(r);
    key->signatures = kw_reader_u64(r);
    struct kw_span spki = kw_reader_span16(r, sizeof(key->spki));
    if (class_ >= KEY_CLASS_MAX || state >= KEY_STATE_MAX || spki.len > sizeof(key->spki)) {
        kw_reader_reject(r);
        return;
    }
    key->class_ = (enum key_class)class_;
    key->state = (enum key_state)state;
    if (spki.len > 0) {
        memcpy(key->spki, spki.p, spki.len);
    }
    key->spki_len = (uint32_t)spki.len;
}

void enc_key_find(struct kw_writer *w, const struct keeper_msg *msg)
{
    kw_writer_text(w, msg->key_id);
}

void dec_key_find(struct kw_reader *r, struct keeper_msg *ret)
{
    kw_reader_text(r, ret->key_id, sizeof(ret->key_id));
}

void enc_key_find_answer(struct kw_writer *w, const struct keeper_answer *answer)
{
    enc_key_at_answer(w, answer);
}

void dec_key_find_answer(struct kw_reader *r, struct keeper_answer *ret)
{
    dec_key_at_answer(r, ret);
}

void enc_key_create(struct kw_writer *w, const struct keeper_msg *msg)
{
    kw_writer_span16(w, msg->key_create.policy);
    kw_writer_u64(w, msg->key_create.approval_id);
}

void dec_key_create(struct kw_reader *r, struct keeper_msg *ret)
{
    ret->key_create.policy = kw_reader_span16(r, POLICY_ENCODED_MAX);
    ret->key_create.approval_id = kw_reader_u64(r);
}

void enc_key_create_answer(struct kw_writer *w, const struct keeper_answer *answer)
{
    kw_writer_span16(w, answer->octets);
}

void dec_key_create_answer(struct kw_reader *r, struct keeper_answer *ret)
{
    ret->octets = kw_reader_span16(r, KW_SPKI_MAX);
}
