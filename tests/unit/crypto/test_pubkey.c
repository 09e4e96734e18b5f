#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <pthread.h>

#include "crypto/digest.h"
#include "crypto/pubkey.h"
#include "kit.h"

static struct kw_bytes *spki_of(EVP_PKEY *evp)
{
    unsigned char *der = NULL;
    struct kw_bytes *bytes = NULL;

    int n = i2d_PUBKEY(evp, &der);
    assert_true(n > 0);
    assert_true(kw_ok(kw_bytes_copy(KW_SPAN(der, (size_t)n), &bytes)));
    OPENSSL_free(der);
    return bytes;
}

static void assert_refused(struct kw_span spki, enum kw_code want)
{
    struct pubkey *key = NULL;
    struct kw_op op;

    kw_op_init(&op, "test", 0);
    assert_code(pubkey_parse(&op, spki, &key), want);
    assert_null(key);
    assert_string_not_equal(kw_op_cause(&op), "");
    assert_int_equal(ERR_peek_error(), 0);
}

static void each_algorithm_goes_in_and_out(void **state)
{
    (void)state;
    for (size_t i = 0; i < KW_COUNT(all_algs); i++) {
        AUTO(privkey) *soft = NULL;
        AUTO(pubkey) *key = NULL;
        struct kw_op op;
        uint8_t hash[KW_HASH_BYTES];

        kw_op_init(&op, "test", 0);
        assert_ok(&op, privkey_generate(&op, all_algs[i], &soft));
        AUTO(kw_bytes) *spki = spki_of(privkey_evp(soft));
        assert_ok(&op, pubkey_parse(&op, kw_bytes_span(spki), &key));
        assert_int_equal(pubkey_alg(key), all_algs[i]);
        assert_span_equal(pubkey_spki(key), kw_bytes_span(spki));
        digest_sha256(kw_bytes_span(spki), hash);
        assert_memory_equal(pubkey_id(key), hash, sizeof(hash));
        assert_true(pubkey_equal(key, privkey_public(soft)));
        assert_int_equal(EVP_PKEY_eq(pubkey_evp(key), privkey_evp(soft)), 1);

        /* OpenSSL's own key identifier is the one of RFC 5280 method 1 as well. */
        X509 *x = certify(key, privkey_evp(soft), "x");
        unsigned n = 0;
        assert_int_equal(X509_pubkey_digest(x, EVP_sha1(), hash, &n), 1);
        assert_memory_equal(pubkey_sha1(key), hash, 20);
        X509_free(x);
    }
}

static void signatures_are_verified(void **state)
{
    (void)state;
    for (size_t i = 0; i < KW_COUNT(all_algs); i++) {
        AUTO(privkey) *soft = NULL;
        AUTO(privkey) *other = NULL;
        struct kw_op op;
        uint8_t room[KW_SIG_MAX];
        struct kw_out sig = KW_OUT_ARRAY(room);
        struct kw_span message = kw_span_text("message");

        kw_op_init(&op, "test", 0);
        assert_ok(&op, privkey_generate(&op, all_algs[i], &soft));
        assert_ok(&op, privkey_generate(&op, all_algs[i], &other));
        assert_ok(&op, privkey_sign(&op, soft, message, &sig));
        const struct pubkey *key = privkey_public(soft);
        assert_ok(&op, pubkey_verify(&op, key, message, kw_out_span(&sig)));
        assert_code(pubkey_verify(&op, key, kw_span_text("messagf"), kw_out_span(&sig)),
                    KW_E_DENIED);
        assert_string_equal(kw_op_cause(&op), "signature does not verify");
        assert_code(pubkey_verify(&op, privkey_public(other), message, kw_out_span(&sig)),
                    KW_E_DENIED);
        assert_code(pubkey_verify(&op, key, message, KW_SPAN(room, sig.len - 1)), KW_E_DENIED);
        assert_code(pubkey_verify(&op, key, message, KW_SPAN(NULL, 0)), KW_E_DENIED);
        room[sig.len / 2] ^= 1;
        assert_code(pubkey_verify(&op, key, message, kw_out_span(&sig)), KW_E_DENIED);
        assert_int_equal(ERR_peek_error(), 0);
    }
}

/* RFC 8032 section 7.1 TEST 2. */
static void ed25519_of_rfc_8032(void **state)
{
    AUTO(kw_bytes) *spki =
        from_hex("302a300506032b6570032100"
                 "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
    AUTO(kw_bytes) *sig =
        from_hex("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
                 "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
    AUTO(pubkey) *key = NULL;
    uint8_t raw[32];
    struct kw_out out = KW_OUT_ARRAY(raw);
    struct kw_op op;
    (void)state;

    kw_op_init(&op, "test", 0);
    assert_ok(&op, pubkey_parse(&op, kw_bytes_span(spki), &key));
    assert_ok(&op, pubkey_verify(&op, key, KW_SPAN("\x72", 1), kw_bytes_span(sig)));
    assert_ok(&op, pubkey_raw(&op, key, &out));
    assert_span_equal(kw_out_span(&out), KW_SPAN(spki->p + 12, 32));
}

static void only_ed25519_has_a_raw_form(void **state)
{
    AUTO(privkey) *soft = NULL;
    uint8_t raw[128];
    struct kw_out out = KW_OUT_ARRAY(raw);
    struct kw_op op;
    (void)state;

    kw_op_init(&op, "test", 0);
    assert_ok(&op, privkey_generate(&op, KEY_ALG_EC_P256, &soft));
    assert_code(pubkey_raw(&op, privkey_public(soft), &out), KW_E_UNSUPPORTED);
}

static void every_altered_octet_is_refused_or_another_key(void **state)
{
    (void)state;
    for (size_t i = 0; i < KW_COUNT(all_algs); i++) {
        AUTO(privkey) *soft = NULL;
        struct kw_op op;
        kw_op_init(&op, "test", 0);
        assert_ok(&op, privkey_generate(&op, all_algs[i], &soft));
        AUTO(kw_bytes) *spki = spki_of(privkey_evp(soft));

        for (size_t n = 0; n < spki->len; n++) {
            assert_refused(KW_SPAN(spki->p, n), KW_E_INPUT);
        }
        for (size_t at = 0; at < spki->len; at++) {
            struct pubkey *key = NULL;
            spki->p[at] ^= 0x04;
            if (kw_ok(pubkey_parse(&op, kw_bytes_span(spki), &key))) {
                assert_false(pubkey_equal(key, privkey_public(soft)));
                assert_span_equal(pubkey_spki(key), kw_bytes_span(spki));
            }
            pubkey_unref(key);
            spki->p[at] ^= 0x04;
        }
        assert_true(kw_ok(kw_bytes_append(spki, KW_SPAN("\0", 1))));
        assert_refused(kw_bytes_span(spki), KW_E_INPUT);
    }
}

static EVP_PKEY *ec_key(const char *curve, const char *encoding, const char *form)
{
    EVP_PKEY *evp = EVP_EC_gen(curve);
    assert_non_null(evp);
    if (encoding) {
        assert_int_equal(EVP_PKEY_set_utf8_string_param(evp, OSSL_PKEY_PARAM_EC_ENCODING, encoding),
                         1);
    }
    if (form) {
        assert_int_equal(
            EVP_PKEY_set_utf8_string_param(evp, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, form),
            1);
    }
    return evp;
}

static void other_forms_of_a_curve_key_are_refused(void **state)
{
    static const struct {
        const char *curve, *encoding, *form;
        enum kw_code want;
    } cases[] = {
        {"P-256",     NULL,       "compressed", KW_E_INPUT      },
        {"P-256",     NULL,       "hybrid",     KW_E_INPUT      },
        {"P-384",     NULL,       "compressed", KW_E_INPUT      },
        {"P-256",     "explicit", NULL,         KW_E_INPUT      },
        {"P-521",     NULL,       NULL,         KW_E_UNSUPPORTED},
        {"secp256k1", NULL,       NULL,         KW_E_UNSUPPORTED},
        {"P-224",     NULL,       NULL,         KW_E_UNSUPPORTED},
    };
    (void)state;

    for (size_t i = 0; i < KW_COUNT(cases); i++) {
        AUTO(EVP_PKEY) *evp = ec_key(cases[i].curve, cases[i].encoding, cases[i].form);
        AUTO(kw_bytes) *spki = spki_of(evp);
        struct pubkey *key = NULL;
        assert_refused(kw_bytes_span(spki), cases[i].want);
        assert_code(pubkey_from_evp(NULL, evp, &key), cases[i].want);
    }
}

static void a_point_off_its_curve_is_refused(void **state)
{
    AUTO(EVP_PKEY) *evp = ec_key("P-256", NULL, NULL);
    AUTO(kw_bytes) *spki = spki_of(evp);
    (void)state;

    spki->p[spki->len - 1] ^= 1;
    assert_refused(kw_bytes_span(spki), KW_E_INPUT);
    memset(spki->p + 27, 0, 64);
    assert_refused(kw_bytes_span(spki), KW_E_INPUT);
    memset(spki->p + 27, 0xff, 64);
    assert_refused(kw_bytes_span(spki), KW_E_INPUT);
}

static EVP_PKEY *rsa_public(const BIGNUM *n, const BIGNUM *e)
{
    uint8_t n_octets[1024];
    uint8_t e_octets[64];
    EVP_PKEY *evp = NULL;
    AUTO(EVP_PKEY_CTX) *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);

    assert_int_equal(BN_bn2nativepad(n, n_octets, BN_num_bytes(n)), BN_num_bytes(n));
    assert_int_equal(BN_bn2nativepad(e, e_octets, BN_num_bytes(e)), BN_num_bytes(e));
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_RSA_N, n_octets, (size_t)BN_num_bytes(n)),
        OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_RSA_E, e_octets, (size_t)BN_num_bytes(e)),
        OSSL_PARAM_construct_end(),
    };
    assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
    assert_int_equal(EVP_PKEY_fromdata(ctx, &evp, EVP_PKEY_PUBLIC_KEY, params), 1);
    return evp;
}

/* --- one key, many threads -------------------------------------------------------------------- */

enum { THREADS = 8, ROUNDS = 50 };

struct asker {
    pthread_barrier_t *together;
    const struct pubkey *key;
    void *evp;
    pthread_t thread;
};

static void *ask(void *ctx)
{
    struct asker *asker = ctx;

    (void)pthread_barrier_wait(asker->together);
    asker->evp = pubkey_evp(asker->key);
    return NULL;
}

/* A key is made ready by who needs it first; whoever comes at the same time has the same one. */
static void all_threads_have_one_key(void **state)
{
    AUTO(EVP_PKEY) *made = EVP_EC_gen("P-256");

    (void)state;
    for (unsigned round = 0; round < ROUNDS; round++) {
        AUTO(pubkey) *key = NULL;
        struct asker askers[THREADS];
        pthread_barrier_t together;
        struct kw_op op;
        kw_op_init(&op, "test", 0);
        assert_ok(&op, pubkey_from_evp(&op, made, &key));
        assert_int_equal(pthread_barrier_init(&together, NULL, THREADS), 0);
        for (unsigned i = 0; i < THREADS; i++) {
            askers[i] = (struct asker){.together = &together, .key = key};
            assert_int_equal(pthread_create(&askers[i].thread, NULL, ask, &askers[i]), 0);
        }
        for (unsigned i = 0; i < THREADS; i++) {
            (void)pthread_join(askers[i].thread, NULL);
        }
        (void)pthread_barrier_destroy(&together);
        for (unsigned i = 0; i < THREADS; i++) {
            assert_non_null(askers[i].evp);
            assert_ptr_equal(askers[i].evp, askers[0].evp);
        }
        assert_int_equal(EVP_PKEY_eq(askers[0].evp, made), 1);
    }
}

static void rsa_has_bounds(void **state)
{
    static const struct {
        int bits;
        const char *e;
        enum kw_code want;
        bool even;
    } cases[] = {
        {3072, "65537",                KW_CODE_OK,       false},
        {4096, "65537",                KW_CODE_OK,       false},
        {3072, "4294967297",           KW_CODE_OK,       false},
        {2048, "65537",                KW_E_UNSUPPORTED, false},
        {3071, "65537",                KW_E_UNSUPPORTED, false},
        {4104, "65537",                KW_E_UNSUPPORTED, false},
        {3072, "3",                    KW_E_UNSUPPORTED, false},
        {3072, "65535",                KW_E_UNSUPPORTED, false},
        {3072, "65538",                KW_E_INPUT,       false},
        {3072, "36893488147419103233", KW_E_UNSUPPORTED, false},
        {3072, "65537",                KW_E_INPUT,       true },
    };
    (void)state;

    for (size_t i = 0; i < KW_COUNT(cases); i++) {
        AUTO(BIGNUM) *n = BN_new();
        AUTO(BIGNUM) *e = NULL;
        AUTO(pubkey) *key = NULL;
        assert_int_equal(BN_rand(n, cases[i].bits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ODD), 1);
        assert_int_equal(cases[i].even ? BN_sub_word(n, 1) : 1, 1);
        assert_true(BN_dec2bn(&e, cases[i].e) > 0);
        AUTO(EVP_PKEY) *evp = rsa_public(n, e);
        AUTO(kw_bytes) *spki = spki_of(evp);
        assert_code(pubkey_parse(NULL, kw_bytes_span(spki), &key), cases[i].want);
    }
}

static void other_algorithms_are_unsupported(void **state)
{
    static const char *const others[] = {"ED448", "X25519"};
    (void)state;

    for (size_t i = 0; i < KW_COUNT(others); i++) {
        AUTO(EVP_PKEY) *evp = EVP_PKEY_Q_keygen(NULL, NULL, others[i]);
        AUTO(kw_bytes) *spki = spki_of(evp);
        assert_refused(kw_bytes_span(spki), KW_E_UNSUPPORTED);
    }
    uint8_t big[KW_SPKI_MAX + 1] = {0x30};
    assert_refused(KW_SPAN_ARRAY(big), KW_E_TOO_LARGE);
}

/* Same key, BER length: signatures over it would still verify, but it would have two names. */
static void a_longer_length_form_is_refused(void **state)
{
    AUTO(EVP_PKEY) *evp = ec_key("P-256", NULL, NULL);
    AUTO(kw_bytes) *spki = spki_of(evp);
    uint8_t ber[128] = {0x30, 0x81, 0x59};
    (void)state;

    memcpy(ber + 3, spki->p + 2, spki->len - 2);
    assert_refused(KW_SPAN(ber, spki->len + 1), KW_E_INPUT);
}

static void names_of_algorithms(void **state)
{
    (void)state;
    for (size_t i = 0; i < KW_COUNT(all_algs); i++) {
        assert_int_equal(key_alg_from_text(key_alg_text(all_algs[i])), all_algs[i]);
    }
    assert_int_equal(key_alg_from_text("none"), KEY_ALG_NONE);
    assert_int_equal(key_alg_from_text("EC-P256"), KEY_ALG_NONE);
    assert_string_equal(key_alg_text((enum key_alg)99), "none");
    assert_int_equal(key_alg_strength(KEY_ALG_EC_P384), 192);
    assert_int_equal(key_alg_strength((enum key_alg) - 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_algorithm_goes_in_and_out),
        cmocka_unit_test(signatures_are_verified),
        cmocka_unit_test(ed25519_of_rfc_8032),
        cmocka_unit_test(only_ed25519_has_a_raw_form),
        cmocka_unit_test(every_altered_octet_is_refused_or_another_key),
        cmocka_unit_test(other_forms_of_a_curve_key_are_refused),
        cmocka_unit_test(a_point_off_its_curve_is_refused),
        cmocka_unit_test(all_threads_have_one_key),
        cmocka_unit_test(rsa_has_bounds),
        cmocka_unit_test(other_algorithms_are_unsupported),
        cmocka_unit_test(a_longer_length_form_is_refused),
        cmocka_unit_test(names_of_algorithms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
