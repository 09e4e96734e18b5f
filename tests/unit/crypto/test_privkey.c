/* Soft keys: made, written, read. Remote ones: test_remote.c and test_remote_tls.c. */
#include <openssl/core_names.h>
#include <openssl/err.h>

#include "crypto/privkey.h"
#include "kit.h"

static struct privkey *generate(enum key_alg alg)
{
    struct privkey *key = NULL;
    struct kw_op op;

    kw_op_init(&op, "test", 0);
    assert_ok(&op, privkey_generate(&op, alg, &key));
    return key;
}

static void each_algorithm_survives_pkcs8(void **state)
{
    (void)state;
    for (size_t i = 0; i < KW_COUNT(all_algs); i++) {
        AUTO(privkey) *key = generate(all_algs[i]);
        AUTO(privkey) *again = NULL;
        AUTO(kw_secret) *pkcs8 = NULL;
        AUTO(kw_secret) *pkcs8_again = NULL;
        uint8_t room[KW_SIG_MAX];
        struct kw_out sig = KW_OUT_ARRAY(room);
        struct kw_op op;

        kw_op_init(&op, "test", 0);
        assert_int_equal(pubkey_alg(privkey_public(key)), all_algs[i]);
        assert_false(privkey_is_remote(key));
        assert_ok(&op, privkey_to_pkcs8(&op, key, &pkcs8));
        assert_ok(&op, privkey_from_pkcs8(&op, pkcs8, &again));
        assert_true(pubkey_equal(privkey_public(key), privkey_public(again)));
        assert_ok(&op, privkey_to_pkcs8(&op, again, &pkcs8_again));
        assert_true(kw_secret_equal(pkcs8, pkcs8_again));
        assert_ok(&op, privkey_sign(&op, again, kw_span_text("m"), &sig));
        assert_ok(&op,
                  pubkey_verify(&op, privkey_public(key), kw_span_text("m"), kw_out_span(&sig)));
        assert_int_equal(ERR_peek_error(), 0);
    }
}

static void keys_differ(void **state)
{
    AUTO(privkey) *a = generate(KEY_ALG_EC_P256);
    AUTO(privkey) *b = generate(KEY_ALG_EC_P256);
    (void)state;
    assert_false(pubkey_equal(privkey_public(a), privkey_public(b)));
}

static void no_such_algorithm(void **state)
{
    struct privkey *key = NULL;
    struct kw_op op;
    (void)state;

    kw_op_init(&op, "test", 0);
    assert_code(privkey_generate(&op, KEY_ALG_NONE, &key), KW_E_UNSUPPORTED);
    assert_code(privkey_generate(&op, KEY_ALG_MAX, &key), KW_E_UNSUPPORTED);
    assert_null(key);
}

static void assert_not_taken(struct kw_span der, enum kw_code want)
{
    AUTO(kw_secret) *pkcs8 = secret_of(der);
    struct privkey *key = NULL;
    struct kw_op op;

    kw_op_init(&op, "test", 0);
    assert_code(privkey_from_pkcs8(&op, pkcs8, &key), want);
    assert_null(key);
    assert_int_equal(ERR_peek_error(), 0);
}

static void damaged_pkcs8_is_refused(void **state)
{
    AUTO(privkey) *key = generate(KEY_ALG_EC_P256);
    AUTO(kw_secret) *pkcs8 = NULL;
    uint8_t room[512];
    struct kw_op op;
    (void)state;

    kw_op_init(&op, "test", 0);
    assert_ok(&op, privkey_to_pkcs8(&op, key, &pkcs8));
    struct kw_span der = kw_secret_span(pkcs8);
    for (size_t n = 0; n < der.len; n++) {
        assert_not_taken(kw_span_sub(der, 0, n), KW_E_INPUT);
    }
    memcpy(room, der.p, der.len);
    room[der.len] = 0;
    assert_not_taken(KW_SPAN(room, der.len + 1), KW_E_INPUT);
    /* The last octet is the public key's: it is no longer on the curve. */
    room[der.len - 1] ^= 1;
    assert_not_taken(KW_SPAN(room, der.len), KW_E_INPUT);
}

/* A file whose public half is that of another key, itself in order. */
static void halves_that_do_not_match_are_refused(void **state)
{
    static const struct {
        enum key_alg alg;
        size_t n_public;
    } cases[] = {
        {KEY_ALG_EC_P256, 65},
        {KEY_ALG_EC_P384, 97}
    };
    (void)state;

    for (size_t i = 0; i < KW_COUNT(cases); i++) {
        AUTO(privkey) *key = generate(cases[i].alg);
        AUTO(privkey) *other = generate(cases[i].alg);
        AUTO(kw_secret) *pkcs8 = NULL;
        struct kw_op op;

        kw_op_init(&op, "test", 0);
        assert_ok(&op, privkey_to_pkcs8(&op, key, &pkcs8));
        struct kw_span spki = pubkey_spki(privkey_public(other));
        size_t n = cases[i].n_public;
        memcpy(kw_secret_data(pkcs8) + kw_secret_len(pkcs8) - n, spki.p + spki.len - n, n);
        assert_not_taken(kw_secret_span(pkcs8), KW_E_INPUT);
    }
}

static void an_encrypted_pkcs8_is_refused_without_asking(void **state)
{
    AUTO(privkey) *key = generate(KEY_ALG_EC_P256);
    unsigned char *der = NULL;
    (void)state;

    AUTO(BIO) *bio = BIO_new(BIO_s_mem());
    assert_int_equal(
        i2d_PKCS8PrivateKey_bio(bio, privkey_evp(key), EVP_aes_256_cbc(), "pass", 4, NULL, NULL),
        1);
    long n = BIO_get_mem_data(bio, &der);
    assert_not_taken(KW_SPAN(der, (size_t)n), KW_E_INPUT);
}

static void other_forms_are_refused(void **state)
{
    AUTO(privkey) *key = generate(KEY_ALG_EC_P256);
    unsigned char *der = NULL;
    (void)state;

    /* SEC1 ECPrivateKey, which OpenSSL's generous loaders take as well. */
    int n = i2d_PrivateKey(privkey_evp(key), &der);
    assert_true(n > 0);
    assert_not_taken(KW_SPAN(der, (size_t)n), KW_E_INPUT);
    OPENSSL_free(der);

    assert_not_taken(pubkey_spki(privkey_public(key)), KW_E_INPUT);
    assert_not_taken(kw_span_text("-----BEGIN "
                                  "PRIVATE KEY-----"),
                     KW_E_INPUT);
}

static void keys_of_other_kinds_are_unsupported(void **state)
{
    static const char *const curves[] = {"P-521", "secp256k1"};
    (void)state;

    for (size_t i = 0; i < KW_COUNT(curves); i++) {
        AUTO(EVP_PKEY) *evp = EVP_EC_gen(curves[i]);
        unsigned char *der = NULL;
        PKCS8_PRIV_KEY_INFO *p8 = EVP_PKEY2PKCS8(evp);
        int n = i2d_PKCS8_PRIV_KEY_INFO(p8, &der);
        assert_not_taken(KW_SPAN(der, (size_t)n), KW_E_UNSUPPORTED);
        OPENSSL_free(der);
        PKCS8_PRIV_KEY_INFO_free(p8);
    }
}

static void a_signature_that_does_not_fit_changes_nothing(void **state)
{
    AUTO(privkey) *key = generate(KEY_ALG_ED25519);
    uint8_t room[63] = {0xaa};
    struct kw_out sig = {room, sizeof(room), 1};
    struct kw_op op;
    (void)state;

    kw_op_init(&op, "test", 0);
    assert_code(privkey_sign(&op, key, kw_span_text("m"), &sig), KW_E_TOO_LARGE);
    assert_int_equal(sig.len, 1);
    assert_int_equal(room[0], 0xaa);
}

static void references_are_counted(void **state)
{
    struct privkey *key = generate(KEY_ALG_EC_P256);
    AUTO(pubkey) *public_key = pubkey_ref(privkey_public(key));
    AUTO(privkey) *shared = privkey_ref(key);
    uint8_t room[KW_SIG_MAX];
    struct kw_out sig = KW_OUT_ARRAY(room);
    struct kw_op op;
    (void)state;

    kw_op_init(&op, "test", 0);
    privkey_unref(key);
    assert_ok(&op, privkey_sign(&op, shared, kw_span_text("m"), &sig));
    assert_ok(&op, pubkey_verify(&op, public_key, kw_span_text("m"), kw_out_span(&sig)));
    privkey_unref(NULL);
    assert_null(privkey_ref(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_algorithm_survives_pkcs8),
        cmocka_unit_test(keys_differ),
        cmocka_unit_test(no_such_algorithm),
        cmocka_unit_test(damaged_pkcs8_is_refused),
        cmocka_unit_test(halves_that_do_not_match_are_refused),
        cmocka_unit_test(an_encrypted_pkcs8_is_refused_without_asking),
        cmocka_unit_test(other_forms_are_refused),
        cmocka_unit_test(keys_of_other_kinds_are_unsupported),
        cmocka_unit_test(a_signature_that_does_not_fit_changes_nothing),
        cmocka_unit_test(references_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
