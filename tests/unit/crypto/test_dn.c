#include "crypto/dn.h"

#include "kit.h"

static struct kw_span build(struct kw_out *out, const struct dn_part parts[], unsigned n)
{
    struct kw_op op;

    kw_op_init(&op, "test", 0);
    assert_ok(&op, dn_build(&op, parts, n, out));
    return kw_out_span(out);
}

static void names_are_der_in_the_order_given(void **state)
{
    uint8_t room[KW_DN_MAX];
    struct kw_out out = KW_OUT_ARRAY(room);
    struct dn_part parts[] = {
        {"C",            "DE"},
        {"O",            "Kö"},
        {"serialNumber", "A1"}
    };
    AUTO(kw_bytes) *want = from_hex("302a"
                                    "310b3009060355040613024445"   /* PrintableString */
                                    "310c300a060355040a0c034bc3b6" /* UTF8String */
                                    "310b300906035504051302"
                                    "4131");

    (void)state;
    want->p[1] = (uint8_t)(want->len - 2);
    assert_span_equal(build(&out, parts, 3), kw_bytes_span(want));
}

static void no_part_is_an_empty_name(void **state)
{
    uint8_t room[KW_DN_MAX];
    struct kw_out out = KW_OUT_ARRAY(room);
    AUTO(kw_bytes) *want = from_hex("3000");

    (void)state;
    assert_span_equal(build(&out, NULL, 0), kw_bytes_span(want));
}

static void what_x520_forbids_is_refused(void **state)
{
    static char long_cn[66];
    static const struct dn_part bad[] = {
        {"C",            "DEU"  },
        {"C",            "D"    },
        {"C",            "de"   },
        {"C",            "D1"   },
        {"CN",           ""     },
        {"CN",           long_cn},
        {"CN",           "a\nb" },
        {"CN",           "\xff" },
        {"serialNumber", "a_b"  },
        {"serialNumber", "ä"    },
        {"DC",           "a.b"  },
        {"DC",           ""     },
        {"DC",           "ä"    },
        {"UID",          "x"    },
        {"cn",           "x"    },
        {"O",            "\x7f" },
    };
    uint8_t room[KW_DN_MAX];
    struct kw_out out = KW_OUT_ARRAY(room);
    struct kw_op op;

    (void)state;
    memset(long_cn, 'x', 65);
    for (size_t i = 0; i < KW_COUNT(bad); i++) {
        kw_op_init(&op, "test", 0);
        assert_code(dn_build(&op, &bad[i], 1, &out), KW_E_INPUT);
        assert_int_equal(out.len, 0);
    }
}

static void sixty_four_characters_are_counted_not_octets(void **state)
{
    char cn[2 * 64 + 1] = "";
    uint8_t room[KW_DN_MAX];
    struct kw_out out = KW_OUT_ARRAY(room);
    struct dn_part part = {"CN", cn};
    char back[sizeof(cn)];

    (void)state;
    for (int i = 0; i < 64; i++) {
        memcpy(cn + (size_t)2 * i, "ä", 2);
    }
    struct kw_span der = build(&out, &part, 1);
    assert_code(dn_get(NULL, der, "CN", back, sizeof(back)), KW_CODE_OK);
    assert_string_equal(back, cn);
}

static void room_that_is_too_small_stays_as_it_was(void **state)
{
    uint8_t room[8] = {0};
    struct kw_out out = KW_OUT_ARRAY(room);
    struct dn_part part = {"CN", "abc"};

    (void)state;
    assert_code(dn_build(NULL, &part, 1, &out), KW_E_TOO_LARGE);
    assert_int_equal(out.len, 0);
}

static void people_read_names_most_specific_first(void **state)
{
    uint8_t room[KW_DN_MAX];
    struct kw_out out = KW_OUT_ARRAY(room);
    struct dn_part parts[] = {
        {"C",  "DE"  },
        {"O",  "A, B"},
        {"CN", "Tür" }
    };
    char text[64];

    (void)state;
    struct kw_span der = build(&out, parts, 3);
    assert_string_equal(dn_text(der, text, sizeof(text)), "CN=Tür,O=A\\, B,C=DE");
    assert_string_equal(dn_text(der, text, 6), "CN=T"); /* never half a character */
    assert_string_equal(dn_text(der, text, 1), "");
    assert_string_equal(dn_text(kw_span_text("nonsense"), text, sizeof(text)), "?");
    assert_string_equal(dn_text(KW_SPAN(NULL, 0), text, sizeof(text)), "?");
}

/* A T61String may carry octets that a terminal obeys. */
static void text_never_has_control_characters(void **state)
{
    AUTO(kw_bytes) *der = from_hex("3010310e300c0603550403140541"
                                   "9b1b0a42");
    char text[64];

    (void)state;
    dn_text(kw_bytes_span(der), text, sizeof(text));
    for (const char *p = text; *p; p++) {
        assert_in_range((uint8_t)*p, 0x20, 0x7e);
    }
}

static void attributes_are_found(void **state)
{
    uint8_t room[KW_DN_MAX];
    struct kw_out out = KW_OUT_ARRAY(room);
    struct dn_part parts[] = {
        {"CN", "first"},
        {"O",  "Org"  },
        {"CN", "last" }
    };
    char value[8];

    (void)state;
    struct kw_span der = build(&out, parts, 3);
    assert_code(dn_get(NULL, der, "CN", value, sizeof(value)), KW_CODE_OK);
    assert_string_equal(value, "last");
    assert_code(dn_get(NULL, der, "serialNumber", value, sizeof(value)), KW_E_NOT_FOUND);
    assert_code(dn_get(NULL, der, "CN", value, 4), KW_E_INPUT);
    assert_code(dn_get(NULL, der, "XY", value, sizeof(value)), KW_E_INPUT);
    assert_code(dn_get(NULL, KW_SPAN(der.p, der.len - 1), "CN", value, sizeof(value)), KW_E_INPUT);
}

/* "CN=a<NUL>b" must not read as "a". */
static void a_value_with_nul_is_refused(void **state)
{
    AUTO(kw_bytes) *der = from_hex("300e310c300a06035504030c03610062");
    char value[8];

    (void)state;
    assert_code(dn_get(NULL, kw_bytes_span(der), "CN", value, sizeof(value)), KW_E_INPUT);
}

static void subtrees_are_whole_leading_rdns(void **state)
{
    uint8_t rooms[4][KW_DN_MAX];
    struct kw_out outs[4] = {KW_OUT_ARRAY(rooms[0]), KW_OUT_ARRAY(rooms[1]), KW_OUT_ARRAY(rooms[2]),
                             KW_OUT_ARRAY(rooms[3])};
    struct dn_part parts[] = {
        {"C",  "DE" },
        {"O",  "Org"},
        {"CN", "x"  }
    };
    struct dn_part other[] = {
        {"C",  "DE"   },
        {"O",  "Organ"},
        {"CN", "x"    }
    };

    (void)state;
    struct kw_span whole = build(&outs[0], parts, 3);
    struct kw_span prefix = build(&outs[1], parts, 2);
    struct kw_span empty = build(&outs[2], NULL, 0);
    struct kw_span longer = build(&outs[3], other, 3);
    assert_true(dn_within(whole, prefix));
    assert_true(dn_within(whole, whole));
    assert_true(dn_within(whole, empty));
    assert_false(dn_within(prefix, whole));
    assert_false(dn_within(longer, prefix));
    assert_false(dn_within(whole, KW_SPAN(prefix.p, prefix.len - 1)));
    assert_false(dn_within(whole, KW_SPAN(NULL, 0)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_der_in_the_order_given),
        cmocka_unit_test(no_part_is_an_empty_name),
        cmocka_unit_test(what_x520_forbids_is_refused),
        cmocka_unit_test(sixty_four_characters_are_counted_not_octets),
        cmocka_unit_test(room_that_is_too_small_stays_as_it_was),
        cmocka_unit_test(people_read_names_most_specific_first),
        cmocka_unit_test(text_never_has_control_characters),
        cmocka_unit_test(attributes_are_found),
        cmocka_unit_test(a_value_with_nul_is_refused),
        cmocka_unit_test(subtrees_are_whole_leading_rdns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
