/* OpenSSL's error queue as our status, and wiping what OpenSSL frees. */
#include <openssl/err.h>

#include "kit.h"

static const char *failure(enum kw_code code, char *text, size_t cap)
{
    struct kw_op op;

    kw_op_init(&op, "test", 0);
    assert_code(crypto_fail(&op, code, __FILE__, __LINE__, "doing it"), code);
    assert_int_equal(op.code, code);
    assert_int_equal(ERR_peek_error(), 0);
    return kw_op_message(&op, text, cap);
}

/* First in main(): afterwards OpenSSL has memory already. */
static void freed_memory_is_wiped(void **state)
{
    (void)state;
    assert_true(crypto_wipe_freed());

    uint8_t *p = OPENSSL_malloc(100);
    assert_non_null(p);
    memset(p, 0x5a, 100);
    uintptr_t was = (uintptr_t)p;
    OPENSSL_free(p);
    uint8_t *again = malloc(100);
    bool same = (uintptr_t)again == was;
    /* The allocator's own links stand at the beginning. */
    for (size_t i = 32; same && i < 100; i++) {
        assert_int_equal(again[i], 0);
    }
    free(again);
    if (!same) {
        print_message("# SKIP the look at freed memory: this allocator does not give it back\n");
    }
}

static void memory_that_grows_keeps_its_content(void **state)
{
    uint8_t *p = OPENSSL_realloc(NULL, 10);
    (void)state;

    memset(p, 0x5a, 10);
    p = OPENSSL_realloc(p, 100000);
    for (size_t i = 0; i < 10; i++) {
        assert_int_equal(p[i], 0x5a);
    }
    p = OPENSSL_realloc(p, 5);
    assert_int_equal(p[4], 0x5a);
    OPENSSL_free(p);
    OPENSSL_free(NULL);
}

static void keys_work_with_wiping(void **state)
{
    (void)state;
    for (size_t i = 0; i < KW_COUNT(all_algs); i++) {
        AUTO(privkey) *key = NULL;
        uint8_t room[KW_SIG_MAX];
        struct kw_out sig = KW_OUT_ARRAY(room);
        struct kw_op op;

        kw_op_init(&op, "test", 0);
        assert_ok(&op, privkey_generate(&op, all_algs[i], &key));
        assert_ok(&op, privkey_sign(&op, key, kw_span_text("m"), &sig));
        assert_ok(&op,
                  pubkey_verify(&op, privkey_public(key), kw_span_text("m"), kw_out_span(&sig)));
    }
}

static void without_a_reason_only_the_action_is_told(void **state)
{
    char text[256];
    (void)state;
    ERR_clear_error();
    assert_string_equal(failure(KW_E_INPUT, text, sizeof(text)), "doing it");
}

static void the_first_telling_reason_is_told(void **state)
{
    char text[256];
    (void)state;

    ERR_raise(ERR_LIB_ASN1, ERR_R_NESTED_ASN1_ERROR);
    ERR_raise(ERR_LIB_X509, ERR_R_ASN1_LIB);
    ERR_raise(ERR_LIB_X509, X509_R_KEY_VALUES_MISMATCH);
    ERR_raise(ERR_LIB_EVP, EVP_R_DECODE_ERROR);
    assert_string_equal(failure(KW_E_INPUT, text, sizeof(text)), "doing it: key values mismatch");

    ERR_raise(ERR_LIB_X509, ERR_R_ASN1_LIB);
    assert_string_equal(failure(KW_E_INPUT, text, sizeof(text)), "doing it: ASN1 lib");
}

static void what_openssl_attached_is_not_told(void **state)
{
    char text[256];
    (void)state;

    ERR_raise_data(ERR_LIB_X509, X509_R_KEY_VALUES_MISMATCH, "pass=%s", "hunter2");
    assert_null(strstr(failure(KW_E_INPUT, text, sizeof(text)), "hunter2"));
}

static void without_an_operation_the_code_travels(void **state)
{
    (void)state;
    ERR_raise(ERR_LIB_X509, X509_R_KEY_VALUES_MISMATCH);
    assert_code(crypto_fail(NULL, KW_E_DENIED, __FILE__, __LINE__, "doing it"), KW_E_DENIED);
    assert_int_equal(ERR_peek_error(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(freed_memory_is_wiped),
        cmocka_unit_test(memory_that_grows_keeps_its_content),
        cmocka_unit_test(keys_work_with_wiping),
        cmocka_unit_test(without_a_reason_only_the_action_is_told),
        cmocka_unit_test(the_first_telling_reason_is_told),
        cmocka_unit_test(what_openssl_attached_is_not_told),
        cmocka_unit_test(without_an_operation_the_code_travels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
