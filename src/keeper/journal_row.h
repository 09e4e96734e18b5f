/* One row of the keeper's journal: the same octets in its file and on the channel. */
#ifndef KEEPER_JOURNAL_ROW_H
#define KEEPER_JOURNAL_ROW_H

#include "base/reader.h"
#include "base/writer.h"
#include "keeper/keeper.h"

enum { KEEPER_JOURNAL_ROW_MAX = 8 + 8 + 1 + 1 + 4 + KW_HASH_BYTES + (2 + KW_NAME_MAX) + (2 + 64) };

void keeper_journal_row_encode(struct kw_writer *w, const struct keeper_journal_row *row);
/* Rejects what is no row. */
void keeper_journal_row_decode(struct kw_reader *r, struct keeper_journal_row *ret);

#endif
