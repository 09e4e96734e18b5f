/*
 * VAULT/journal: what each key was used for, one row after the other, none of which can be altered,
 * left out or moved without the key that lies in the sealed state. Format: docs/protocol/keeper.md.
 */
#ifndef KEEPER_CMD_JOURNAL_H
#define KEEPER_CMD_JOURNAL_H

#include "cmd/keywright-keeper/state.h"
#include "keeper/journal_row.h"

struct journal;

/**
 * Open, or begin one; reads and proves every row. state is borrowed and must outlive the journal:
 * it gets the head of each row that is appended. What stands behind the last whole row (a power
 * cut) is taken off and written down as a row of its own. Errors: KW_E_INTEGRITY a row was altered,
 * or the row that the state speaks of is not there; KW_E_IO.
 */
kw_status journal_open(struct kw_op *op, const char *dir, struct state *state,
                       struct journal **ret);
void journal_free(struct journal *journal);
KW_OWNED(journal, struct journal, journal_free)

/* Append; the row's number is filled in. Survives the end of this process on return, a power cut
 * after journal_sync(). After a failure (KW_E_FULL, KW_E_IO) nothing was appended. */
kw_status journal_append(struct kw_op *op, struct journal *journal, struct keeper_journal_row *row);
/* Durable on return; nothing to do where all is. */
kw_status journal_sync(struct kw_op *op, struct journal *journal);
/* Up to max rows from this number on, into the writer; each is proven again. KW_E_INTEGRITY. */
kw_status journal_read(struct kw_op *op, struct journal *journal, uint64_t from, unsigned max,
                       struct kw_writer *w, unsigned *ret_n);

#endif
