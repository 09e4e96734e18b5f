/* A running TLS server gets another certificate, another key, other roots: nobody is refused for
 * it. */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>

#include "kit.h"

enum { CLIENTS = 4, SWAPS = 100 };

#define HELLO "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"

/* A client by OpenSSL alone; who: WHO_MAX = without certificate. */
struct visitor {
    SSL_CTX *ctx;
    SSL *ssl;
    int fd;
};

static bool visit_begin(struct visitor *v, const struct rig *rig, enum who who)
{
    const struct pki *p = rig_pki();

    v->ctx = SSL_CTX_new(TLS_client_method());
    bool ok =
        v->ctx && X509_STORE_add_cert(SSL_CTX_get_cert_store(v->ctx), cert_x509(p->root)) == 1;
    if (who < WHO_MAX) {
        ok = ok && SSL_CTX_use_certificate(v->ctx, cert_x509(p->leaf[who])) == 1 &&
             SSL_CTX_add1_chain_cert(v->ctx, cert_x509(p->ca)) == 1 &&
             SSL_CTX_use_PrivateKey(v->ctx, privkey_evp(p->key[who])) == 1;
    }
    SSL_CTX_set_verify(v->ctx, SSL_VERIFY_PEER, NULL);
    v->ssl = SSL_new(v->ctx);
    v->fd = raw_connect(rig->tls_port);
    return ok && v->ssl && SSL_set_fd(v->ssl, v->fd) == 1;
}

static bool visit_ask(struct visitor *v)
{
    char answer[1024] = "";

    return SSL_write(v->ssl, HELLO, (int)strlen(HELLO)) > 0 &&
           SSL_read(v->ssl, answer, sizeof(answer) - 1) > 0 && strstr(answer, "200 OK");
}

static void visit_end(struct visitor *v)
{
    SSL_free(v->ssl);
    SSL_CTX_free(v->ctx);
    close(v->fd);
    ERR_clear_error();
}

static bool saw(const struct visitor *v, enum who server)
{
    X509 *seen = SSL_get0_peer_certificate(v->ssl);

    return seen && X509_cmp(seen, cert_x509(rig_pki()->leaf[server])) == 0;
}

static void visit(const struct rig *rig, enum who server)
{
    struct visitor v;

    assert_true(visit_begin(&v, rig, WHO_DEVICE));
    assert_int_equal(SSL_connect(v.ssl), 1);
    assert_true(visit_ask(&v));
    assert_true(saw(&v, server));
    visit_end(&v);
}

static void replace(struct rig *rig, enum who server)
{
    struct tls_server_config config = rig_tls_config(rig, server);
    TEST_OP(op);

    assert_ok(&op, tls_server_replace(&op, rig->tls, &config));
}

struct crowd {
    struct rig *rig;
    atomic_bool *over;
    unsigned n_came, n_refused, n_seen[2];
    pthread_t thread;
};

static void *come_and_go(void *arg)
{
    struct crowd *c = arg;

    while (!atomic_load(c->over)) {
        struct visitor v;
        bool ok = visit_begin(&v, c->rig, WHO_DEVICE) && SSL_connect(v.ssl) == 1 && visit_ask(&v) &&
                  visit_ask(&v);
        bool second = ok && saw(&v, WHO_SERVER_2);
        c->n_came++;
        c->n_refused += ok && (second || saw(&v, WHO_SERVER)) ? 0 : 1;
        c->n_seen[second]++;
        visit_end(&v);
    }
    return NULL;
}

static void nobody_is_refused_for_a_swap(void **state)
{
    struct crowd crowd[CLIENTS];
    atomic_bool over = false;
    struct rig *rig = rig_start(&(struct rig_options){.server = {.loop_threads = 2}});

    (void)state;
    for (unsigned i = 0; i < CLIENTS; i++) {
        crowd[i] = (struct crowd){.rig = rig, .over = &over};
        assert_int_equal(pthread_create(&crowd[i].thread, NULL, come_and_go, &crowd[i]), 0);
    }
    for (unsigned i = 0; i < SWAPS; i++) {
        replace(rig, i % 2 ? WHO_SERVER : WHO_SERVER_2);
        (void)usleep(10000);
    }
    atomic_store(&over, true);
    unsigned seen[2] = {0};
    for (unsigned i = 0; i < CLIENTS; i++) {
        assert_int_equal(pthread_join(crowd[i].thread, NULL), 0);
        assert_true(crowd[i].n_came > 0);
        assert_int_equal(crowd[i].n_refused, 0);
        seen[0] += crowd[i].n_seen[0];
        seen[1] += crowd[i].n_seen[1];
    }
    assert_true(seen[0] > 0 && seen[1] > 0);
    for (enum tls_end end = 0; end < TLS_END_MAX; end++) {
        assert_int_equal(http_server_stats(rig->server).handshakes_failed[end], 0);
    }
    rig_stop(rig);
}

static void wait_open(const struct rig *rig, uint64_t want)
{
    for (unsigned i = 0; i < 500 && http_server_stats(rig->server).connections_open != want; i++) {
        (void)usleep(10000);
    }
    assert_int_equal(http_server_stats(rig->server).connections_open, want);
}

static void what_has_begun_ends_with_the_old(void **state)
{
    struct rig *rig = rig_start(NULL);
    struct visitor kept;
    struct visitor begun;

    (void)state;
    assert_true(visit_begin(&kept, rig, WHO_DEVICE));
    assert_int_equal(SSL_connect(kept.ssl), 1);
    assert_true(visit_ask(&kept));
    assert_true(visit_begin(&begun, rig, WHO_DEVICE));
    wait_open(rig, 2);
    replace(rig, WHO_SERVER_2);
    visit(rig, WHO_SERVER_2);
    assert_int_equal(SSL_connect(begun.ssl), 1);
    assert_true(saw(&begun, WHO_SERVER));
    assert_true(visit_ask(&begun));
    assert_true(visit_ask(&kept));
    visit_end(&kept);
    visit_end(&begun);
    rig_stop(rig);
}

static kw_status sign_far_away(struct kw_op *op, void *ctx, struct kw_span message, bool pss,
                               struct kw_out *sig)
{
    (void)ctx;
    (void)pss;
    return privkey_sign(op, rig_pki()->key[WHO_SERVER], message, sig);
}

static void is_free(void *ctx)
{
    atomic_fetch_add((atomic_uint *)ctx, 1);
}

/* A rotated key's handle is let go of as soon as nobody needs it any more, and not before. */
static void the_old_key_is_kept_until_its_last_connection_ends(void **state)
{
    struct privkey *remote = NULL;
    atomic_uint n_freed = 0;
    struct visitor kept;
    TEST_OP(op);

    (void)state;
    assert_ok(&op, privkey_remote(&op, privkey_public(rig_pki()->key[WHO_SERVER]), sign_far_away,
                                  &n_freed, is_free, &remote));
    struct rig *rig = rig_start(&(struct rig_options){.key = remote});
    privkey_unref(remote);
    assert_true(visit_begin(&kept, rig, WHO_DEVICE));
    wait_open(rig, 1);
    replace(rig, WHO_SERVER_2);
    (void)usleep(50000);
    assert_int_equal(atomic_load(&n_freed), 0);
    assert_int_equal(SSL_connect(kept.ssl), 1); /* signs with it */
    assert_true(visit_ask(&kept));
    visit_end(&kept);
    wait_for(&n_freed, 1);
    rig_stop(rig);
    assert_int_equal(atomic_load(&n_freed), 1);
}

static void trust_is_replaced_too(void **state)
{
    struct rig *rig = rig_start(NULL);
    struct tls_server_config config = rig_tls_config(rig, WHO_SERVER);
    struct cert *roots[] = {rig_pki()->other_root};
    struct http_client *kept = rig_client(rig, true, WHO_DEVICE);
    struct http_client *device = rig_client(rig, true, WHO_DEVICE_2);
    struct http_client *stranger = rig_client(rig, true, WHO_STRANGER);
    TEST_OP(op);

    (void)state;
    expect_get(kept, "/me", 200);
    assert_code(&op, try_get(&op, stranger, "/hello"), KW_E_AUTH);
    config.client_roots = roots;
    kw_op_clear(&op);
    assert_ok(&op, tls_server_replace(&op, rig->tls, &config));
    expect_get(stranger, "/me", 200);
    assert_code(&op, try_get(&op, device, "/hello"), KW_E_AUTH);
    expect_get(kept, "/me", 200); /* whom authenticate() lets, see http_server_kick() */
    config.n_client_roots = 0;    /* nobody is asked for a certificate any more */
    kw_op_clear(&op);
    assert_ok(&op, tls_server_replace(&op, rig->tls, &config));
    expect_get(device, "/hello", 200);
    expect_get(device, "/me", 401);
    http_client_free(kept);
    http_client_free(device);
    http_client_free(stranger);
    rig_stop(rig);
}

static void a_bad_replacement_changes_nothing(void **state)
{
    struct rig *rig = rig_start(NULL);
    struct tls_server_config config = rig_tls_config(rig, WHO_SERVER_2);
    TEST_OP(op);

    (void)state;
    config.key = rig_pki()->key[WHO_SERVER];
    assert_code(&op, tls_server_replace(&op, rig->tls, &config), KW_E_INPUT);
    config = rig_tls_config(rig, WHO_SERVER_2);
    config.n_chain = 0;
    kw_op_clear(&op);
    assert_code(&op, tls_server_replace(&op, rig->tls, &config), KW_E_INPUT);
    config = rig_tls_config(rig, WHO_SERVER_2);
    config.n_client_roots = 0;
    config.client_required = true;
    kw_op_clear(&op);
    assert_code(&op, tls_server_replace(&op, rig->tls, &config), KW_E_INPUT);
    visit(rig, WHO_SERVER);
    rig_stop(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_is_refused_for_a_swap),
        cmocka_unit_test(what_has_begun_ends_with_the_old),
        cmocka_unit_test(the_old_key_is_kept_until_its_last_connection_ends),
        cmocka_unit_test(trust_is_replaced_too),
        cmocka_unit_test(a_bad_replacement_changes_nothing),
    };

    return KIT_RUN(tests, "swap");
}
