#include "base/utf8.h"
#include "check.h"

/* The code point of a well-formed character, by the definition of RFC 3629 section 3. */
static uint32_t code_point(const uint8_t *p, unsigned n)
{
    static const uint8_t first_mask[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t c = p[0] & first_mask[n];

    for (unsigned i = 1; i < n; i++) {
        c = c << 6 | (p[i] & 0x3f);
    }
    return c;
}

static unsigned encode(uint32_t c, uint8_t out[4])
{
    if (c < 0x80) {
        out[0] = (uint8_t)c;
        return 1;
    }
    unsigned n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (unsigned i = n - 1; i > 0; i--, c >>= 6) {
        out[i] = (uint8_t)(0x80 | (c & 0x3f));
    }
    out[0] = (uint8_t)(0xf00 >> n | c);
    return n;
}

static void every_character_is_taken(void **state)
{
    (void)state;
    for (uint32_t c = 0; c < 0x110000; c++) {
        uint8_t octets[4];
        unsigned n = encode(c, octets);
        bool surrogate = c >= 0xd800 && c < 0xe000;
        unsigned got = kw_utf8_next(KW_SPAN(octets, n));
        if (got != (surrogate ? 0 : n) || (got && code_point(octets, n) != c) ||
            kw_utf8_next(KW_SPAN(octets, n - 1)) != 0) {
            fail_msg("U+%04X", c);
        }
    }
}

static void nothing_else_is_taken(void **state)
{
    (void)state;
    /* Whatever three octets are taken, encoding their code point gives the same ones: one form
     * only. */
    for (uint32_t v = 0; v < 1 << 24; v += 7) {
        uint8_t octets[3] = {(uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};
        unsigned n = kw_utf8_next(KW_SPAN_ARRAY(octets));
        uint8_t again[4];
        if (n > 0 && (encode(code_point(octets, n), again) != n || memcmp(octets, again, n) != 0)) {
            fail_msg("%06x", v);
        }
    }
    assert_int_equal(kw_utf8_next(KW_SPAN("\xf4\x90\x80\x80", 4)), 0); /* U+110000 */
    assert_int_equal(kw_utf8_next(KW_SPAN("\xf0\x80\x80\x80", 4)), 0); /* overlong */
}

static void plain_text_has_no_controls(void **state)
{
    (void)state;
    assert_true(kw_utf8_is_plain(kw_span_text("")));
    assert_true(kw_utf8_is_plain(kw_span_text("a \xc3\xbc \xe2\x82\xac \xf0\x9f\x94\x91")));
    assert_false(kw_utf8_is_plain(kw_span_text("a\tb")));
    assert_false(kw_utf8_is_plain(kw_span_text("a\x7f")));
    assert_false(kw_utf8_is_plain(kw_span_text("a\xc2\x85")));
    assert_true(kw_utf8_is_plain(kw_span_text("a\xc2\xa0")));
    assert_false(kw_utf8_is_plain(KW_SPAN("a\0b", 3)));
    assert_false(kw_utf8_is_plain(kw_span_text("a\xff")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_character_is_taken),
        cmocka_unit_test(nothing_else_is_taken),
        cmocka_unit_test(plain_text_has_no_controls),
    };
    return cmocka_run_group_tests_name("utf8", tests, NULL, NULL);
}
