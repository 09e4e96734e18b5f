/* CAs for contexts as Mosquitto makes them: a CA's next key has the same name as the one before. */
#include <pthread.h>

#include "../crypto/x509_kit.h"
#include "mosquitto/anchors.h"

#include <openssl/ssl.h>

static struct pki *pki, *others;
static struct cert *next_ca, *next_leaf; /* of the same names as pki's, by another key */
static struct anchors *anchors;
static struct kw_op op;

static void make_next(void)
{
    AUTO(privkey) *key = NULL;

    assert_ok(&op, privkey_generate(&op, KEY_ALG_EC_P256, &key));
    struct cert_spec spec = sub_spec(pki);
    spec.key = privkey_public(key);
    spec.serial = serial_of(20);
    next_ca = issue(&spec, pki->root_key);
    spec = ldevid_spec(pki);
    spec.issuer_key = privkey_public(key);
    spec.serial = serial_of(21);
    next_leaf = issue(&spec, key);
}

static int group_setup(void **state)
{
    (void)state;
    kw_op_init(&op, "test", 0);
    pki = pki_new(KEY_ALG_EC_P256);
    others = pki_new(KEY_ALG_EC_P256);
    make_next();
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    cert_unref(next_ca);
    cert_unref(next_leaf);
    pki_free(pki);
    pki_free(others);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    kw_op_init(&op, "test", 0);
    return kw_ok(anchors_new(&op, &anchors)) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    anchors_free(anchors);
    return 0;
}

/* A listener's: anchored in that root, and knowing the CA of the first key. */
static SSL_CTX *listener(const struct pki *of, const SSL_METHOD *method)
{
    SSL_CTX *ctx = SSL_CTX_new(method);

    assert_non_null(ctx);
    assert_int_equal(X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), cert_x509(of->root)), 1);
    assert_int_equal(X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), cert_x509(of->sub)), 1);
    return ctx;
}

/* A client that sends its leaf alone. */
static bool takes(SSL_CTX *ctx, const struct cert *leaf)
{
    X509_STORE_CTX *path = X509_STORE_CTX_new();

    assert_int_equal(X509_STORE_CTX_init(path, SSL_CTX_get_cert_store(ctx), cert_x509(leaf), NULL),
                     1);
    X509_STORE_CTX_set_time(path, 0, NOW);
    bool good = X509_verify_cert(path) == 1;
    X509_STORE_CTX_free(path);
    return good;
}

static void add(struct cert *root, struct cert *ca)
{
    assert_ok(&op, anchors_add(&op, anchors, &root, 1, &ca, 1));
}

static void a_cas_next_key_is_known_without_its_certificate_being_sent(void **state)
{
    SSL_CTX *ctx = listener(pki, TLS_server_method());

    (void)state;
    assert_true(takes(ctx, pki->ldevid));
    assert_false(takes(ctx, next_leaf));
    assert_true(anchors_waits(anchors));
    add(pki->root, next_ca);
    assert_false(anchors_waits(anchors));
    assert_true(takes(ctx, next_leaf) && takes(ctx, pki->ldevid));
    add(pki->root, next_ca);
    assert_true(takes(ctx, next_leaf));
    SSL_CTX_free(ctx);
}

static void another_root_comes_in_beside_the_first(void **state)
{
    struct cert *const roots[] = {pki->root, others->root};
    SSL_CTX *ctx = listener(pki, TLS_server_method());

    (void)state;
    add(pki->root, next_ca);
    assert_false(takes(ctx, others->ldevid));
    assert_ok(&op, anchors_add(&op, anchors, roots, 2, &others->sub, 1));
    assert_true(takes(ctx, others->ldevid) && takes(ctx, pki->ldevid));
    add(others->root, others->sub); /* the first is out of the file: the listener is ours still */
    SSL_CTX_free(ctx);
}

static void a_ca_alone_is_no_anchor(void **state)
{
    SSL_CTX *ctx = listener(pki, TLS_server_method());

    (void)state;
    add(pki->root, others->sub);
    assert_false(takes(ctx, others->ldevid));
    SSL_CTX_free(ctx);
}

static void *make_elsewhere(void *ret)
{
    *(SSL_CTX **)ret = listener(pki, TLS_server_method());
    return NULL;
}

/* Other listeners, bridges, and the feed's own thread. */
static void contexts_of_others_stay_as_they_are(void **state)
{
    SSL_CTX *ctx[] = {listener(others, TLS_server_method()), listener(pki, TLS_client_method()),
                      NULL};
    pthread_t thread;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, make_elsewhere, &ctx[2]), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    add(pki->root, next_ca);
    for (size_t i = 0; i < KW_COUNT(ctx); i++) {
        assert_false(takes(ctx[i], next_leaf));
        SSL_CTX_free(ctx[i]);
    }
}

static void a_context_that_is_gone_is_forgotten(void **state)
{
    SSL_CTX *first = listener(pki, TLS_server_method());
    SSL_CTX *second = listener(pki, TLS_server_method());

    (void)state;
    SSL_CTX_free(first);
    add(pki->root, next_ca);
    assert_true(takes(second, next_leaf));
    SSL_CTX_free(second);
    assert_false(anchors_waits(anchors));
    for (unsigned i = 0; i < 1000; i++) { /* more than are ever there at once */
        SSL_CTX_free(SSL_CTX_new(TLS_server_method()));
    }
    assert_false(anchors_waits(anchors));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_cas_next_key_is_known_without_its_certificate_being_sent,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(another_root_comes_in_beside_the_first, setup, teardown),
        cmocka_unit_test_setup_teardown(a_ca_alone_is_no_anchor, setup, teardown),
        cmocka_unit_test_setup_teardown(contexts_of_others_stay_as_they_are, setup, teardown),
        cmocka_unit_test_setup_teardown(a_context_that_is_gone_is_forgotten, setup, teardown),
    };
    return cmocka_run_group_tests_name("mosquitto_anchors", tests, group_setup, group_teardown);
}
