/* Signed notes: what others signed verifies, what was tampered with does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "audit/note.h"
#include "crypto/privkey.h"

/* From the documentation of golang.org/x/mod/sumdb/note: made by a program that we did not write.
 */
#define GO_VKEY "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
#define GO_TEXT                                                                                    \
    "If you think cryptography is the answer to your problem,\n"                                   \
    "then you don't know what your problem is.\n"
#define GO_SIG                                                                                     \
    "\xe2\x80\x94 PeterNeumann "                                                                   \
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
/* The same key's name with a signature that is not its own. */
#define BAD_SIG                                                                                    \
    "\xe2\x80\x94 PeterNeumann "                                                                   \
    "x08go/AAAABS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
#define OTHER_SIG "\xe2\x80\x94 enochroot.example AAAAAAAA\n"

static enum kw_code verify(const char *text, const char *vkey)
{
    AUTO(pubkey) *public_key = NULL;
    struct note_key key;
    struct note note;

    if (!kw_ok(note_vkey_parse(NULL, vkey, &key, &public_key)) ||
        !kw_ok(note_split(NULL, kw_span_text(text), &note))) {
        return KW_E_INPUT;
    }
    return note_verify(NULL, &note, &key, public_key).code;
}

static void test_note_made_by_go(void **state)
{
    (void)state;
    AUTO(pubkey) *public_key = NULL;
    struct note_key key;
    char again[128];

    assert_int_equal(verify(GO_TEXT "\n" GO_SIG, GO_VKEY), KW_CODE_OK);
    assert_true(kw_ok(note_vkey_parse(NULL, GO_VKEY, &key, &public_key)));
    assert_string_equal(key.name, "PeterNeumann");
    assert_true(kw_ok(note_vkey(NULL, key.name, public_key, again, sizeof(again))));
    assert_string_equal(again, GO_VKEY);
}

static void test_which_signatures_count(void **state)
{
    (void)state;
    static const struct {
        const char *note;
        enum kw_code code;
    } rows[] = {
        {GO_TEXT "\n" OTHER_SIG GO_SIG,   KW_CODE_OK },
        {GO_TEXT "\n" GO_SIG OTHER_SIG,   KW_CODE_OK },
        {GO_TEXT "\n" GO_SIG GO_SIG,      KW_CODE_OK },
        {GO_TEXT "\n" OTHER_SIG,          KW_E_DENIED}, /* nobody known */
        {GO_TEXT "\n" BAD_SIG,            KW_E_DENIED},
        {GO_TEXT "\n" GO_SIG BAD_SIG,     KW_E_DENIED}, /* a good one does not heal a bad one */
        {GO_TEXT "\n" BAD_SIG GO_SIG,     KW_E_DENIED},
        {"I" GO_TEXT "\n" GO_SIG,         KW_E_DENIED},
        {GO_TEXT "more\n\n" GO_SIG,       KW_E_DENIED},
        {GO_TEXT "\n" GO_SIG "\n" GO_SIG, KW_E_DENIED}, /* the last empty line ends the text */
    };

    for (size_t i = 0; i < KW_COUNT(rows); i++) {
        assert_int_equal(verify(rows[i].note, GO_VKEY), rows[i].code);
    }
}

static void test_what_is_no_note(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "\n\n",
        GO_TEXT,
        GO_TEXT "\n",
        GO_TEXT GO_SIG,
        GO_TEXT "\n" GO_SIG "\n",
        GO_TEXT "\n- PeterNeumann AAAAAAAA\n",           /* a hyphen, not U+2014 */
        GO_TEXT "\n\xe2\x80\x94PeterNeumann AAAAAAAA\n", /* no blank */
        GO_TEXT "\n\xe2\x80\x94 AAAAAAAA\n",             /* no name */
        GO_TEXT "\n\xe2\x80\x94  AAAAAAAA\n",            /* an empty name */
        GO_TEXT "\n\xe2\x80\x94 a AAAAAA==\n",           /* key id only */
        GO_TEXT "\n\xe2\x80\x94 a AAA\n",                /* no base64 */
        GO_TEXT "\n\xe2\x80\x94 a AAAA AAAA\n",
        GO_TEXT "\n\xe2\x80\x94 a AAAAAAAA ",
        GO_TEXT "\n\xe2\x80\x94 a AAAAAAAA", /* no line end */
        GO_TEXT "\n\xe2\x80\x94 a AAAAAAAA\r\n",
        GO_TEXT "\n\xe2\x80\x94 a\xff AAAAAAAA\n",
    };

    for (size_t i = 0; i < KW_COUNT(rows); i++) {
        assert_int_equal(verify(rows[i], GO_VKEY), KW_E_INPUT);
    }
}

static void test_sixteen_signatures_are_taken_and_a_flood_is_not(void **state)
{
    (void)state;
    AUTO(kw_bytes) *text = NULL;

    assert_true(kw_ok(kw_bytes_new(0, &text)));
    assert_true(kw_ok(kw_bytes_append_text(text, GO_TEXT "\n" GO_SIG)));
    for (unsigned i = 1; i <= NOTE_SIGNATURES_MAX; i++) {
        AUTO(kw_bytes) *whole = NULL;
        assert_true(kw_ok(kw_bytes_copy(kw_bytes_span(text), &whole)));
        assert_true(kw_ok(kw_bytes_append(whole, KW_SPAN("", 1))));
        assert_int_equal(verify((char *)whole->p, GO_VKEY), KW_CODE_OK);
        assert_true(kw_ok(kw_bytes_append_text(text, OTHER_SIG)));
    }
    assert_true(kw_ok(kw_bytes_append(text, KW_SPAN("", 1))));
    assert_int_equal(verify((char *)text->p, GO_VKEY), KW_E_INPUT);
}

#define NEUMANN_KEY "ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"

static void test_what_is_no_verifier_key(void **state)
{
    (void)state;
    static const struct {
        const char *vkey;
        enum kw_code code;
    } rows[] = {
        {"",                                                                   KW_E_INPUT      },
        {"PeterNeumann",                                                       KW_E_INPUT      },
        {"PeterNeumann+c74f20a3",                                              KW_E_INPUT      },
        {"PeterNeumann+c74f20a3+",                                             KW_E_UNSUPPORTED},
        {"PeterNeumann+c74f20a4+" NEUMANN_KEY,                                 KW_E_INPUT      },
        {"PeterNeumanN+c74f20a3+" NEUMANN_KEY,                                 KW_E_INPUT      },
        {"PeterNeumann+C74F20A3+" NEUMANN_KEY,                                 KW_E_INPUT      },
        {"PeterNeumann+c74f20a+" NEUMANN_KEY,                                  KW_E_INPUT      },
        {"Peter Neumann+c74f20a3+" NEUMANN_KEY,                                KW_E_INPUT      },
        {"+c74f20a3+" NEUMANN_KEY,                                             KW_E_INPUT      },
        {"PeterNeumann+c74f20a3+" NEUMANN_KEY "\n",                            KW_E_INPUT      },
        {"PeterNeumann+c74f20a3+" NEUMANN_KEY "AA==",                          KW_E_TOO_LARGE  },
        {"PeterNeumann+c74f20a3+Ahpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", KW_E_UNSUPPORTED},
        {"PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy",     KW_E_INPUT      },
    };

    for (size_t i = 0; i < KW_COUNT(rows); i++) {
        AUTO(pubkey) *public_key = NULL;
        struct note_key key;
        assert_int_equal(note_vkey_parse(NULL, rows[i].vkey, &key, &public_key).code, rows[i].code);
        assert_null(public_key);
    }
    /* The key of sum.golang.org, which go has built in. */
    assert_int_equal(verify(GO_TEXT "\n" GO_SIG, "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh"
                                                 "+s3Ux18htTTAD8OuAn8"),
                     KW_E_DENIED);
}

static void test_names(void **state)
{
    (void)state;
    static const char *const bad[] = {"",          "a b",           "a+b",          "a\nb",
                                      "a\xc2\xa0", "a\xe2\x80\xa8", "\xe3\x80\x80", "a\xff"};
    char name[KW_NAME_MAX + 1];

    assert_true(note_name_valid("example.org/log"));
    assert_true(note_name_valid("\xe4\xb8\xad\xe6\x96\x87"));
    for (size_t i = 0; i < KW_COUNT(bad); i++) {
        assert_false(note_name_valid(bad[i]));
    }
    memset(name, 'n', sizeof(name));
    name[KW_NAME_MAX] = '\0';
    assert_false(note_name_valid(name));
    name[KW_NAME_MAX - 1] = '\0';
    assert_true(note_name_valid(name));
}

static void test_only_ed25519_signs_notes(void **state)
{
    (void)state;
    AUTO(privkey) *key = NULL;
    AUTO(kw_bytes) *into = NULL;
    uint8_t sig[64] = {0};
    char vkey[128];

    assert_true(kw_ok(kw_bytes_new(0, &into)));
    assert_true(kw_ok(privkey_generate(NULL, KEY_ALG_EC_P256, &key)));
    assert_int_equal(note_vkey(NULL, "a", privkey_public(key), vkey, sizeof(vkey)).code,
                     KW_E_UNSUPPORTED);
    assert_int_equal(
        note_put_signature(NULL, "a", privkey_public(key), KW_SPAN_ARRAY(sig), into).code,
        KW_E_UNSUPPORTED);
    AUTO(privkey) *good = NULL;
    assert_true(kw_ok(privkey_generate(NULL, KEY_ALG_ED25519, &good)));
    const struct pubkey *public_key = privkey_public(good);
    assert_int_equal(note_put_signature(NULL, "a", public_key, KW_SPAN(sig, 63), into).code,
                     KW_E_INPUT);
    assert_int_equal(note_put_signature(NULL, "a b", public_key, KW_SPAN(sig, 64), into).code,
                     KW_E_INPUT);
    assert_int_equal(into->len, 0);
    assert_int_equal(note_vkey(NULL, "a", public_key, vkey, 55).code, KW_E_TOO_LARGE);
    assert_int_equal(note_vkey(NULL, "a", public_key, vkey, 56).code, KW_CODE_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_note_made_by_go),
        cmocka_unit_test(test_which_signatures_count),
        cmocka_unit_test(test_what_is_no_note),
        cmocka_unit_test(test_sixteen_signatures_are_taken_and_a_flood_is_not),
        cmocka_unit_test(test_what_is_no_verifier_key),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_only_ed25519_signs_notes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
