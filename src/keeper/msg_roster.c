/* ROSTER_SET, ROSTER_AT: who approves what. */
#include "keeper/msg_rows.h"

void enc_roster_set(struct kw_writer *w, const struct keeper_msg *msg)
{
    kw_writer_u64(w, msg->roster_set.approval_id);
    kw_writer_span16(w, msg->roster_set.roster);
}

void dec_roster_set(struct kw_reader *r, struct keeper_msg *ret)
{
    ret->roster_set.approval_id = kw_reader_u64(r);
    ret->roster_set.roster = kw_reader_span16(r, ROSTER_ENCODED_MAX);
}

void enc_roster_set_answer(struct kw_writer *w, const struct keeper_answer *answer)
{
    kw_writer_u64(w, answer->roster.version);
}

void dec_roster_set_answer(struct kw_reader *r, struct keeper_answer *ret)
{
    ret->roster.version = kw_reader_u64(r);
}

static bool read_bool(struct kw_reader *r)
{
    unsigned v = kw_reader_u8(r);

    if (v > 1) {
        kw_reader_reject(r);
    }
    return v == 1;
}

void enc_roster_at(struct kw_writer *w, const struct keeper_msg *msg)
{
    kw_writer_u8(w, msg->roster_at.rule ? 1 : 0);
    kw_writer_u32(w, msg->roster_at.index);
}

void dec_roster_at(struct kw_reader *r, struct keeper_msg *ret)
{
    ret->roster_at.rule = read_bool(r);
    ret->roster_at.index = kw_reader_u32(r);
}

void enc_roster_at_answer(struct kw_writer *w, const struct keeper_answer *answer)
{
    const struct keeper_roster_row *row = &answer->roster;

    kw_writer_u64(w, row->version);
    kw_writer_u32(w, row->n);
    kw_writer_u32(w, row->n_rules);
    kw_writer_u8(w, row->rule ? 1 : 0);
    if (row->rule) {
        roster_rule_write(w, &row->approval_rule);
    } else {
        roster_approver_write(w, &row->approver);
    }
}

void dec_roster_at_answer(struct kw_reader *r, struct keeper_answer *ret)
{
    struct keeper_roster_row *row = &ret->roster;

    row->version = kw_reader_u64(r);
    row->n = kw_reader_u32(r);
    row->n_rules = kw_reader_u32(r);
    row->rule = read_bool(r);
    if (row->n > ROSTER_MAX || row->n_rules > ROSTER_RULES_MAX) {
        kw_reader_reject(r);
    }
    if (row->rule) {
        roster_rule_read(r, &row->approval_rule);
    } else {
        roster_approver_read(r, &row->approver);
    }
}
