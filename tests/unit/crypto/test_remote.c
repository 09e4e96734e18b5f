/* Remote keys under ordinary OpenSSL code. TLS: test_remote_tls.c. */
#include <openssl/err.h>
#include <openssl/rand.h>
#include <pthread.h>

#include "crypto/privkey.h"
#include "kit.h"

static const EVP_MD *md_of(const struct far_side *far)
{
    const char *digest = key_alg_digest(pubkey_alg(privkey_public(far->key)));
    return digest ? EVP_get_digestbyname(digest) : NULL;
}

static X509 *self_signed(struct far_side *far, const struct privkey *remote)
{
    return certify(privkey_public(far->key), privkey_evp(remote), "remote");
}

static struct kw_span outer_content(const unsigned char *der, int n)
{
    const unsigned char *p = der;
    long len = 0;
    int tag = 0;
    int class = 0;
    assert_int_equal(ASN1_get_object(&p, &len, &tag, &class, n) & 0x80, 0);
    return KW_SPAN(p, (size_t)(der + n - p));
}

/* Is `message` what begins the content of this signed DER object, as its first element? */
static void assert_first_element(unsigned char *der, int n, const struct kw_bytes *message)
{
    assert_true(n > 0);
    struct kw_span content = outer_content(der, n);
    assert_true(message->len < content.len);
    assert_memory_equal(content.p, message->p, message->len);
    OPENSSL_free(der);
}

static void certificates_are_signed(void **state)
{
    (void)state;
    for (size_t i = 0; i < KW_COUNT(all_algs); i++) {
        AUTO(far_side) *far = far_new(all_algs[i]);
        AUTO(privkey) *remote = remote_of(far);
        AUTO(X509) *x = self_signed(far, remote);
        unsigned char *der = NULL;

        assert_non_null(x);
        assert_int_equal(X509_verify(x, pubkey_evp(privkey_public(far->key))), 1);
        int n = i2d_X509(x, &der);
        assert_first_element(der, n, far->message);
        assert_int_equal(atomic_load(&far->n_calls), 1);
        assert_false(far->pss);
        /* Inner and outer algorithm are what a soft key would have written. */
        AUTO(X509) *soft = certify(privkey_public(far->key), privkey_evp(far->key), "remote");
        assert_int_equal(X509_ALGOR_cmp(X509_get0_tbs_sigalg(x), X509_get0_tbs_sigalg(soft)), 0);
        assert_int_equal(X509_get_signature_nid(x), X509_get_signature_nid(soft));
    }
}

static void requests_are_signed(void **state)
{
    (void)state;
    for (size_t i = 0; i < KW_COUNT(all_algs); i++) {
        AUTO(far_side) *far = far_new(all_algs[i]);
        AUTO(privkey) *remote = remote_of(far);
        AUTO(X509_REQ) *req = X509_REQ_new();
        EVP_PKEY *public_evp = pubkey_evp(privkey_public(remote));
        unsigned char *der = NULL;

        assert_int_equal(X509_REQ_set_version(req, X509_REQ_VERSION_1), 1);
        assert_int_equal(X509_REQ_set_pubkey(req, public_evp), 1);
        assert_true(X509_REQ_sign(req, privkey_evp(remote), md_of(far)) > 0);
        assert_int_equal(X509_REQ_verify(req, public_evp), 1);
        int n = i2d_X509_REQ(req, &der);
        assert_first_element(der, n, far->message);
    }
}

static void revocation_lists_are_signed(void **state)
{
    (void)state;
    for (size_t i = 0; i < KW_COUNT(all_algs); i++) {
        AUTO(far_side) *far = far_new(all_algs[i]);
        AUTO(privkey) *remote = remote_of(far);
        AUTO(X509_CRL) *crl = X509_CRL_new();
        AUTO(ASN1_TIME) *now = ASN1_TIME_set(NULL, 1800000000);
        unsigned char *der = NULL;

        assert_int_equal(X509_CRL_set_version(crl, X509_CRL_VERSION_2), 1);
        assert_int_equal(X509_CRL_set1_lastUpdate(crl, now), 1);
        assert_true(X509_CRL_sign(crl, privkey_evp(remote), md_of(far)) > 0);
        assert_int_equal(X509_CRL_verify(crl, pubkey_evp(privkey_public(remote))), 1);
        int n = i2d_X509_CRL(crl, &der);
        assert_first_element(der, n, far->message);
    }
}

static void ocsp_answers_are_signed(void **state)
{
    (void)state;
    for (size_t i = 0; i < KW_COUNT(all_algs); i++) {
        AUTO(far_side) *far = far_new(all_algs[i]);
        AUTO(privkey) *remote = remote_of(far);
        AUTO(X509) *x = self_signed(far, remote);
        AUTO(OCSP_BASICRESP) *resp = OCSP_BASICRESP_new();
        AUTO(OCSP_CERTID) *id = OCSP_cert_to_id(EVP_sha1(), x, x);
        AUTO(ASN1_TIME) *now = ASN1_TIME_set(NULL, 1800000000);
        AUTO(X509_STORE) *store = X509_STORE_new();

        assert_non_null(
            OCSP_basic_add1_status(resp, id, V_OCSP_CERTSTATUS_GOOD, 0, NULL, now, now));
        assert_int_equal(OCSP_basic_sign(resp, x, privkey_evp(remote), md_of(far), NULL, 0), 1);
        assert_int_equal(X509_STORE_add_cert(store, x), 1);
        assert_int_equal(OCSP_basic_verify(resp, NULL, store, OCSP_TRUSTOTHER), 1);
    }
}

static void cms_is_signed(void **state)
{
    static const enum key_alg algs[] = {KEY_ALG_EC_P256, KEY_ALG_EC_P384, KEY_ALG_RSA_3072};
    (void)state;

    for (size_t i = 0; i < KW_COUNT(algs); i++) {
        AUTO(far_side) *far = far_new(algs[i]);
        AUTO(privkey) *remote = remote_of(far);
        AUTO(X509) *x = self_signed(far, remote);
        AUTO(BIO) *content = BIO_new_mem_buf("content", -1);
        AUTO(X509_STORE) *store = X509_STORE_new();

        AUTO(CMS_ContentInfo) *cms = CMS_sign(NULL, NULL, NULL, NULL, CMS_PARTIAL | CMS_BINARY);
        assert_non_null(
            CMS_add1_signer(cms, x, privkey_evp(remote), md_of(far), CMS_BINARY | CMS_NOSMIMECAP));
        assert_int_equal(CMS_final(cms, content, NULL, CMS_BINARY), 1);
        /* Read again, as a verifier has it: a remote key only signs. */
        AUTO(BIO) *der = BIO_new(BIO_s_mem());
        assert_int_equal(i2d_CMS_bio(der, cms), 1);
        AUTO(CMS_ContentInfo) *read = d2i_CMS_bio(der, NULL);
        assert_int_equal(X509_STORE_add_cert(store, x), 1);
        assert_int_equal(CMS_verify(read, NULL, store, NULL, NULL, CMS_NO_SIGNER_CERT_VERIFY), 1);
    }
}

/* OpenSSL keeps an exported public half with the key: signing must not pick that one up. */
static void comparing_finds_the_key_and_does_no_harm(void **state)
{
    (void)state;
    for (size_t i = 0; i < KW_COUNT(all_algs); i++) {
        AUTO(far_side) *far = far_new(all_algs[i]);
        AUTO(far_side) *other = far_new(all_algs[i]);
        AUTO(privkey) *remote = remote_of(far);
        AUTO(privkey) *remote_twin = remote_of(far);
        AUTO(privkey) *remote_other = remote_of(other);
        EVP_PKEY *evp = privkey_evp(remote);

        assert_int_equal(EVP_PKEY_eq(evp, pubkey_evp(privkey_public(far->key))), 1);
        assert_int_equal(EVP_PKEY_eq(pubkey_evp(privkey_public(far->key)), evp), 1);
        assert_int_equal(EVP_PKEY_eq(evp, privkey_evp(far->key)), 1);
        assert_int_equal(EVP_PKEY_eq(evp, privkey_evp(remote_twin)), 1);
        assert_int_equal(EVP_PKEY_eq(evp, privkey_evp(remote_other)), 0);
        assert_int_equal(EVP_PKEY_eq(evp, pubkey_evp(privkey_public(other->key))), 0);
        assert_int_equal(EVP_PKEY_eq(pubkey_evp(privkey_public(other->key)), evp), 0);
        assert_int_equal(EVP_PKEY_parameters_eq(evp, pubkey_evp(privkey_public(other->key))), 1);

        AUTO(X509) *x = self_signed(far, remote);
        AUTO(X509) *y = self_signed(other, remote_other);
        assert_int_equal(X509_check_private_key(x, evp), 1);
        assert_int_equal(X509_check_private_key(y, evp), 0);
        AUTO(X509) *again = self_signed(far, remote);
        assert_non_null(again);
        ERR_clear_error();
    }
    AUTO(far_side) *p256 = far_new(KEY_ALG_EC_P256);
    AUTO(far_side) *p384 = far_new(KEY_ALG_EC_P384);
    AUTO(far_side) *ed25519 = far_new(KEY_ALG_ED25519);
    AUTO(privkey) *remote = remote_of(p256);
    assert_int_not_equal(EVP_PKEY_eq(privkey_evp(remote), privkey_evp(p384->key)), 1);
    assert_int_not_equal(EVP_PKEY_eq(privkey_evp(remote), privkey_evp(ed25519->key)), 1);
    AUTO(EVP_PKEY) *p521 = EVP_EC_gen("P-521");
    assert_int_not_equal(EVP_PKEY_eq(privkey_evp(remote), p521), 1);
    ERR_clear_error();
}

static void the_public_half_can_be_asked_for(void **state)
{
    (void)state;
    for (size_t i = 0; i < KW_COUNT(all_algs); i++) {
        AUTO(far_side) *far = far_new(all_algs[i]);
        AUTO(privkey) *remote = remote_of(far);
        AUTO(pubkey) *public_key = NULL;
        EVP_PKEY *soft = privkey_evp(far->key);
        EVP_PKEY *evp = privkey_evp(remote);
        struct kw_op op;

        kw_op_init(&op, "test", 0);
        assert_true(privkey_is_remote(remote));
        assert_true(pubkey_equal(privkey_public(remote), privkey_public(far->key)));
        assert_int_equal(EVP_PKEY_get_base_id(evp), EVP_PKEY_get_base_id(soft));
        assert_int_equal(EVP_PKEY_get_bits(evp), EVP_PKEY_get_bits(soft));
        assert_int_equal(EVP_PKEY_get_security_bits(evp), EVP_PKEY_get_security_bits(soft));
        assert_int_equal(EVP_PKEY_get_size(evp), EVP_PKEY_get_size(soft));
        assert_true(EVP_PKEY_can_sign(evp));
        assert_ok(&op, pubkey_from_evp(&op, evp, &public_key));
        assert_true(pubkey_equal(public_key, privkey_public(remote)));
    }
}

static void there_is_nothing_to_export(void **state)
{
    (void)state;
    for (size_t i = 0; i < KW_COUNT(all_algs); i++) {
        AUTO(far_side) *far = far_new(all_algs[i]);
        AUTO(privkey) *remote = remote_of(far);
        AUTO(kw_secret) *pkcs8 = NULL;
        unsigned char *der = NULL;
        OSSL_PARAM *params = NULL;
        struct kw_op op;

        kw_op_init(&op, "test", 0);
        assert_code(privkey_to_pkcs8(&op, remote, &pkcs8), KW_E_DENIED);
        assert_true(i2d_PrivateKey(privkey_evp(remote), &der) <= 0);
        assert_null(EVP_PKEY2PKCS8(privkey_evp(remote)));
        assert_int_equal(EVP_PKEY_todata(privkey_evp(remote), EVP_PKEY_KEYPAIR, &params), 0);
        ERR_clear_error();
    }
}

static void a_refusal_reaches_the_operation(void **state)
{
    (void)state;
    for (size_t i = 0; i < KW_COUNT(all_algs); i++) {
        AUTO(far_side) *far = far_new(all_algs[i]);
        AUTO(privkey) *remote = remote_of(far);
        uint8_t room[KW_SIG_MAX];
        struct kw_out sig = KW_OUT_ARRAY(room);
        struct kw_op op;

        far->refuse = KW_E_DENIED;
        kw_op_init(&op, "operator:alice", 12345);
        {
            PRIVKEY_SCOPE(&op);
            assert_null(self_signed(far, remote));
        }
        assert_ptr_equal(far->op, &op);
        assert_int_equal(far->deadline_ms, 12345);
        assert_int_equal(op.code, KW_E_DENIED);
        assert_string_equal(kw_op_cause(&op), "not within policy");

        char text[256];
        assert_code(crypto_fail(&op, KW_E_INTERNAL, __FILE__, __LINE__, "making a certificate"),
                    KW_E_DENIED);
        assert_string_equal(kw_op_message(&op, text, sizeof(text)),
                            "making a certificate: signing with a remote key: not within policy");
        assert_int_equal(ERR_peek_error(), 0);

        kw_op_clear(&op);
        assert_code(privkey_sign(&op, remote, kw_span_text("m"), &sig), KW_E_DENIED);
        assert_string_equal(kw_op_cause(&op), "not within policy");
        assert_ptr_equal(far->op, &op);
        assert_int_equal(sig.len, 0);
    }
}

/* Outside any scope (a handshake): a fresh operation with a deadline; the reason is in OpenSSL's
 * queue. */
static void without_a_scope_the_reason_is_not_lost(void **state)
{
    AUTO(far_side) *far = far_new(KEY_ALG_EC_P256);
    AUTO(privkey) *remote = remote_of(far);
    struct kw_op op;
    char text[256];
    (void)state;

    far->refuse = KW_E_UNAVAILABLE;
    kw_op_init(&op, "system", 0);
    assert_null(self_signed(far, remote));
    assert_ptr_not_equal(far->op, &op);
    assert_int_not_equal(far->deadline_ms, 0);
    assert_code(crypto_fail(&op, KW_E_INTERNAL, __FILE__, __LINE__, "handshake"), KW_E_UNAVAILABLE);
    assert_string_equal(kw_op_message(&op, text, sizeof(text)), "handshake: not within policy");
    /* The next failure is not blamed on it. */
    assert_code(crypto_fail(&op, KW_E_INPUT, __FILE__, __LINE__, "later"), KW_E_INPUT);
    assert_string_equal(kw_op_message(&op, text, sizeof(text)), "later");
}

static void scopes_nest(void **state)
{
    AUTO(far_side) *far = far_new(KEY_ALG_EC_P256);
    AUTO(privkey) *remote = remote_of(far);
    struct kw_op outer;
    struct kw_op inner;
    (void)state;

    kw_op_init(&outer, "outer", 0);
    kw_op_init(&inner, "inner", 0);
    PRIVKEY_SCOPE(&outer);
    {
        PRIVKEY_SCOPE(&inner);
        AUTO(X509) *x = self_signed(far, remote);
        assert_non_null(x);
        assert_ptr_equal(far->op, &inner);
    }
    AUTO(X509) *x = self_signed(far, remote);
    assert_non_null(x);
    assert_ptr_equal(far->op, &outer);
}

static void impossible_signatures_are_a_device_error(void **state)
{
    (void)state;
    for (size_t i = 0; i < KW_COUNT(all_algs); i++) {
        AUTO(far_side) *far = far_new(all_algs[i]);
        AUTO(privkey) *remote = remote_of(far);
        uint8_t room[KW_SIG_MAX];
        struct kw_out sig = KW_OUT_ARRAY(room);
        struct kw_op op;

        far->give_octets = KW_SIG_MAX;
        kw_op_init(&op, "test", 0);
        assert_code(privkey_sign(&op, remote, kw_span_text("m"), &sig), KW_E_DEVICE);
        PRIVKEY_SCOPE(&op);
        assert_null(self_signed(far, remote));
        assert_int_equal(op.code, KW_E_DEVICE);
        ERR_clear_error();
    }
}

/* A digest that is not the key's own would be another signature than the far side makes. */
static void other_digests_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < KW_COUNT(all_algs); i++) {
        AUTO(far_side) *far = far_new(all_algs[i]);
        AUTO(privkey) *remote = remote_of(far);
        AUTO(X509) *x = X509_new();
        AUTO(EVP_PKEY_CTX) *ctx = EVP_PKEY_CTX_new(privkey_evp(remote), NULL);

        assert_int_equal(X509_sign(x, privkey_evp(remote), EVP_sha512()), 0);
        assert_int_equal(X509_sign(x, privkey_evp(remote), EVP_sha1()), 0);
        assert_true(EVP_PKEY_sign_init(ctx) <= 0); /* bare digests: never */
        assert_int_equal(atomic_load(&far->n_calls), 0);
        ERR_clear_error();
    }
}

static void signing_in_pieces_works_up_to_a_limit(void **state)
{
    (void)state;
    for (size_t i = 0; i < KW_COUNT(all_algs); i++) {
        AUTO(far_side) *far = far_new(all_algs[i]);
        AUTO(privkey) *remote = remote_of(far);
        AUTO(EVP_MD_CTX) *ctx = EVP_MD_CTX_new();
        AUTO(kw_bytes) *big = NULL;
        uint8_t room[KW_SIG_MAX];
        size_t n = sizeof(room);
        struct kw_op op;

        kw_op_init(&op, "test", 0);
        const char *md = key_alg_digest(all_algs[i]);
        EVP_PKEY *evp = privkey_evp(remote);
        assert_int_equal(EVP_DigestSignInit_ex(ctx, NULL, md, NULL, NULL, evp, NULL), 1);
        assert_int_equal(EVP_DigestSignUpdate(ctx, "in ", 3), 1);
        assert_int_equal(EVP_DigestSignUpdate(ctx, "pieces", 6), 1);
        assert_int_equal(EVP_DigestSignFinal(ctx, room, &n), 1);
        assert_span_equal(kw_bytes_span(far->message), kw_span_text("in pieces"));
        assert_ok(&op, pubkey_verify(&op, privkey_public(remote), kw_span_text("in pieces"),
                                     KW_SPAN(room, n)));

        assert_true(kw_ok(kw_bytes_new(1 << 20, &big)));
        memset(big->p, 0, 1 << 20);
        assert_int_equal(EVP_DigestSignInit_ex(ctx, NULL, md, NULL, NULL, evp, NULL), 1);
        assert_int_equal(EVP_DigestSignUpdate(ctx, big->p, 1 << 20), 1);
        assert_int_equal(EVP_DigestSignUpdate(ctx, big->p, 1), 0);
        ERR_clear_error();
    }
}

static void the_far_side_is_freed_with_the_last_reference(void **state)
{
    AUTO(far_side) *far = far_new(KEY_ALG_EC_P256);
    struct privkey *remote = remote_of(far);
    struct privkey *shared = privkey_ref(remote);
    EVP_PKEY *evp = privkey_evp(remote);
    (void)state;

    assert_int_equal(EVP_PKEY_up_ref(evp), 1); /* as an SSL_CTX does */
    privkey_unref(remote);
    privkey_unref(shared);
    assert_int_equal(atomic_load(&far->n_freed), 0);
    AUTO(X509) *x = certify(privkey_public(far->key), evp, "still alive");
    assert_non_null(x);
    EVP_PKEY_free(evp);
    assert_int_equal(atomic_load(&far->n_freed), 1);
}

/* The rest of the process must not notice that there is another provider. */
static void ordinary_fetches_never_meet_the_provider(void **state)
{
    AUTO(far_side) *far = far_new(KEY_ALG_EC_P256);
    AUTO(privkey) *remote = remote_of(far);
    (void)state;

    assert_non_null(remote);
    EVP_KEYMGMT *keymgmt = EVP_KEYMGMT_fetch(NULL, "EC", "provider=keywright");
    assert_null(keymgmt);
    EVP_SIGNATURE *signature = EVP_SIGNATURE_fetch(NULL, "ECDSA", "provider=keywright");
    assert_null(signature);
    ERR_clear_error();
}

enum { N_THREADS = 8, N_ROUNDS = 50 };

struct worker {
    const struct far_side *far;
    const struct privkey *remote;
    unsigned n_good;
};

static void *work(void *arg)
{
    struct worker *w = arg;
    struct kw_op op;

    kw_op_init(&op, "worker", 0);
    for (unsigned i = 0; i < N_ROUNDS; i++) {
        uint8_t message[32];
        uint8_t room[KW_SIG_MAX];
        struct kw_out sig = KW_OUT_ARRAY(room);
        PRIVKEY_SCOPE(&op);
        AUTO(X509) *x = certify(privkey_public(w->remote), privkey_evp(w->remote), "thread");
        AUTO(privkey) *shared = privkey_ref(w->remote);
        const struct pubkey *public_key = privkey_public(shared);
        bool good =
            x && X509_verify(x, pubkey_evp(public_key)) == 1 &&
            X509_check_private_key(x, privkey_evp(shared)) == 1 &&
            RAND_bytes(message, sizeof(message)) == 1 &&
            kw_ok(privkey_sign(&op, shared, KW_SPAN_ARRAY(message), &sig)) &&
            kw_ok(pubkey_verify(&op, public_key, KW_SPAN_ARRAY(message), kw_out_span(&sig)));
        w->n_good += good;
    }
    return NULL;
}

static void many_threads_sign_with_one_key(void **state)
{
    static const enum key_alg algs[] = {KEY_ALG_EC_P256, KEY_ALG_ED25519};
    (void)state;

    for (size_t i = 0; i < KW_COUNT(algs); i++) {
        AUTO(far_side) *far = far_new(algs[i]);
        struct privkey *remote = remote_of(far);
        pthread_t threads[N_THREADS];
        struct worker workers[N_THREADS];

        far->one_thread = false;
        for (unsigned t = 0; t < N_THREADS; t++) {
            workers[t] = (struct worker){far, remote, 0};
            assert_int_equal(pthread_create(&threads[t], NULL, work, &workers[t]), 0);
        }
        for (unsigned t = 0; t < N_THREADS; t++) {
            assert_int_equal(pthread_join(threads[t], NULL), 0);
            assert_int_equal(workers[t].n_good, N_ROUNDS);
        }
        assert_int_equal(atomic_load(&far->n_calls), 2 * N_THREADS * N_ROUNDS);
        privkey_unref(remote);
        assert_int_equal(atomic_load(&far->n_freed), 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(certificates_are_signed),
        cmocka_unit_test(requests_are_signed),
        cmocka_unit_test(revocation_lists_are_signed),
        cmocka_unit_test(ocsp_answers_are_signed),
        cmocka_unit_test(cms_is_signed),
        cmocka_unit_test(comparing_finds_the_key_and_does_no_harm),
        cmocka_unit_test(the_public_half_can_be_asked_for),
        cmocka_unit_test(there_is_nothing_to_export),
        cmocka_unit_test(a_refusal_reaches_the_operation),
        cmocka_unit_test(without_a_scope_the_reason_is_not_lost),
        cmocka_unit_test(scopes_nest),
        cmocka_unit_test(impossible_signatures_are_a_device_error),
        cmocka_unit_test(other_digests_are_refused),
        cmocka_unit_test(signing_in_pieces_works_up_to_a_limit),
        cmocka_unit_test(the_far_side_is_freed_with_the_last_reference),
        cmocka_unit_test(ordinary_fetches_never_meet_the_provider),
        cmocka_unit_test(many_threads_sign_with_one_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
