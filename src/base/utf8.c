#include "base/utf8.h"

/* RFC 3629 section 4 as a table: first octet's range, length, range of the second octet. */
static const struct {
    uint8_t first_lo, first_hi, len, second_lo, second_hi;
} forms[] = {
    {0x00, 0x7f, 1, 0x00, 0x00},
    {0xc2, 0xdf, 2, 0x80, 0xbf},
    {0xe0, 0xe0, 3, 0xa0, 0xbf},
    {0xe1, 0xec, 3, 0x80, 0xbf},
    {0xed, 0xed, 3, 0x80, 0x9f}, /* no surrogates */
    {0xee, 0xef, 3, 0x80, 0xbf},
    {0xf0, 0xf0, 4, 0x90, 0xbf},
    {0xf1, 0xf3, 4, 0x80, 0xbf},
    {0xf4, 0xf4, 4, 0x80, 0x8f}, /* not beyond U+10FFFF */
};

static bool tail_is_good(struct kw_span text, size_t form)
{
    if (text.len < forms[form].len) {
        return false;
    }
    if (forms[form].len > 1 &&
        (text.p[1] < forms[form].second_lo || text.p[1] > forms[form].second_hi)) {
        return false;
    }
    for (unsigned i = 2; i < forms[form].len; i++) {
        if ((text.p[i] & 0xc0) != 0x80) {
            return false;
        }
    }
    return true;
}

unsigned kw_utf8_next(struct kw_span text)
{
    if (text.len == 0) {
        return 0;
    }
    for (size_t i = 0; i < KW_COUNT(forms); i++) {
        if (text.p[0] >= forms[i].first_lo && text.p[0] <= forms[i].first_hi) {
            return tail_is_good(text, i) ? forms[i].len : 0;
        }
    }
    return 0;
}

bool kw_utf8_is_control(const uint8_t *p, unsigned n)
{
    if (n == 1) {
        return p[0] < 0x20 || p[0] == 0x7f;
    }
    return n == 2 && p[0] == 0xc2 && p[1] < 0xa0; /* C1: U+0080 to U+009F */
}

bool kw_utf8_is_plain(struct kw_span text)
{
    while (text.len > 0) {
        unsigned n = kw_utf8_next(text);
        if (n == 0 || kw_utf8_is_control(text.p, n)) {
            return false;
        }
        text = kw_span_sub(text, n, text.len);
    }
    return true;
}
