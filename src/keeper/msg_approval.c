/* APPROVAL_OPEN, APPROVAL_SIGN, APPROVAL_AT, APPROVAL_CANCEL, APPROVAL_USE: requests for approval.
 */
#include "keeper/msg_rows.h"

/* --- requests --------------------------------------------------------------------------------- */

static void write_subject(struct kw_writer *w, const struct approval_subject *subject)
{
    kw_writer_u8(w, (uint8_t)subject->op);
    kw_writer_u8(w, (uint8_t)subject->class_);
    kw_writer_u8(w, (uint8_t)subject->n);
    for (unsigned i = 0; i < subject->n && i < APPROVAL_DETAILS_MAX; i++) {
        kw_writer_text(w, subject->details[i].name);
        kw_writer_text(w, subject->details[i].value);
    }
}

/* What the text could not say is malformed, not merely refused. */
static void read_subject(struct kw_reader *r, const char *key_id, struct approval_subject *subject)
{
    memcpy(subject->key_id, key_id, sizeof(subject->key_id));
    subject->op = (enum approval_op)kw_reader_u8(r);
    subject->class_ = (enum key_class)kw_reader_u8(r);
    unsigned n = kw_reader_u8(r);
    if (n > APPROVAL_DETAILS_MAX) {
        kw_reader_reject(r);
        return;
    }
    for (subject->n = 0; subject->n < n; subject->n++) {
        kw_reader_text(r, subject->details[subject->n].name, APPROVAL_DETAIL_NAME);
        kw_reader_text(r, subject->details[subject->n].value, APPROVAL_DETAIL_VALUE);
    }
    if (!kw_ok(approval_subject_check(subject))) {
        kw_reader_reject(r);
    }
}

void enc_approval_open(struct kw_writer *w, const struct keeper_msg *msg)
{
    kw_writer_text(w, msg->key_id);
    kw_writer_text(w, msg->approval_open.requester);
    write_subject(w, &msg->approval_open.subject);
}

void dec_approval_open(struct kw_reader *r, struct keeper_msg *ret)
{
    kw_reader_text(r, ret->key_id, sizeof(ret->key_id));
    kw_reader_text(r, ret->approval_open.requester, sizeof(ret->approval_open.requester));
    read_subject(r, ret->key_id, &ret->approval_open.subject);
}

void enc_approval_use(struct kw_writer *w, const struct keeper_msg *msg)
{
    kw_writer_text(w, msg->key_id);
    kw_writer_u64(w, msg->approval_use.id);
    write_subject(w, &msg->approval_use.subject);
}

void dec_approval_use(struct kw_reader *r, struct keeper_msg *ret)
{
    kw_reader_text(r, ret->key_id, sizeof(ret->key_id));
    ret->approval_use.id = kw_reader_u64(r);
    read_subject(r, ret->key_id, &ret->approval_use.subject);
}

void enc_approval_sign(struct kw_writer *w, const struct keeper_msg *msg)
{
    kw_writer_u64(w, msg->approval_sign.id);
    kw_writer_u8(w, (uint8_t)msg->approval_sign.verdict);
    kw_writer_text(w, msg->approval_sign.name);
    kw_writer_span16(w, msg->approval_sign.signature);
}

void dec_approval_sign(struct kw_reader *r, struct keeper_msg *ret)
{
    ret->approval_sign.id = kw_reader_u64(r);
    unsigned verdict = kw_reader_u8(r);
    kw_reader_text(r, ret->approval_sign.name, sizeof(ret->approval_sign.name));
    ret->approval_sign.signature = kw_reader_span16(r, KW_SIG_MAX);
    if (verdict < APPROVAL_REQUEST || verdict >= APPROVAL_VERDICT_MAX) {
        kw_reader_reject(r);
        return;
    }
    ret->approval_sign.verdict = (enum approval_verdict)verdict;
}

void enc_approval_at(struct kw_writer *w, const struct keeper_msg *msg)
{
    kw_writer_u64(w, msg->approval_at.id);
    kw_writer_u8(w, msg->approval_at.next ? 1 : 0);
}

void dec_approval_at(struct kw_reader *r, struct keeper_msg *ret)
{
    ret->approval_at.id = kw_reader_u64(r);
    unsigned next = kw_reader_u8(r);
    ret->approval_at.next = next == 1;
    if (next > 1) {
        kw_reader_reject(r);
    }
}

void enc_approval_cancel(struct kw_writer *w, const struct keeper_msg *msg)
{
    kw_writer_u64(w, msg->approval_at.id);
}

void dec_approval_cancel(struct kw_reader *r, struct keeper_msg *ret)
{
    ret->approval_at.id = kw_reader_u64(r);
}

/* --- the answer, the same for all four -------------------------------------------------------- */

void enc_approval_at_answer(struct kw_writer *w, const struct keeper_answer *answer)
{
    const struct keeper_approval *info = &answer->approval.info;

    kw_writer_u8(w, (uint8_t)info->state);
    kw_writer_u8(w, (uint8_t)info->have);
    kw_writer_u8(w, (uint8_t)info->needed);
    kw_writer_span16(w, answer->approval.text);
    kw_writer_u8(w, (uint8_t)info->n);
    for (unsigned i = 0; i < info->n && i < KEEPER_SIGNERS_MAX; i++) {
        kw_writer_text(w, info->signers[i].name);
        kw_writer_u8(w, (uint8_t)info->signers[i].verdict);
        kw_writer_u64(w, (uint64_t)info->signers[i].unix_s);
    }
}

static void read_signers(struct kw_reader *r, struct keeper_approval *ret)
{
    unsigned n = kw_reader_u8(r);

    if (n > KEEPER_SIGNERS_MAX) {
        kw_reader_reject(r);
        return;
    }
    for (ret->n = 0; ret->n < n; ret->n++) {
        kw_reader_text(r, ret->signers[ret->n].name, sizeof(ret->signers[ret->n].name));
        unsigned verdict = kw_reader_u8(r);
        ret->signers[ret->n].verdict = (enum approval_verdict)verdict;
        ret->signers[ret->n].unix_s = (int64_t)kw_reader_u64(r);
        if (verdict < APPROVAL_REQUEST || verdict >= APPROVAL_VERDICT_MAX) {
            kw_reader_reject(r);
        }
    }
}

void dec_approval_at_answer(struct kw_reader *r, struct keeper_answer *ret)
{
    struct keeper_approval *info = &ret->approval.info;
    unsigned state = kw_reader_u8(r);

    info->have = kw_reader_u8(r);
    info->needed = kw_reader_u8(r);
    ret->approval.text = kw_reader_span16(r, APPROVAL_TEXT_MAX);
    read_signers(r, info);
    if (r->failed || state < APPROVAL_OPEN || state >= APPROVAL_STATE_MAX ||
        !kw_ok(approval_text_parse(ret->approval.text, &info->what))) {
        kw_reader_reject(r);
        return;
    }
    info->state = (enum approval_state)state;
    memcpy(info->text, ret->approval.text.p, ret->approval.text.len);
    info->text[ret->approval.text.len] = '\0';
}

#define SAME_ANSWER(suffix)                                                                        \
    void enc_##suffix##_answer(struct kw_writer *w, const struct keeper_answer *answer)            \
    {                                                                                              \
        enc_approval_at_answer(w, answer);                                                         \
    }                                                                                              \
    void dec_##suffix##_answer(struct kw_reader *r, struct keeper_answer *ret)                     \
    {                                                                                              \
        dec_approval_at_answer(r, ret);                                                            \
    }
SAME_ANSWER(approval_open)
SAME_ANSWER(approval_sign)
SAME_ANSWER(approval_cancel)

void enc_approval_use_answer(struct kw_writer *w, const struct keeper_answer *answer)
{
    (void)w; /* the outcome is all there is */
    (void)answer;
}

void dec_approval_use_answer(struct kw_reader *r, struct keeper_answer *ret)
{
    (void)r;
    (void)ret;
}
