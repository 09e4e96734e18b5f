/* Comma-separated values (RFC 4180), line by line: what is read here never spans a line end. */
#ifndef CODEC_CSV_H
#define CODEC_CSV_H

#include "base/bytes.h"

enum { CSV_FIELDS_MAX = 16, CSV_FIELD_MAX = 256, CSV_LINE_MAX = 4096 };

/* One line, taken apart; the texts are NUL-terminated and without their quotes. */
struct csv_line {
    unsigned n;
    char fields[CSV_FIELDS_MAX][CSV_FIELD_MAX];
};

/* The next line without its end (LF or CRLF); false at the end of the text. */
bool csv_next_line(struct kw_span *rest, struct kw_span *ret);
/* Skip a byte order mark at the start of a text. */
struct kw_span csv_skip_bom(struct kw_span text);
/**
 * Take a line apart. Spaces belong to the fields; a field in quotes may hold commas and doubled
 * quotes.
 * Errors: KW_E_INPUT a quote that is not closed, or amid a field; a control character; not UTF-8;
 *         KW_E_TOO_LARGE the line, a field or the number of fields is over its limit.
 */
kw_status csv_split(struct kw_span line, struct csv_line *ret);

#endif
