#include "base/b64.h"
#include "check.h"

/* RFC 4648 section 10. */
static const struct {
    const char *plain, *text;
} vectors[] = {
    {"",       ""        },
    {"f",      "Zg=="    },
    {"fo",     "Zm8="    },
    {"foo",    "Zm9v"    },
    {"foob",   "Zm9vYg=="},
    {"fooba",  "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
};

static void rfc_4648_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < KW_COUNT(vectors); i++) {
        AUTO(kw_bytes) *text = NULL;
        AUTO(kw_bytes) *plain = NULL;
        assert_ok(kw_bytes_new(0, &text));
        assert_ok(kw_b64_encode(kw_span_text(vectors[i].plain), 0, text));
        assert_span(kw_bytes_span(text), vectors[i].text);
        assert_ok(kw_b64_decode(kw_span_text(vectors[i].text), 6, &plain));
        assert_span(kw_bytes_span(plain), vectors[i].plain);
    }
}

static void every_length_and_line_length_goes_back(void **state)
{
    uint8_t octets[200];
    uint64_t seed = 1;

    (void)state;
    for (size_t n = 0; n <= sizeof(octets); n++) {
        for (size_t i = 0; i < n; i++) {
            octets[i] = (uint8_t)check_random(&seed);
        }
        for (unsigned line = 0; line <= 76; line += 19) {
            AUTO(kw_bytes) *text = NULL;
            AUTO(kw_bytes) *back = NULL;
            assert_ok(kw_bytes_new(0, &text));
            assert_ok(kw_b64_encode(KW_SPAN(octets, n), line, text));
            assert_ok(kw_b64_decode(kw_bytes_span(text), n, &back));
            assert_true(kw_span_equal(kw_bytes_span(back), KW_SPAN(octets, n)));
        }
    }
}

static void lines_have_their_length(void **state)
{
    AUTO(kw_bytes) *text = NULL;

    (void)state;
    assert_ok(kw_bytes_copy(kw_span_text(">"), &text));
    assert_ok(kw_b64_encode(kw_span_text("foobar"), 4, text));
    assert_span(kw_bytes_span(text), ">Zm9v\nYmFy\n");
    text->len = 0;
    assert_ok(kw_b64_encode(kw_span_text("foobar"), 3, text));
    assert_span(kw_bytes_span(text), "Zm9\nvYm\nFy\n");
    text->len = 0;
    assert_ok(kw_b64_encode(kw_span_text(""), 64, text));
    assert_span(kw_bytes_span(text), "");
}

static void damaged_text_is_refused(void **state)
{
    static const char *const bad[] = {
        "Z",    "Zg",   "Zg=",      "Zm9",   "=",     "==",       "====",  "Z===",
        "Zg=a", "Z=g=", "Zg==Zg==", "Zg===", "Zh==",  "Zm9=",     "Zm9v=", "Zm9v====",
        "Zm9-", "Zm9_", "Zm9v\x01", "Zm9v.", "Zg==a", "\xc3\xbc", "Zm9vZ", "Zg== =",
    };
    struct kw_bytes *back = NULL;

    (void)state;
    for (size_t i = 0; i < KW_COUNT(bad); i++) {
        if (kw_ok(kw_b64_decode(kw_span_text(bad[i]), 100, &back))) {
            fail_msg("'%s' was taken", bad[i]);
        }
        assert_null(back);
    }
    assert_code(kw_b64_decode(KW_SPAN("Zm9v\0", 5), 100, &back), KW_E_INPUT);
}

static void white_space_is_tolerated(void **state)
{
    AUTO(kw_bytes) *back = NULL;

    (void)state;
    assert_ok(kw_b64_decode(kw_span_text(" \r\nZ m\t9v\v\fYg\n=\n=\n"), 4, &back));
    assert_span(kw_bytes_span(back), "foob");
}

static void the_limit_holds(void **state)
{
    struct kw_bytes *back = NULL;

    (void)state;
    assert_code(kw_b64_decode(kw_span_text("Zm9vYmFy"), 5, &back), KW_E_TOO_LARGE);
    assert_code(kw_b64_decode(kw_span_text("Zg=="), 0, &back), KW_E_TOO_LARGE);
    assert_null(back);
}

static void url_form_has_its_letters_and_no_padding(void **state)
{
    AUTO(kw_bytes) *text = NULL;

    (void)state;
    assert_ok(kw_bytes_new(0, &text));
    assert_ok(kw_b64url_encode(KW_SPAN("\xfb\xff\xbf\xfb", 4), text));
    assert_span(kw_bytes_span(text), "-_-_-w");
    assert_ok(kw_b64url_encode(KW_SPAN("\xff\xff", 2), text));
    assert_ok(kw_b64url_encode(KW_SPAN(NULL, 0), text));
    assert_span(kw_bytes_span(text), "-_-_-w__8");
}

static void url_form_decodes_one_text_for_one_value(void **state)
{
    static const char *const bad[] = {
        "A", "AB", "AAB", "AA=", "AA==", "A+AA", "A/AA", "AA A", "AAAAA"};
    AUTO(kw_bytes) *back = NULL;

    (void)state;
    assert_ok(kw_b64url_decode(kw_span_text("-_-_-w"), 4, &back));
    assert_span(kw_bytes_span(back), "\xfb\xff\xbf\xfb");
    kw_bytes_free(TAKE(back));
    assert_ok(kw_b64url_decode(kw_span_text("__8"), 2, &back));
    assert_span(kw_bytes_span(back), "\xff\xff");
    kw_bytes_free(TAKE(back));
    for (size_t i = 0; i < KW_COUNT(bad); i++) {
        assert_code(kw_b64url_decode(kw_span_text(bad[i]), 100, &back), KW_E_INPUT);
    }
    assert_code(kw_b64url_decode(kw_span_text("__8"), 1, &back), KW_E_TOO_LARGE);
    assert_null(back);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc_4648_vectors),
        cmocka_unit_test(every_length_and_line_length_goes_back),
        cmocka_unit_test(lines_have_their_length),
        cmocka_unit_test(damaged_text_is_refused),
        cmocka_unit_test(white_space_is_tolerated),
        cmocka_unit_test(the_limit_holds),
        cmocka_unit_test(url_form_has_its_letters_and_no_padding),
        cmocka_unit_test(url_form_decodes_one_text_for_one_value),
    };
    return cmocka_run_group_tests_name("b64", tests, NULL, NULL);
}
