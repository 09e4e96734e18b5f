#include "base/pem.h"

#include <stdio.h>

#include "base/b64.h"

enum { LINE_LEN = 64, LABEL_MAX = 64 }; /* RFC 7468 section 2; the longest label in use has 25 */

kw_status kw_pem_encode(const char *label, struct kw_span der, struct kw_bytes *into)
{
    size_t before = into->len;

    kw_status status = kw_bytes_printf(into, "-----BEGIN %s-----\n", label);
    if (kw_ok(status)) {
        status = kw_b64_encode(der, LINE_LEN, into);
    }
    if (kw_ok(status)) {
        status = kw_bytes_printf(into, "-----END %s-----\n", label);
    }
    if (!kw_ok(status)) {
        into->len = before;
    }
    return status;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* The next line without its end and blanks before it; *rest moves behind it. */
static struct kw_span next_line(struct kw_span *rest)
{
    const uint8_t *end = memchr(rest->p, '\n', rest->len);
    size_t n = end ? (size_t)(end - rest->p) : rest->len;
    struct kw_span line = KW_SPAN(rest->p, n);

    *rest = kw_span_sub(*rest, end ? n + 1 : n, rest->len);
    while (line.len > 0 && is_blank(line.p[line.len - 1])) {
        line.len--;
    }
    return line;
}

struct boundary {
    char text[LABEL_MAX + sizeof("-----BEGIN -----")];
};

static bool boundary_init(struct boundary *b, const char *verb, const char *label)
{
    int n = snprintf(b->text, sizeof(b->text), "-----%s %s-----", verb, label);

    return n > 0 && (size_t)n < sizeof(b->text);
}

/* Move *rest behind the line that is exactly this boundary; *before is what stood in front of it.
 */
static bool skip_boundary(struct kw_span *rest, const struct boundary *b, struct kw_span *before)
{
    const struct kw_span wanted = kw_span_text(b->text);
    struct kw_span left = *rest;

    while (left.len > 0) {
        const uint8_t *line_start = left.p;
        struct kw_span line = next_line(&left);
        if (kw_span_equal(line, wanted)) {
            *before = KW_SPAN(rest->p, (size_t)(line_start - rest->p));
            *rest = left;
            return true;
        }
    }
    return false;
}

kw_status kw_pem_next(struct kw_span *rest, const char *label, size_t max, struct kw_bytes **ret)
{
    struct boundary begin;
    struct boundary end;
    struct kw_span left = *rest;
    struct kw_span body;

    if (!boundary_init(&begin, "BEGIN", label) || !boundary_init(&end, "END", label)) {
        return KW_FAIL(KW_E_INTERNAL);
    }
    if (!skip_boundary(&left, &begin, &body)) {
        return KW_FAIL(KW_E_NOT_FOUND);
    }
    if (!skip_boundary(&left, &end, &body)) {
        return KW_FAIL(KW_E_INPUT);
    }
    /* Another boundary or a header line in between has characters that base64 refuses. */
    kw_status status = kw_b64_decode(body, max, ret);
    if (kw_ok(status)) {
        *rest = left;
    }
    return status;
}
