#include "crypto/csr.h"

#include "crypto/digest.h"
#include "x509_kit.h"

static void requests_go_there_and_back(void **state)
{
    struct name dn;
    struct kw_span subject = name_of(&dn, "DEV1", "SN-1");

    (void)state;
    for (size_t i = 0; i < KW_COUNT(all_algs); i++) {
        AUTO(far_side) *far = far_new(all_algs[i]);
        AUTO(privkey) *remote = remote_of(far);
        const struct privkey *keys[] = {far->key, remote};
        for (size_t k = 0; k < KW_COUNT(keys); k++) {
            AUTO(kw_bytes) *der = NULL;
            AUTO(csr) *csr = NULL;
            uint8_t sum[KW_HASH_BYTES];
            struct kw_op op;
            kw_op_init(&op, "test", 0);
            assert_ok(&op, csr_build(&op, subject, keys[k], &der));
            assert_ok(&op, csr_parse(&op, kw_bytes_span(der), &csr));
            assert_span_equal(csr_der(csr), kw_bytes_span(der));
            assert_span_equal(csr_subject(csr), subject);
            assert_true(pubkey_equal(csr_public(csr), privkey_public(far->key)));
            assert_null(csr_challenge(csr));
            assert_int_equal(csr_san_count(csr), 0);
            digest_sha256(kw_bytes_span(der), sum);
            assert_memory_equal(csr_sha256(csr), sum, sizeof(sum));
            /* RFC 2986 section 4.1: the attributes are there though empty. */
            assert_memory_equal(tbs_of(kw_bytes_span(der)).p + tbs_of(kw_bytes_span(der)).len - 2,
                                "\xa0\x00", 2);
        }
        assert_int_equal(atomic_load(&far->n_calls), 1);
    }
}

static void a_refusal_keeps_its_words(void **state)
{
    AUTO(far_side) *far = far_new(KEY_ALG_EC_P256);
    AUTO(privkey) *remote = remote_of(far);
    AUTO(kw_bytes) *der = NULL;
    struct name dn;
    struct kw_op op;

    (void)state;
    kw_op_init(&op, "test", 0);
    far->refuse = KW_E_STATE;
    assert_code(csr_build(&op, name_of(&dn, "DEV1", NULL), remote, &der), KW_E_STATE);
    assert_string_equal(kw_op_cause(&op), "not within policy");
}

/* A request as OpenSSL makes it. */
static struct kw_bytes *openssl_request(const struct privkey *key, const char *challenge,
                                        const char *san)
{
    AUTO(X509_REQ) *req = X509_REQ_new();
    STACK_OF(X509_EXTENSION) *exts = sk_X509_EXTENSION_new_null();
    unsigned char *der = NULL;
    struct kw_bytes *bytes = NULL;

    assert_true(X509_REQ_set_pubkey(req, privkey_evp(key)));
    assert_true(X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(req), "CN", MBSTRING_UTF8,
                                           (const uint8_t *)"DEV1", -1, -1, 0));
    if (challenge) {
        assert_true(X509_REQ_add1_attr_by_txt(req, "challengePassword", MBSTRING_UTF8,
                                              (const uint8_t *)challenge, -1));
    }
    if (san) {
        X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, san);
        assert_non_null(ext);
        assert_true(sk_X509_EXTENSION_push(exts, ext) > 0);
        assert_true(X509_REQ_add_extensions(req, exts));
    }
    assert_true(X509_REQ_sign(req, privkey_evp(key), EVP_sha256()) > 0);
    int n = i2d_X509_REQ(req, &der);
    assert_true(kw_ok(kw_bytes_copy(KW_SPAN(der, (size_t)n), &bytes)));
    OPENSSL_free(der);
    sk_X509_EXTENSION_pop_free(exts, X509_EXTENSION_free);
    return bytes;
}

static void openssl_requests_are_read(void **state)
{
    AUTO(privkey) *key = NULL;
    AUTO(csr) *csr = NULL;
    struct kw_op op;

    (void)state;
    kw_op_init(&op, "test", 0);
    assert_ok(&op, privkey_generate(&op, KEY_ALG_EC_P256, &key));
    AUTO(kw_bytes) *der = openssl_request(key, "geheim-ä", "DNS:a.test,IP:10.0.0.1,URI:urn:x:y");
    assert_ok(&op, csr_parse(&op, kw_bytes_span(der), &csr));
    assert_string_equal(csr_challenge(csr), "geheim-ä");
    assert_int_equal(csr_san_count(csr), 3);
    assert_string_equal(csr_san(csr, 0), "dns:a.test");
    assert_string_equal(csr_san(csr, 1), "ip:10.0.0.1");
    assert_string_equal(csr_san(csr, 2), "uri:urn:x:y");
}

/* The same request made anew for another connection asks for the same; a name more, or another key,
 * for something else. */
static void what_is_asked_is_not_the_challenge(void **state)
{
    AUTO(privkey) *key = NULL, *other = NULL;
    AUTO(csr) *a = NULL, *b = NULL, *c = NULL, *d = NULL, *plain = NULL, *signed_anew = NULL;

    (void)state;
    assert_code(privkey_generate(NULL, KEY_ALG_EC_P256, &key), KW_CODE_OK);
    assert_code(privkey_generate(NULL, KEY_ALG_EC_P256, &other), KW_CODE_OK);
    AUTO(kw_bytes) *one = openssl_request(key, "one", "DNS:a.test");
    AUTO(kw_bytes) *two = openssl_request(key, "two", "DNS:a.test");
    AUTO(kw_bytes) *name = openssl_request(key, "two", "DNS:b.test");
    AUTO(kw_bytes) *another = openssl_request(other, "two", "DNS:a.test");
    AUTO(kw_bytes) *without = openssl_request(key, NULL, "DNS:a.test");
    assert_code(csr_parse(NULL, kw_bytes_span(one), &a), KW_CODE_OK);
    assert_code(csr_parse(NULL, kw_bytes_span(two), &b), KW_CODE_OK);
    assert_code(csr_parse(NULL, kw_bytes_span(name), &c), KW_CODE_OK);
    assert_code(csr_parse(NULL, kw_bytes_span(another), &d), KW_CODE_OK);
    AUTO(kw_bytes) *anew = openssl_request(key, NULL, "DNS:a.test");
    assert_code(csr_parse(NULL, kw_bytes_span(without), &plain), KW_CODE_OK);
    assert_code(csr_parse(NULL, kw_bytes_span(anew), &signed_anew), KW_CODE_OK);
    assert_memory_not_equal(csr_sha256(a), csr_sha256(b), 32);
    assert_memory_equal(csr_asked_sha256(a), csr_asked_sha256(b), 32);
    assert_memory_not_equal(csr_asked_sha256(a), csr_asked_sha256(c), 32);
    assert_memory_not_equal(csr_asked_sha256(a), csr_asked_sha256(d), 32);
    assert_memory_not_equal(csr_sha256(plain), csr_sha256(signed_anew), 32);
    assert_memory_equal(csr_asked_sha256(plain), csr_asked_sha256(signed_anew), 32);
    assert_memory_equal(csr_asked_sha256(plain), csr_asked_sha256(a), 32);
}

static void odd_attributes_are_refused(void **state)
{
    AUTO(privkey) *key = NULL;
    AUTO(csr) *csr = NULL;

    (void)state;
    assert_code(privkey_generate(NULL, KEY_ALG_EC_P256, &key), KW_CODE_OK);
    AUTO(kw_bytes) *control = openssl_request(key, "a\nb", NULL);
    assert_code(csr_parse(NULL, kw_bytes_span(control), &csr), KW_E_INPUT);
}

static void possession_is_proven_or_nothing_is_read(void **state)
{
    AUTO(privkey) *key = NULL;
    AUTO(privkey) *other = NULL;
    AUTO(csr) *csr = NULL;
    struct kw_op op;

    (void)state;
    kw_op_init(&op, "test", 0);
    assert_ok(&op, privkey_generate(&op, KEY_ALG_EC_P256, &key));
    assert_ok(&op, privkey_generate(&op, KEY_ALG_EC_P256, &other));
    AUTO(kw_bytes) *der = openssl_request(key, NULL, NULL);
    struct kw_span old = pubkey_spki(privkey_public(key));
    struct kw_span new = pubkey_spki(privkey_public(other));
    uint8_t *at = memmem(der->p, der->len, old.p, old.len);
    memcpy(at, new.p, new.len);
    assert_code(csr_parse(&op, kw_bytes_span(der), &csr), KW_E_DENIED);
}

static void weak_and_unknown_keys_are_unsupported(void **state)
{
    AUTO(EVP_PKEY) *rsa = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
    AUTO(EVP_PKEY) *p521 = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-521");
    EVP_PKEY *keys[] = {rsa, p521};

    (void)state;
    for (size_t i = 0; i < KW_COUNT(keys); i++) {
        AUTO(X509_REQ) *req = X509_REQ_new();
        AUTO(csr) *csr = NULL;
        unsigned char *der = NULL;
        assert_true(X509_REQ_set_pubkey(req, keys[i]));
        assert_true(X509_REQ_sign(req, keys[i], EVP_sha256()) > 0);
        int n = i2d_X509_REQ(req, &der);
        assert_code(csr_parse(NULL, KW_SPAN(der, (size_t)n), &csr), KW_E_UNSUPPORTED);
        OPENSSL_free(der);
    }
}

/* Any hash of SHA-2 whatever the key: `openssl req` signs by a P-384 key with SHA-256. SHA-1, and
 * other paddings, prove nothing. */
static void requests_are_signed_with_any_hash_of_sha_2(void **state)
{
    const enum key_alg algs[] = {KEY_ALG_EC_P256, KEY_ALG_EC_P384, KEY_ALG_RSA_3072};
    const struct {
        const EVP_MD *hash;
        enum kw_code code;
    } rows[] = {
        {EVP_sha256(),   KW_CODE_OK      },
        {EVP_sha384(),   KW_CODE_OK      },
        {EVP_sha512(),   KW_CODE_OK      },
        {EVP_sha1(),     KW_E_UNSUPPORTED},
        {EVP_sha224(),   KW_E_UNSUPPORTED},
        {EVP_sha3_256(), KW_E_UNSUPPORTED},
    };

    (void)state;
    for (size_t k = 0; k < KW_COUNT(algs); k++) {
        AUTO(privkey) *key = NULL;
        assert_code(privkey_generate(NULL, algs[k], &key), KW_CODE_OK);
        for (size_t i = 0; i < KW_COUNT(rows); i++) {
            AUTO(X509_REQ) *req = X509_REQ_new();
            AUTO(csr) *csr = NULL;
            unsigned char *der = NULL;
            assert_true(X509_REQ_set_pubkey(req, privkey_evp(key)));
            assert_true(X509_REQ_sign(req, privkey_evp(key), rows[i].hash) > 0);
            int n = i2d_X509_REQ(req, &der);
            assert_code(csr_parse(NULL, KW_SPAN(der, (size_t)n), &csr), rows[i].code);
            der[n - 1] ^= 1; /* the signature's last octet */
            AUTO(csr) *forged = NULL;
            assert_code(csr_parse(NULL, KW_SPAN(der, (size_t)n), &forged),
                        rows[i].code == KW_CODE_OK ? KW_E_DENIED : rows[i].code);
            OPENSSL_free(der);
        }
    }
}

static void pss_is_named_where_it_is_refused(void **state)
{
    AUTO(privkey) *key = NULL;
    AUTO(X509_REQ) *req = X509_REQ_new();
    AUTO(EVP_MD_CTX) *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *how = NULL;
    AUTO(csr) *csr = NULL;
    unsigned char *der = NULL;

    (void)state;
    assert_code(privkey_generate(NULL, KEY_ALG_RSA_3072, &key), KW_CODE_OK);
    assert_true(X509_REQ_set_pubkey(req, privkey_evp(key)));
    assert_true(EVP_DigestSignInit(ctx, &how, EVP_sha256(), NULL, privkey_evp(key)) == 1);
    assert_true(EVP_PKEY_CTX_set_rsa_padding(how, RSA_PKCS1_PSS_PADDING) == 1);
    assert_true(X509_REQ_sign_ctx(req, ctx) > 0);
    int n = i2d_X509_REQ(req, &der);
    assert_code(csr_parse(NULL, KW_SPAN(der, (size_t)n), &csr), KW_E_UNSUPPORTED);
    OPENSSL_free(der);
}

static void take(struct kw_span der, void *ctx)
{
    AUTO(csr) *csr = NULL;
    struct kw_span original = *(const struct kw_span *)ctx;

    if (kw_ok(csr_parse(NULL, der, &csr))) {
        assert_span_equal(tbs_of(der), tbs_of(original));
    }
}

static void damage_is_never_taken(void **state)
{
    AUTO(privkey) *key = NULL;

    (void)state;
    assert_code(privkey_generate(NULL, KEY_ALG_ED25519, &key), KW_CODE_OK);
    AUTO(kw_bytes) *p256 = NULL;
    struct name dn;
    assert_code(csr_build(NULL, name_of(&dn, "DEV1", "1"), key, &p256), KW_CODE_OK);
    struct kw_span span = kw_bytes_span(p256);
    damage_everywhere(span, take, &span);
}

static void size_has_a_limit(void **state)
{
    static uint8_t large[KW_CSR_MAX + 1] = {0x30, 0x82, 0x1f, 0xfd};
    AUTO(csr) *csr = NULL;

    (void)state;
    assert_code(csr_parse(NULL, KW_SPAN_ARRAY(large), &csr), KW_E_INPUT);
    assert_code(csr_parse(NULL, KW_SPAN(NULL, 0), &csr), KW_E_INPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_go_there_and_back),
        cmocka_unit_test(a_refusal_keeps_its_words),
        cmocka_unit_test(openssl_requests_are_read),
        cmocka_unit_test(what_is_asked_is_not_the_challenge),
        cmocka_unit_test(odd_attributes_are_refused),
        cmocka_unit_test(possession_is_proven_or_nothing_is_read),
        cmocka_unit_test(weak_and_unknown_keys_are_unsupported),
        cmocka_unit_test(requests_are_signed_with_any_hash_of_sha_2),
        cmocka_unit_test(pss_is_named_where_it_is_refused),
        cmocka_unit_test(damage_is_never_taken),
        cmocka_unit_test(size_has_a_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
