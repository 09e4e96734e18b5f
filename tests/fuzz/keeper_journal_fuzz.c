/* A row of the keeper's journal, as in its file and on the channel: it encodes to the same octets.
 */
#include <assert.h>

#include "keeper/journal_row.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t room[KEEPER_JOURNAL_ROW_MAX];
    struct kw_out out = KW_OUT_ARRAY(room);
    struct kw_reader r = kw_reader_of(KW_SPAN(data, size));
    struct keeper_journal_row row = {0};

    keeper_journal_row_decode(&r, &row);
    if (!kw_ok(kw_reader_end(&r))) {
        return 0;
    }
    assert(keeper_journal_what(&row));
    struct kw_writer w = kw_writer_of(&out);
    keeper_journal_row_encode(&w, &row);
    bool same = kw_ok(kw_writer_end(&w)) && kw_span_equal(kw_out_span(&out), KW_SPAN(data, size));
    assert(same);
    return 0;
}
