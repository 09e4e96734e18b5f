/* Statements: what is read is exactly what statement_write() makes of its values. */
#include <assert.h>

#include "model/statement.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char values[STATEMENT_FIELDS_MAX][STATEMENT_VALUE_MAX + 1];
    static char room[STATEMENT_MAX];
    const char *texts[STATEMENT_FIELDS_MAX];
    struct kw_out out = KW_OUT_ARRAY(room);
    struct statement statement;
    const char *wrong = NULL;

    if (!kw_ok(statement_parse(KW_SPAN(data, size), &statement, &wrong))) {
        assert(wrong);
        return 0;
    }
    for (unsigned i = 0; i < statement.n; i++) {
        assert(statement.value[i].len > 0 && statement.value[i].len <= STATEMENT_VALUE_MAX);
        memcpy(values[i], statement.value[i].p, statement.value[i].len);
        values[i][statement.value[i].len] = '\0';
        texts[i] = values[i];
    }
    bool same = kw_ok(statement_write(statement.kind, texts, statement.n, &out)) &&
                kw_span_equal(kw_out_span(&out), KW_SPAN(data, size));
    assert(same);
    return 0;
}
