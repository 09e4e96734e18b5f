#include "codec/sink.h"

#include "base/utf8.h"

struct sink sink_of(struct kw_bytes *into)
{
    return (struct sink){.into = into, .start = into->len, .status = KW_OK};
}

void sink_put(struct sink *s, const char *octets, size_t n)
{
    if (kw_ok(s->status)) {
        s->status = kw_bytes_append(s->into, KW_SPAN(octets, n));
    }
}

void sink_text(struct sink *s, const char *text)
{
    sink_put(s, text, strlen(text));
}

/* RFC 8785: two-character forms where there are any, otherwise \u00xx in lower case. */
static void put_escape(struct sink *s, uint8_t c)
{
    static const char digits[] = "0123456789abcdef";
    static const char short_forms[] = {
        ['"'] = '"',  ['\\'] = '\\', ['\b'] = 'b', ['\f'] = 'f',
        ['\n'] = 'n', ['\r'] = 'r',  ['\t'] = 't',
    };
    char letter = c < sizeof(short_forms) ? short_forms[c] : '\0';

    if (letter) {
        sink_put(s, (char[]){'\\', letter}, 2);
    } else {
        sink_put(s, (char[]){'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]}, 6);
    }
}

/* Octets from the front that go out as they are: no escape needed, and well-formed. */
static size_t plain_run(struct kw_span text)
{
    size_t n = 0;

    while (n < text.len) {
        uint8_t c = text.p[n];
        if (c < 0x20 || c == '"' || c == '\\') {
            break;
        }
        unsigned len = c < 0x80 ? 1 : kw_utf8_next(kw_span_sub(text, n, 4));
        if (len == 0) {
            break;
        }
        n += len;
    }
    return n;
}

void sink_string(struct sink *s, struct kw_span text)
{
    sink_put(s, "\"", 1);
    while (text.len > 0 && kw_ok(s->status)) {
        size_t n = plain_run(text);
        sink_put(s, (const char *)text.p, n);
        text = kw_span_sub(text, n, text.len);
        if (text.len > 0 && text.p[0] >= 0x80) {
            s->status = KW_FAIL(KW_E_INPUT);
        } else if (text.len > 0) {
            put_escape(s, text.p[0]);
            text = kw_span_sub(text, 1, text.len);
        }
    }
    sink_put(s, "\"", 1);
}

void sink_unsigned(struct sink *s, uint64_t value)
{
    char digits[20]; /* 2^64-1 has 20 */
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    sink_put(s, digits + at, sizeof(digits) - at);
}

void sink_signed(struct sink *s, int64_t value)
{
    if (value < 0) {
        sink_put(s, "-", 1);
        sink_unsigned(s, -(uint64_t)value);
    } else {
        sink_unsigned(s, (uint64_t)value);
    }
}

kw_status sink_end(struct sink *s)
{
    if (!kw_ok(s->status)) {
        s->into->len = s->start;
    }
    return s->status;
}
