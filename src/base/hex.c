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

kw_status kw_unhex(const char *text, struct kw_out *out)
{
    size_t n = strlen(text);

    for (size_t i = 0; i < n; i++) {
        if (digit_value(text[i]) < 0) {
            return KW_FAIL(KW_E_INPUT);
        }
    }
    if (n % 2 != 0) {
        return KW_FAIL(KW_E_INPUT);
    }
    if (n / 2 > out->cap) {
        return KW_FAIL(KW_E_TOO_LARGE);
    }
    for (size_t i = 0; i < n / 2; i++) {
        out->p[i] = (uint8_t)(digit_value(text[2 * i]) << 4 | digit_value(text[2 * i + 1]));
    }
    out->len = n / 2;
    return KW_OK;
}
