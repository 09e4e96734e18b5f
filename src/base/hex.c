#include "base/hex.h"

const char *kw_hex(struct kw_span span, char *text, size_t cap)
{
    static const char digits[] = "0123456789abcdef";
    size_t at = 0;

    for (size_t i = 0; i < span.len && at + 2 < cap; i++) {
        text[at++] = digits[span.p[i] >> 4];
        text[at++] = digits[span.p[i] & 15];
    }
    if (cap > 0) {
        text[at] = '\0';
    }
    return text;
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

kw_status kw_unhex_span(struct kw_span text, struct kw_out *out)
{
    for (size_t i = 0; i < text.len; i++) {
        if (digit_value((char)text.p[i]) < 0) {
            return KW_FAIL(KW_E_INPUT);
        }
    }
    if (text.len % 2 != 0) {
        return KW_FAIL(KW_E_INPUT);
    }
    if (text.len / 2 > out->cap) {
        return KW_FAIL(KW_E_TOO_LARGE);
    }
    for (size_t i = 0; i < text.len / 2; i++) {
        int high = digit_value((char)text.p[2 * i]);
        int low = digit_value((char)text.p[2 * i + 1]);
        out->p[i] = (uint8_t)(high << 4 | low);
    }
    out->len = text.len / 2;
    return KW_OK;
}

kw_status kw_unhex(const char *text, struct kw_out *out)
{
    return kw_unhex_span(kw_span_text(text), out);
}
