/* JOURNAL_READ: what the keys were used for, a page at a time. */
#include "keeper/journal_row.h"
#include "keeper/msg_rows.h"

_Static_assert(KEEPER_JOURNAL_ROWS_MAX *KEEPER_JOURNAL_ROW_MAX + 2 + KW_OP_TEXT_MAX + 32 <
                   KEEPER_REPLY_MAX,
               "a page fits");

void enc_journal_read(struct kw_writer *w, const struct keeper_msg *msg)
{
    kw_writer_u64(w, msg->journal_read.from);
    kw_writer_u16(w, msg->journal_read.max);
}

void dec_journal_read(struct kw_reader *r, struct keeper_msg *ret)
{
    ret->journal_read.from = kw_reader_u64(r);
    ret->journal_read.max = kw_reader_u16(r);
    if (ret->journal_read.max == 0 || ret->journal_read.max > KEEPER_JOURNAL_ROWS_MAX) {
        kw_reader_reject(r);
    }
}

void enc_journal_read_answer(struct kw_writer *w, const struct keeper_answer *answer)
{
    kw_writer_u64(w, answer->journal.last);
    kw_writer_u16(w, answer->journal.n);
    kw_writer_span16(w, answer->journal.rows);
}

void dec_journal_read_answer(struct kw_reader *r, struct keeper_answer *ret)
{
    ret->journal.last = kw_reader_u64(r);
    ret->journal.n = kw_reader_u16(r);
    ret->journal.rows = kw_reader_span16(r, KEEPER_JOURNAL_ROWS_MAX * KEEPER_JOURNAL_ROW_MAX);
    if (ret->journal.n > KEEPER_JOURNAL_ROWS_MAX) {
        kw_reader_reject(r);
    }
}
