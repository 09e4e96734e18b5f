#include "base/hex.h"

#include <string.h>

enum { NUMBER_DIGITS_MAX = 128 };

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

/* Digits without what tools put around them, the first of an odd number of them paired with a zero.
 */
static void take_digits(const char *text, struct kw_out *digits)
{
    size_t n = 0;

    for (const char *c = text; *c; c++) {
        n += *c != ':';
    }
    if (n % 2 != 0 && digits->cap > 0) {
        digits->p[digits->len++] = '0';
    }
    for (const char *c = text; *c && digits->len < digits->cap; c++) {
        if (*c != ':') {
            digits->p[digits->len++] = (uint8_t)*c;
        }
    }
}

kw_status kw_unhex_number(const char *text, struct kw_out *out)
{
    uint8_t room[NUMBER_DIGITS_MAX];
    struct kw_out digits = KW_OUT_ARRAY(room);
    size_t zeros = 0;

    take_digits(text + (strncmp(text, "0x", 2) == 0 || strncmp(text, "0X", 2) == 0 ? 2 : 0),
                &digits);
    if (digits.len == 0 || digits.len == digits.cap) {
        return KW_FAIL(digits.len == 0 ? KW_E_INPUT : KW_E_TOO_LARGE);
    }
    while (digits.len - zeros > 2 && memcmp(room + zeros, "00", 2) == 0) {
        zeros += 2;
    }
    return kw_unhex_span(KW_SPAN(room + zeros, digits.len - zeros), out);
}
