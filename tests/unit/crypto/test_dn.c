#include "crypto/dn.h"

#include <openssl/x509.h>

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

/* --- against OpenSSL -------------------------------------------------------------------------- */

static void assert_as_openssl(X509_NAME *name, const char *type, int nid)
{
    unsigned char *der = NULL;
    char text[512], value[256], *data = NULL;
    BIO *bio = BIO_new(BIO_s_mem());

    int len = i2d_X509_NAME(name, &der);
    assert_true(len > 0);
    assert_true(X509_NAME_print_ex(bio, name, 0,
                                   XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB) >= 0);
    long n = BIO_get_mem_data(bio, &data);
    assert_true(n >= 0 && (size_t)n < sizeof(text));
    dn_text(KW_SPAN(der, (size_t)len), text, sizeof(text));
    assert_span_equal(kw_span_text(text), KW_SPAN(data, (size_t)n));
    int at = X509_NAME_get_index_by_NID(name, nid, -1);
    assert_code(dn_get(NULL, KW_SPAN(der, (size_t)len), type, value, sizeof(value)), KW_CODE_OK);
    unsigned char *utf8 = NULL;
    n = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
    assert_true(n >= 0);
    assert_span_equal(kw_span_text(value), KW_SPAN(utf8, (size_t)n));
    OPENSSL_free(utf8);
    OPENSSL_free(der);
    BIO_free(bio);
}

/* Whatever is read octet by octet reads as OpenSSL's templates would have it. */
static void names_read_as_openssl_reads_them(void **state)
{
    static const int types[] = {V_ASN1_UTF8STRING, V_ASN1_PRINTABLESTRING, V_ASN1_IA5STRING,
                                V_ASN1_T61STRING};
    static const char *const values[] = {
        "plain",
        "two words",
        " before",
        "after ",
        "#hash",
        "a,b",
        "a+b",
        "a\"b",
        "a\\b",
        "<a>",
        "a;b",
        "a=b",
        "Stra\xc3\x9f.e",
        "*.example.org",
        "urn:x:y/z",
        "'",
        "(a)",
        "[a]",
    };
    static const struct {
        const char *type;
        int nid;
    } kinds[] = {
        {"CN",           NID_commonName            },
        {"serialNumber", NID_serialNumber          },
        {"DC",           NID_domainComponent       },
        {"OU",           NID_organizationalUnitName},
        {"O",            NID_organizationName      },
        {"C",            NID_countryName           },
    };

    (void)state;
    for (size_t i = 0; i < KW_COUNT(values) * KW_COUNT(types) * KW_COUNT(kinds); i++) {
        const char *value = values[i % KW_COUNT(values)];
        int type = types[i / KW_COUNT(values) % KW_COUNT(types)];
        size_t kind = i / KW_COUNT(values) / KW_COUNT(types);
        X509_NAME *name = X509_NAME_new();
        if (type != V_ASN1_UTF8STRING && strstr(value, "Stra")) {
            type = V_ASN1_UTF8STRING; /* its octets are no Latin letters */
        }
        assert_int_equal(X509_NAME_add_entry_by_NID(name, NID_organizationName, V_ASN1_UTF8STRING,
                                                    (const unsigned char *)"Org", -1, 0, 0),
                         1);
        if (kinds[kind].nid == NID_organizationName) { /* the first one is meant */
            X509_NAME_ENTRY_free(X509_NAME_delete_entry(name, 0));
        }
        assert_int_equal(X509_NAME_add_entry_by_NID(name, kinds[kind].nid, type,
                                                    (const unsigned char *)value, -1, -1, 0),
                         1);
        assert_as_openssl(name, kinds[kind].type, kinds[kind].nid);
        X509_NAME_free(name);
    }
}

#define LONG_O "K\xc3\xb6rper am langen Fluss unter der hohen Sonne im Norden"
#define LONG_CN "a, b and a name that makes all of it a longer one"
/* A name that is built is the one that OpenSSL builds. */
static void names_are_built_as_openssl_builds_them(void **state)
{
    static const struct {
        struct dn_part part;
        int nid, asn1;
    } rows[] = {
        /* clang-format off */
        {{"C", "DE"},                NID_countryName,            V_ASN1_PRINTABLESTRING},
        {{"O", LONG_O},              NID_organizationName,       V_ASN1_UTF8STRING     },
        {{"OU", "x"},                NID_organizationalUnitName, V_ASN1_UTF8STRING     },
        {{"DC", "example"},          NID_domainComponent,        V_ASN1_IA5STRING      },
        {{"CN", LONG_CN},            NID_commonName,             V_ASN1_UTF8STRING     },
        {{"serialNumber", "A1 (2)"}, NID_serialNumber,           V_ASN1_PRINTABLESTRING},
        /* clang-format on */
    };
    struct dn_part parts[KW_COUNT(rows)];
    uint8_t room[KW_DN_MAX];
    struct kw_out out = KW_OUT_ARRAY(room);
    X509_NAME *name = X509_NAME_new();
    unsigned char *der = NULL;

    (void)state;
    for (size_t i = 0; i < KW_COUNT(rows); i++) {
        parts[i] = rows[i].part;
        assert_int_equal(X509_NAME_add_entry_by_NID(name, rows[i].nid, rows[i].asn1,
                                                    (const unsigned char *)rows[i].part.value, -1,
                                                    -1, 0),
                         1);
    }
    int len = i2d_X509_NAME(name, &der);
    assert_true(len > 128);
    assert_span_equal(build(&out, parts, KW_COUNT(rows)), KW_SPAN(der, (size_t)len));
    OPENSSL_free(der);
    X509_NAME_free(name);
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

static struct kw_span built(struct kw_out *out, const struct dn_part parts[], unsigned n)
{
    assert_code(dn_build(NULL, parts, n, out), KW_CODE_OK);
    return kw_out_span(out);
}

static void names_are_the_same_however_they_are_written(void **state)
{
    const struct dn_part name[] = {
        {"O",  "Example Maker"},
        {"CN", "Device CA"    }
    };
    const struct dn_part turned[] = {
        {"CN", "Device CA"    },
        {"O",  "Example Maker"}
    };
    const struct dn_part louder[] = {
        {"O",  "example  MAKER"},
        {"CN", "Device CA"     }
    };
    const struct dn_part other[] = {
        {"O",  "Example Maker"},
        {"CN", "Device CB"    }
    };
    const struct dn_part swapped[] = {
        {"O",  "Device CA"    },
        {"CN", "Example Maker"}
    };
    uint8_t room[KW_DN_MAX], second[KW_DN_MAX];
    struct kw_out out = KW_OUT_ARRAY(room), next = KW_OUT_ARRAY(second);
    struct kw_span whole = built(&out, name, 2);

    (void)state;
    assert_true(dn_same(whole, whole));
    assert_true(dn_same(whole, built(&next, turned, 2)));
    assert_true(dn_same(whole, built(&next, louder, 2)));
    assert_false(dn_same(whole, built(&next, other, 2)));
    assert_false(dn_same(whole, built(&next, swapped, 2)));
    assert_false(dn_same(whole, built(&next, name, 1)));
    assert_false(dn_same(whole, KW_SPAN(NULL, 0)));
    assert_false(dn_same(KW_SPAN(whole.p, whole.len - 1), whole));
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
        cmocka_unit_test(names_read_as_openssl_reads_them),
        cmocka_unit_test(names_are_built_as_openssl_builds_them),
        cmocka_unit_test(subtrees_are_whole_leading_rdns),
        cmocka_unit_test(names_are_the_same_however_they_are_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
