#include "codec/csv.h"

#include "base/utf8.h"

bool csv_next_line(struct kw_span *rest, struct kw_span *ret)
{
    if (rest->len == 0) {
        return false;
    }
    const uint8_t *end = memchr(rest->p, '\n', rest->len);
    size_t n = end ? (size_t)(end - rest->p) : rest->len;
    *ret = kw_span_sub(*rest, 0, n);
    *rest = kw_span_sub(*rest, end ? n + 1 : n, rest->len);
    if (ret->len > 0 && ret->p[ret->len - 1] == '\r') {
        ret->len--;
    }
    return true;
}

struct kw_span csv_skip_bom(struct kw_span text)
{
    static const uint8_t bom[] = {0xef, 0xbb, 0xbf};

    return text.len >= sizeof(bom) && memcmp(text.p, bom, sizeof(bom)) == 0
               ? kw_span_sub(text, sizeof(bom), text.len)
               : text;
}

/* Every octet that may be in a field, but for commas and quotes. */
static bool is_plain(struct kw_span line)
{
    while (line.len > 0) {
        unsigned n = kw_utf8_next(line);
        if (n == 0 || kw_utf8_is_control(line.p, n)) {
            return false;
        }
        line = kw_span_sub(line, n, line.len);
    }
    return true;
}

/* Take the field at the start of rest; *ret_more: a comma follows. */
static kw_status take_field(struct kw_span *rest, char *field, bool *ret_more)
{
    bool quoted = rest->len > 0 && *rest->p == '"';
    size_t at = quoted ? 1 : 0, n = 0;

    for (; at < rest->len; at++) {
        uint8_t c = rest->p[at];
        bool doubled = quoted && c == '"' && at + 1 < rest->len && rest->p[at + 1] == '"';
        if (doubled) {
            at++;
        } else if (quoted ? c == '"' : c == ',') {
            break;
        } else if (c == '"' && !quoted) {
            return KW_FAIL(KW_E_INPUT);
        }
        if (n + 1 >= CSV_FIELD_MAX) {
            return KW_FAIL(KW_E_TOO_LARGE);
        }
        field[n++] = (char)c;
    }
    field[n] = 0;
    if (quoted && at++ >= rest->len) {
        return KW_FAIL(KW_E_INPUT); /* not closed */
    }
    *ret_more = at < rest->len;
    if (*ret_more && rest->p[at] != ',') {
        return KW_FAIL(KW_E_INPUT); /* something behind the quote */
    }
    *rest = kw_span_sub(*rest, at + 1, rest->len);
    return KW_OK;
}

kw_status csv_split(struct kw_span line, struct csv_line *ret)
{
    bool more = true;

    ret->n = 0;
    if (line.len > CSV_LINE_MAX) {
        return KW_FAIL(KW_E_TOO_LARGE);
    }
    if (!is_plain(line)) {
        return KW_FAIL(KW_E_INPUT);
    }
    while (more) {
        if (ret->n == CSV_FIELDS_MAX) {
            return KW_FAIL(KW_E_TOO_LARGE);
        }
        kw_status status = take_field(&line, ret->fields[ret->n], &more);
        if (!kw_ok(status)) {
            return status;
        }
        ret->n++;
    }
    return KW_OK;
}
