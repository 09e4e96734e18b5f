/* PKCS#11 without a token: URIs, the table of codes, public keys, signatures, sealed octets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "os/files.h"
#include "rot/pkcs11/alg.h"
#include "rot/pkcs11/rv.h"
#include "rot/pkcs11/sealed.h"
#include "rot/pkcs11/uri.h"
#include "rot/rot.h"

static struct kw_op op;

static enum kw_code parse(const char *text, struct p11_uri *uri)
{
    kw_op_init(&op, "test", 0);
    return p11_uri_parse(&op, text, uri).code;
}

/* --- URIs --- */

static void good_uris(void **state)
{
    struct p11_uri uri;
    CK_TOKEN_INFO token;
    (void)state;

    assert_int_equal(parse("pkcs11:token=issuing%20CA;serial=12?module-path=/lib/hsm.so&pin-source="
                           "file:/etc/hsm%20pin",
                           &uri),
                     KW_CODE_OK);
    assert_string_equal(uri.module_path, "/lib/hsm.so");
    assert_string_equal(uri.pin_path, "/etc/hsm pin");
    memset(&token, ' ', sizeof(token));
    memcpy(token.label, "issuing CA", 10);
    memcpy(token.serialNumber, "12", 2);
    assert_true(p11_uri_matches(&uri, &token));
    memcpy(token.serialNumber, "13", 2);
    assert_false(p11_uri_matches(&uri, &token));
    p11_uri_done(&uri);

    assert_int_equal(parse("pkcs11:serial=1?module-path=/m&pin-source=file:///p", &uri),
                     KW_CODE_OK);
    assert_string_equal(uri.pin_path, "/p");
    p11_uri_done(&uri);
    assert_int_equal(parse("pkcs11:serial=1?module-path=/m&pin-source=/p", &uri), KW_CODE_OK);
    assert_string_equal(uri.pin_path, "/p");
    p11_uri_done(&uri);
    assert_int_equal(parse("pkcs11:serial=1?module-path=/m", &uri), KW_CODE_OK); /* PIN pad */
    assert_string_equal(uri.pin_path, "");
    p11_uri_done(&uri);
}

static void bad_uris(void **state)
{
    static const struct {
        const char *text;
        const char *advice; /* the next step that the refusal names */
    } rows[] = {
        {"pkcs11:token=t?module-path=/m&pin-value=1234",         "pin-source=file:"},
        {"pkcs11:token=t?module-path=/m?pin-value=4711",         "'&'"             },
        {"pkcs11:token=t?module-path=/m&pin-source=pin",         "absolute"        },
        {"pkcs11:token=t?module-path=/m&pin-source=|cat pin",    ""                },
        {"pkcs11:token=t?module-path=/m&pin-source=file:",       "absolute"        },
        {"pkcs11:token=t",                                       "module-path="    },
        {"pkcs11:token=t?module-path=hsm.so",                    "absolute"        },
        {"pkcs11:token=t?module-name=softhsm",                   "module-path="    },
        {"pkcs11:?module-path=/m",                               "token=LABEL"     },
        {"pkcs11:manufacturer=me?module-path=/m",                "token=LABEL"     },
        {"pkcs11:token=t;object=k?module-path=/m",               "token only"      },
        {"pkcs11:token=t;id=%01?module-path=/m",                 "token only"      },
        {"pkcs11:token=t;type=private?module-path=/m",           "token only"      },
        {"pkcs11:token=t;slot-id=1?module-path=/m",              "serial="         },
        {"pkcs11:token=t;library-manufacturer=a?module-path=/m", "module-path="    },
        {"pkcs11:token=t;nonsense=1?module-path=/m",             "RFC 7512"        },
        {"pkcs11:token=%zz?module-path=/m",                      "RFC 7512"        },
        {"pkcs11",                                               "RFC 7512"        },
        {"",                                                     "RFC 7512"        },
    };
    (void)state;

    for (size_t i = 0; i < KW_COUNT(rows); i++) {
        struct p11_uri uri = {0};
        char text[1024];
        enum kw_code code = parse(rows[i].text, &uri);
        p11_uri_done(&uri);
        kw_op_message(&op, text, sizeof(text));
        if (code != KW_E_INPUT || !strstr(text, rows[i].advice)) {
            print_error("%s: %s: %s\n", rows[i].text, kw_code_text(code), text);
            fail();
        }
    }
}

/* What somebody typed as a PIN is repeated in no message. */
static void a_pin_is_not_repeated(void **state)
{
    static const char *const uris[] = {
        "pkcs11:token=t?module-path=/m&pin-value=4711",
        "PKCS11:token=t?module-path=/m&pin-value=4711",
        "pkcs11:token=t?module-path=/m?pin-value=4711",
        "pkcs11?pin-value=4711",
        "pkcs11:token=t;pin-value=4711?module-path=/m",
        "pkcs11:token=t&pin-value=4711?module-path=/m",
        "pkcs12:token=t;PIN-VALUE=4711",
        "pkcs11:token=t?pin-value=4711&pin-value=4711",
    };
    (void)state;

    for (size_t i = 0; i < KW_COUNT(uris); i++) {
        char text[1024];
        AUTO(rot) *rot = NULL;
        kw_op_init(&op, "test", 0);
        assert_int_not_equal(rot_open(&op, uris[i], &rot).code, KW_CODE_OK);
        assert_null(strstr(kw_op_message(&op, text, sizeof(text)), "4711"));
    }
}

/* --- codes --- */

static void each_code_has_one_row(void **state)
{
    unsigned n = 0;
    const struct p11_rv *rows = p11_rv_table(&n);
    (void)state;

    for (unsigned i = 0; i < n; i++) {
        assert_ptr_equal(p11_rv_row(rows[i].rv), &rows[i]); /* the first of its number is itself */
        assert_int_not_equal(rows[i].code, KW_CODE_OK);
        assert_non_null(strstr(p11_rv_text(rows[i].rv), rows[i].name));
        /* What asks for another session is worth another try, or is nobody's fault but the
         * token's. */
        if (rows[i].heal >= P11_HEAL_SESSION) {
            assert_true(kw_code_may_retry(rows[i].code) || rows[i].code == KW_E_DEVICE ||
                        rows[i].code == KW_E_UNSUPPORTED);
        }
    }
    assert_int_equal(p11_rv_row(CKR_PIN_INCORRECT)->heal, P11_HEAL_NONE);
    assert_int_equal(p11_rv_row(CKR_VENDOR_DEFINED | 5)->code, KW_E_UNAVAILABLE);
    assert_int_equal(p11_rv_row(0x9999)->code, KW_E_DEVICE);
}

/* Who runs an HSM reads docs/HSM.md: it has each row, with our word for it. */
static void the_page_has_each_code(void **state)
{
    const char *root = getenv("KW_SOURCE_ROOT");
    char path[512];
    unsigned n = 0;
    const struct p11_rv *rows = p11_rv_table(&n);
    AUTO(kw_bytes) *page = NULL;

    (void)state;
    if (!root) {
        skip();
    }
    (void)snprintf(path, sizeof(path), "%s/docs/HSM.md", root);
    kw_op_init(&op, "test", 0);
    assert_true(kw_ok(os_file_read(&op, path, 1 << 20, &page)));
    for (unsigned i = 0; i < n; i++) {
        char row[256];
        (void)snprintf(row, sizeof(row), "| `%s` | %s | `%s`", rows[i].name, rows[i].text,
                       kw_code_text(rows[i].code));
        if (!memmem(page->p, page->len, row, strlen(row))) {
            print_error("docs/HSM.md lacks: %s\n", row);
            fail();
        }
    }
}

/* --- public keys --- */

static void points_come_in_three_forms(void **state)
{
    uint8_t value[3 + 97] = {0};
    (void)state;

    for (size_t n = 32; n <= 97; n++) {
        struct kw_span point;
        value[0] = 0x04; /* an uncompressed point begins with the tag of an OCTET STRING */
        value[1] = (uint8_t)n;
        assert_true(p11_point(KW_SPAN(value, n), n, &point));
        assert_ptr_equal(point.p, value);
        assert_true(p11_point(KW_SPAN(value, n + 2), n, &point));
        assert_ptr_equal(point.p, value + 2);
        assert_int_equal(point.len, n);
        value[1] = (uint8_t)(n - 1);
        assert_false(p11_point(KW_SPAN(value, n + 2), n, &point));
        value[0] = 0x03;
        value[1] = (uint8_t)(n + 1);
        assert_true(p11_point(KW_SPAN(value, n + 3), n, &point));
        assert_ptr_equal(point.p, value + 3);
        value[2] = 1; /* unused bits */
        assert_false(p11_point(KW_SPAN(value, n + 3), n, &point));
        value[2] = 0;
        assert_false(p11_point(KW_SPAN(value, n - 1), n, &point));
        assert_false(p11_point(KW_SPAN(value, 0), n, &point));
    }
}

static void points_off_the_curve_are_refused(void **state)
{
    uint8_t value[65] = {0x04, 1, 2, 3};
    AUTO(pubkey) *key = NULL;
    (void)state;

    kw_op_init(&op, "test", 0);
    assert_int_not_equal(
        p11_public_point(&op, p11_alg_of(KEY_ALG_EC_P256), KW_SPAN_ARRAY(value), &key).code,
        KW_CODE_OK);
    assert_null(key);
}

static void curves_by_any_of_their_names(void **state)
{
    (void)state;
    for (enum key_alg alg = KEY_ALG_NONE + 1; alg < KEY_ALG_MAX; alg++) {
        const struct p11_alg *row = p11_alg_of(alg);
        assert_non_null(row);
        for (unsigned i = 0; i < row->n_curves; i++) {
            assert_ptr_equal(p11_alg_find(row->type, row->curves[i]), row);
            assert_null(p11_alg_find(row->type, kw_span_sub(row->curves[i], 0, 4)));
        }
    }
    assert_null(p11_alg_of(KEY_ALG_NONE));
    assert_null(p11_alg_find(CKK_DSA, KW_SPAN(NULL, 0)));
}

/* --- signatures --- */

static void ecdsa_signatures_become_der(void **state)
{
    const struct p11_alg *alg = p11_alg_of(KEY_ALG_EC_P256);
    static const uint8_t want[] = {0x30, 0x08, 0x02, 0x02, 0x00, 0x80, 0x02, 0x02, 0x01, 0x00};
    uint8_t raw[64] = {[31] = 0x80, [62] = 0x01};
    uint8_t room[KW_SIG_MAX];
    struct kw_out sig = KW_OUT_ARRAY(room);
    (void)state;

    kw_op_init(&op, "test", 0);
    assert_true(kw_ok(p11_signature(&op, alg, KW_SPAN_ARRAY(raw), &sig)));
    assert_true(kw_span_equal(kw_out_span(&sig), KW_SPAN_ARRAY(want)));
    memset(raw, 0xff, sizeof(raw));
    assert_true(kw_ok(p11_signature(&op, alg, KW_SPAN_ARRAY(raw), &sig)));
    assert_int_equal(sig.len, 72);
    assert_int_equal(p11_signature(&op, alg, KW_SPAN(raw, 63), &sig).code, KW_E_DEVICE);
    assert_int_equal(p11_signature(&op, alg, KW_SPAN(raw, 0), &sig).code, KW_E_DEVICE);
}

/* --- sealed octets --- */

static void sealed_octets_go_round(void **state)
{
    static const uint8_t text[17] = "0123456789abcdef";
    struct p11_sealed sealed = {.id = "id", .nonce = "nonce", .text = KW_SPAN_ARRAY(text)};
    struct p11_sealed back;
    uint8_t room[P11_SEALED_MAX + 1];
    struct kw_out out = KW_OUT_ARRAY(room);
    (void)state;

    assert_true(kw_ok(p11_sealed_encode(&sealed, &out)));
    assert_true(kw_ok(p11_sealed_parse(kw_out_span(&out), &back)));
    assert_memory_equal(back.id, sealed.id, sizeof(sealed.id));
    assert_memory_equal(back.nonce, sealed.nonce, sizeof(sealed.nonce));
    assert_true(kw_span_equal(back.text, sealed.text));
    for (size_t len = 0; len < out.len; len++) {
        assert_int_equal(p11_sealed_parse(KW_SPAN(room, len), &back).code, KW_E_INPUT);
    }
    assert_int_equal(p11_sealed_parse(KW_SPAN(room, out.len + 1), &back).code, KW_E_INPUT);
    sealed.text.len = 16; /* a tag and nothing under it */
    assert_true(kw_ok(p11_sealed_encode(&sealed, &out)));
    assert_int_equal(p11_sealed_parse(kw_out_span(&out), &back).code, KW_E_INPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_uris),
        cmocka_unit_test(bad_uris),
        cmocka_unit_test(a_pin_is_not_repeated),
        cmocka_unit_test(each_code_has_one_row),
        cmocka_unit_test(the_page_has_each_code),
        cmocka_unit_test(points_come_in_three_forms),
        cmocka_unit_test(points_off_the_curve_are_refused),
        cmocka_unit_test(curves_by_any_of_their_names),
        cmocka_unit_test(ecdsa_signatures_become_der),
        cmocka_unit_test(sealed_octets_go_round),
    };
    return cmocka_run_group_tests_name("rot/pkcs11", tests, NULL, NULL);
}
