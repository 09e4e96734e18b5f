/* CSV: what is taken apart and put together again, quoted, is taken apart the same. */
#include <stdlib.h>

#include "codec/csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct kw_bytes *join(const struct csv_line *line)
{
    struct kw_bytes *text = NULL;

    if (!kw_ok(kw_bytes_new(64, &text))) {
        abort();
    }
    for (unsigned i = 0; i < line->n; i++) {
        kw_status status = kw_bytes_append_text(text, i ? ",\"" : "\"");
        for (const char *p = line->fields[i]; kw_ok(status) && *p; p++) {
            status = kw_bytes_append(text, KW_SPAN(*p == '"' ? "\"\"" : p, *p == '"' ? 2 : 1));
        }
        if (!kw_ok(status) || !kw_ok(kw_bytes_append_text(text, "\""))) {
            abort();
        }
    }
    return text;
}

static void same_again(const struct csv_line *line)
{
    static struct csv_line again;
    struct kw_bytes *text = join(line);
    kw_status status = csv_split(kw_bytes_span(text), &again);

    if (!kw_ok(status) && status.code != KW_E_TOO_LARGE) { /* the quotes may make it too long */
        abort();
    }
    if (kw_ok(status) && again.n != line->n) {
        abort();
    }
    for (unsigned i = 0; kw_ok(status) && i < line->n; i++) {
        if (strcmp(line->fields[i], again.fields[i]) != 0) {
            abort();
        }
    }
    kw_bytes_free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct csv_line line;
    struct kw_span rest = csv_skip_bom(KW_SPAN(data, size)), one;

    while (csv_next_line(&rest, &one)) {
        if (kw_ok(csv_split(one, &line))) {
            same_again(&line);
        }
    }
    return 0;
}
