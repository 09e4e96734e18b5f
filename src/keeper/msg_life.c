/* KEY_ROTATE, KEY_STEP, KEY_DESTROY, KEY_HISTORY, KEY_POLICY: a key's life. */
#include "keeper/msg_rows.h"

void enc_key_rotate(struct kw_writer *w, const struct keeper_msg *msg)
{
    kw_writer_text(w, msg->key_id);
    kw_writer_u64(w, msg->key_rotate.approval_id);
    kw_writer_u8(w, msg->key_rotate.new_line);
}

void dec_key_rotate(struct kw_reader *r, struct keeper_msg *ret)
{
    kw_reader_text(r, ret->key_id, sizeof(ret->key_id));
    ret->key_rotate.approval_id = kw_reader_u64(r);
    unsigned new_line = kw_reader_u8(r);
    ret->key_rotate.new_line = new_line == 1;
    if (new_line > 1) {
        kw_reader_reject(r);
    }
}

void enc_key_rotate_answer(struct kw_writer *w, const struct keeper_answer *answer)
{
    enc_key_at_answer(w, answer);
}

void dec_key_rotate_answer(struct kw_reader *r, struct keeper_answer *ret)
{
    dec_key_at_answer(r, ret);
}

void enc_key_step(struct kw_writer *w, const struct keeper_msg *msg)
{
    kw_writer_text(w, msg->key_id);
    kw_writer_u8(w, (uint8_t)msg->key_step.event);
    kw_writer_text(w, msg->key_step.reason);
    kw_writer_u64(w, msg->key_step.approval_id);
}

void dec_key_step(struct kw_reader *r, struct keeper_msg *ret)
{
    kw_reader_text(r, ret->key_id, sizeof(ret->key_id));
    unsigned event = kw_reader_u8(r);
    kw_reader_text(r, ret->key_step.reason, sizeof(ret->key_step.reason));
    ret->key_step.approval_id = kw_reader_u64(r);
    if (event >= KEY_EVENT_DESTROY) {
        kw_reader_reject(r); /* KEY_DESTROY does that */
        return;
    }
    ret->key_step.event = (enum key_event)event;
}

void enc_key_step_answer(struct kw_writer *w, const struct keeper_answer *answer)
{
    enc_key_at_answer(w, answer);
}

void dec_key_step_answer(struct kw_reader *r, struct keeper_answer *ret)
{
    dec_key_at_answer(r, ret);
}

void enc_key_destroy(struct kw_writer *w, const struct keeper_msg *msg)
{
    kw_writer_text(w, msg->key_id);
    kw_writer_text(w, msg->key_step.reason);
    kw_writer_u64(w, msg->key_step.approval_id);
}

void dec_key_destroy(struct kw_reader *r, struct keeper_msg *ret)
{
    kw_reader_text(r, ret->key_id, sizeof(ret->key_id));
    kw_reader_text(r, ret->key_step.reason, sizeof(ret->key_step.reason));
    ret->key_step.approval_id = kw_reader_u64(r);
    ret->key_step.event = KEY_EVENT_DESTROY;
}

void enc_key_destroy_answer(struct kw_writer *w, const struct keeper_answer *answer)
{
    kw_writer_span16(w, answer->destroyed.statement);
    kw_writer_text(w, answer->destroyed.signer);
    kw_writer_span16(w, answer->destroyed.signature);
}

void dec_key_destroy_answer(struct kw_reader *r, struct keeper_answer *ret)
{
    ret->destroyed.statement = kw_reader_span16(r, STATEMENT_MAX);
    kw_reader_text(r, ret->destroyed.signer, sizeof(ret->destroyed.signer));
    ret->destroyed.signature = kw_reader_span16(r, KW_SIG_MAX);
}

void enc_key_history(struct kw_writer *w, const struct keeper_msg *msg)
{
    kw_writer_text(w, msg->key_id);
}

void dec_key_history(struct kw_reader *r, struct keeper_msg *ret)
{
    kw_reader_text(r, ret->key_id, sizeof(ret->key_id));
}

static void put_phase(struct kw_writer *w, const struct keeper_key_phase *phase)
{
    kw_writer_u64(w, (uint64_t)phase->since_unix);
    kw_writer_text(w, phase->who);
    kw_writer_text(w, phase->reason);
}

static void get_phase(struct kw_reader *r, struct keeper_key_phase *ret)
{
    ret->since_unix = (int64_t)kw_reader_u64(r);
    kw_reader_text(r, ret->who, sizeof(ret->who));
    kw_reader_text(r, ret->reason, sizeof(ret->reason));
}

void enc_key_history_answer(struct kw_writer *w, const struct keeper_answer *answer)
{
    const struct keeper_key_life *life = &answer->life;

    kw_writer_text(w, life->key_id);
    kw_writer_u8(w, (uint8_t)life->class_);
    kw_writer_u8(w, (uint8_t)life->state);
    kw_writer_u32(w, life->alg);
    kw_writer_u64(w, (uint64_t)life->not_before);
    kw_writer_u64(w, (uint64_t)life->not_after);
    kw_writer_u64(w, life->uses);
    kw_writer_put(w, KW_SPAN_ARRAY(life->spki_sha256));
    kw_writer_text(w, life->predecessor);
    kw_writer_text(w, life->successor);
    kw_writer_u64(w, life->crl_number);
    kw_writer_u64(w, life->tree_size);
    kw_writer_put(w, KW_SPAN_ARRAY(life->tree_root));
    kw_writer_u64(w, (uint64_t)life->retire_at);
    for (unsigned i = 0; i < KEY_STATE_MAX; i++) {
        put_phase(w, &life->phases[i]);
    }
}

void dec_key_history_answer(struct kw_reader *r, struct keeper_answer *ret)
{
    struct keeper_key_life *life = &ret->life;

    kw_reader_text(r, life->key_id, sizeof(life->key_id));
    unsigned class_ = kw_reader_u8(r);
    unsigned state = kw_reader_u8(r);
    life->alg = kw_reader_u32(r);
    life->not_before = (int64_t)kw_reader_u64(r);
    life->not_after = (int64_t)kw_reader_u64(r);
    life->uses = kw_reader_u64(r);
    kw_reader_copy(r, life->spki_sha256, sizeof(life->spki_sha256));
    kw_reader_text(r, life->predecessor, sizeof(life->predecessor));
    kw_reader_text(r, life->successor, sizeof(life->successor));
    life->crl_number = kw_reader_u64(r);
    life->tree_size = kw_reader_u64(r);
    kw_reader_copy(r, life->tree_root, sizeof(life->tree_root));
    life->retire_at = (int64_t)kw_reader_u64(r);
    for (unsigned i = 0; i < KEY_STATE_MAX; i++) {
        get_phase(r, &life->phases[i]);
    }
    if (class_ >= KEY_CLASS_MAX || state >= KEY_STATE_MAX) {
        kw_reader_reject(r);
        return;
    }
    life->class_ = (enum key_class)class_;
    life->state = (enum key_state)state;
}

void enc_key_policy(struct kw_writer *w, const struct keeper_msg *msg)
{
    kw_writer_text(w, msg->key_id);
}

void dec_key_policy(struct kw_reader *r, struct keeper_msg *ret)
{
    kw_reader_text(r, ret->key_id, sizeof(ret->key_id));
}

void enc_key_policy_answer(struct kw_writer *w, const struct keeper_answer *answer)
{
    kw_writer_span16(w, answer->octets);
}

void dec_key_policy_answer(struct kw_reader *r, struct keeper_answer *ret)
{
    ret->octets = kw_reader_span16(r, POLICY_ENCODED_MAX);
}
