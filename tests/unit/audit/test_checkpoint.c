/* Checkpoints: one text for each tree head, read strictly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "audit/checkpoint.h"

/* The example of C2SP tlog-checkpoint. */
#define BODY "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
#define SIGS                                                                                       \
    "\n\xe2\x80\x94 example.com/behind-the-sofa "                                                  \
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/"                                    \
    "Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"

static enum kw_code parse(const char *text, struct checkpoint *ret)
{
    return checkpoint_parse(NULL, kw_span_text(text), ret).code;
}

static void test_example_of_c2sp(void **state)
{
    (void)state;
    static const char *const texts[] = {BODY, BODY SIGS, BODY "extension\nanother one\n" SIGS};
    char body[CHECKPOINT_TEXT_MAX];

    for (size_t i = 0; i < KW_COUNT(texts); i++) {
        struct checkpoint cp;
        assert_int_equal(parse(texts[i], &cp), KW_CODE_OK);
        assert_string_equal(cp.origin, "example.com/behind-the-sofa");
        assert_int_equal(cp.size, 20852163);
        assert_int_equal(cp.root.b[0], 0x0a);
        assert_int_equal(cp.root.b[31], 0x62);
        assert_int_equal(checkpoint_body(NULL, &cp, body, sizeof(body)).code, KW_CODE_OK);
        assert_string_equal(body, BODY);
    }
}

static void test_texts_that_are_no_checkpoint(void **state)
{
    (void)state;
#define ROOT "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="
    static const char *const bad[] = {
        "",
        "\n",
        "o\n",
        "o\n1\n",
        "o\n1\n" ROOT,       /* no line end */
        "\n1\n" ROOT "\n",   /* no origin */
        "o\n\n" ROOT "\n",   /* no size */
        "o\n01\n" ROOT "\n", /* leading zero */
        "o\n00\n" ROOT "\n",
        "o\n+1\n" ROOT "\n",
        "o\n-1\n" ROOT "\n",
        "o\n 1\n" ROOT "\n",
        "o\n1 \n" ROOT "\n",
        "o\n0x1\n" ROOT "\n",
        "o\n1.0\n" ROOT "\n",
        "o\n1152921504606846977\n" ROOT "\n", /* 2^60 + 1 */
        "o\n9999999999999999999\n" ROOT "\n",
        "o\n18446744073709551617\n" ROOT "\n", /* 2^64 + 1 */
        "o\n1\n\n",
        "o\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I\n",  /* no padding */
        "o\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2J=\n", /* bits behind the hash */
        "o\n1\nCsUYapGGPo4dkMgIAUqom_Xajj7h2fB2MPA3j2jxq2I=\n", /* another alphabet */
        "o\n1\n CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
        "o\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jx q2=\n",
        "o\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxqw==\n", /* 31 octets */
        "o\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2IA\n", /* 33 octets */
        "o\r\n1\r\n" ROOT "\r\n",
        "o\n1\n" ROOT "\nextension\n", /* without a signature that covers it */
        "o\n1\n" ROOT "\n\n",
        "o\n1\n" ROOT "\nextension\n\nanother\n" SIGS, /* an empty line inside */
        "o\n1\n" ROOT "\nexten\tsion\n" SIGS,
        "\xff\n1\n" ROOT "\n",
        "o\x1b[31m\n1\n" ROOT "\n",
    };
    struct checkpoint cp = {.size = 7};

    assert_int_equal(parse("o\n0\n" ROOT "\n", &cp), KW_CODE_OK);
    assert_int_equal(parse("o\n1152921504606846976\n" ROOT "\n", &cp), KW_CODE_OK);
    cp.size = 7;
    for (size_t i = 0; i < KW_COUNT(bad); i++) {
        assert_int_equal(parse(bad[i], &cp), KW_E_INPUT);
    }
    assert_int_equal(checkpoint_parse(NULL, KW_SPAN("o\n1\n" ROOT "\n\0", 50), &cp).code,
                     KW_E_INPUT);
    assert_int_equal(cp.size, 7);
#undef ROOT
}

static void test_origins_have_an_end(void **state)
{
    (void)state;
    char text[256];
    struct checkpoint cp;

    for (int n = KW_NAME_MAX - 1; n <= KW_NAME_MAX; n++) {
        memset(text, 'o', (size_t)n);
        (void)snprintf(text + n, sizeof(text) - (size_t)n, "%s", strchr(BODY, '\n'));
        assert_int_equal(parse(text, &cp), n < KW_NAME_MAX ? KW_CODE_OK : KW_E_INPUT);
    }
}

static struct checkpoint some_checkpoint(void)
{
    return (struct checkpoint){.origin = "log.example/test", .size = 12, .root = {{1, 2, 3}}};
}

static void test_sign_and_verify(void **state)
{
    (void)state;
    AUTO(privkey) *key = NULL;
    AUTO(kw_bytes) *note = NULL;
    struct checkpoint cp = some_checkpoint();
    struct checkpoint back;
    char vkey[CHECKPOINT_VKEY_MAX];

    assert_true(kw_ok(privkey_generate(NULL, KEY_ALG_ED25519, &key)));
    assert_true(kw_ok(checkpoint_sign(NULL, &cp, key, &note)));
    assert_true(kw_ok(checkpoint_vkey(NULL, cp.origin, privkey_public(key), vkey, sizeof(vkey))));
    assert_true(kw_ok(checkpoint_verify(NULL, kw_bytes_span(note), vkey, &back)));
    assert_memory_equal(&back, &cp, sizeof(cp));
    assert_true(kw_ok(checkpoint_parse(NULL, kw_bytes_span(note), &back)));

    char name[KW_NAME_MAX];
    AUTO(pubkey) *public_key = NULL;
    assert_true(kw_ok(checkpoint_vkey_parse(NULL, vkey, name, sizeof(name), &public_key)));
    assert_string_equal(name, cp.origin);
    assert_true(pubkey_equal(public_key, privkey_public(key)));
    AUTO(pubkey) *none = NULL;
    assert_int_equal(checkpoint_vkey_parse(NULL, vkey, name, 5, &none).code, KW_E_TOO_LARGE);

    /* Every octet of the note matters. */
    for (size_t i = 0; i < note->len; i++) {
        note->p[i] ^= 0x04;
        assert_false(kw_ok(checkpoint_verify(NULL, kw_bytes_span(note), vkey, &back)));
        note->p[i] ^= 0x04;
    }
    for (size_t len = 0; len < note->len; len++) {
        assert_false(kw_ok(checkpoint_verify(NULL, KW_SPAN(note->p, len), vkey, &back)));
    }
}

static void test_key_of_another_log(void **state)
{
    (void)state;
    AUTO(privkey) *key = NULL;
    AUTO(privkey) *other = NULL;
    AUTO(kw_bytes) *note = NULL;
    AUTO(kw_bytes) *misnamed = NULL;
    struct checkpoint cp = some_checkpoint();
    struct checkpoint back;
    char vkey[CHECKPOINT_VKEY_MAX], body[256];

    assert_true(kw_ok(privkey_generate(NULL, KEY_ALG_ED25519, &key)));
    assert_true(kw_ok(privkey_generate(NULL, KEY_ALG_ED25519, &other)));
    assert_true(kw_ok(checkpoint_sign(NULL, &cp, key, &note)));
    assert_true(kw_ok(checkpoint_vkey(NULL, cp.origin, privkey_public(other), vkey, sizeof(vkey))));
    assert_int_equal(checkpoint_verify(NULL, kw_bytes_span(note), vkey, &back).code, KW_E_DENIED);

    /* The key of log B signs, under its own name, a checkpoint of log A. */
    uint8_t room[KW_SIG_MAX];
    struct kw_out sig = KW_OUT_ARRAY(room);
    assert_true(kw_ok(checkpoint_body(NULL, &cp, body, sizeof(body))));
    assert_true(kw_ok(privkey_sign(NULL, other, kw_span_text(body), &sig)));
    assert_true(kw_ok(checkpoint_note(NULL, body, "log.example/b", privkey_public(other),
                                      kw_out_span(&sig), &misnamed)));
    assert_true(
        kw_ok(checkpoint_vkey(NULL, "log.example/b", privkey_public(other), vkey, sizeof(vkey))));
    assert_int_equal(checkpoint_verify(NULL, kw_bytes_span(misnamed), vkey, &back).code,
                     KW_E_DENIED);
}

static void test_heads_that_cannot_be_written(void **state)
{
    (void)state;
    struct checkpoint cp = some_checkpoint();
    char body[256];

    assert_int_equal(checkpoint_body(NULL, &cp, body, 65).code, KW_E_TOO_LARGE);
    assert_int_equal(checkpoint_body(NULL, &cp, body, 66).code, KW_CODE_OK);
    cp.size = UINT64_MAX;
    assert_int_equal(checkpoint_body(NULL, &cp, body, sizeof(body)).code, KW_E_INPUT);
    cp = some_checkpoint();
    (void)KW_TEXT_SET(cp.origin, "two words");
    assert_int_equal(checkpoint_body(NULL, &cp, body, sizeof(body)).code, KW_E_INPUT);
    (void)KW_TEXT_SET(cp.origin, "");
    assert_int_equal(checkpoint_body(NULL, &cp, body, sizeof(body)).code, KW_E_INPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_example_of_c2sp),
        cmocka_unit_test(test_texts_that_are_no_checkpoint),
        cmocka_unit_test(test_origins_have_an_end),
        cmocka_unit_test(test_sign_and_verify),
        cmocka_unit_test(test_key_of_another_log),
        cmocka_unit_test(test_heads_that_cannot_be_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
