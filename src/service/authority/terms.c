#include "service/authority/terms.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"

static void cut(char room[TERMS_TEXT_MAX], const char *text)
{
    (void)snprintf(room, TERMS_TEXT_MAX, "%s", text);
}

static struct terms_line *next_line(struct terms *terms, const struct terms_place *place)
{
    static struct terms_line overflow; /* written, never read */

    if (terms->n == TERMS_MAX) {
        return &overflow;
    }
    struct terms_line *line = &terms->lines[terms->n++];
    memset(line, 0, sizeof(*line));
    KW_TEXT_SET(line->field, place->field);
    KW_TEXT_SET(line->rule, place->rule);
    KW_TEXT_SET(line->source, place->source);
    return line;
}

kw_status terms_check(struct kw_op *op, struct terms *terms, const struct terms_place *place,
                      kw_status status)
{
    if (!terms || kw_ok(status) || kw_code_http(status.code) >= 500) {
        return status;
    }
    struct terms_line *line = next_line(terms, place);
    KW_TEXT_SET(line->verdict, "refused");
    cut(line->gets, kw_op_cause(op));
    terms->n_refused++;
    kw_op_clear(op);
    return KW_OK;
}

static const char *verdict_of(const char *asked, const char *gets)
{
    if (!asked || !*asked) {
        return "set";
    }
    if (strcmp(asked, gets) == 0) {
        return "as asked";
    }
    return *gets ? "replaced" : "ignored";
}

void terms_tell(struct terms *terms, const struct terms_place *place, const char *asked,
                const char *gets)
{
    if (!terms) {
        return;
    }
    struct terms_line *line = next_line(terms, place);
    cut(line->asked, asked ? asked : "");
    cut(line->gets, gets);
    KW_TEXT_SET(line->verdict, verdict_of(asked, gets));
}
