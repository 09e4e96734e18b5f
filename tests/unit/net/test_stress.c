/*
 * Clients that come, ask and vanish at any moment, plain and with TLS, while connections are kicked
 * and the figures are read. Nothing is asserted but what holds at the end; the sanitizers look at
 * the rest.
 */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <sys/socket.h>

#include "kit.h"

enum { CLIENTS = 8, ROUNDS_DEFAULT = 150 };

static const char *const requests[] = {
    "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /fast HTTP/1.1\r\nHost: x\r\n\r\nGET /fast?pool HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /slow?3 HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /big?300000 HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /shared?90000 HTTP/1.1\r\nHost: x\r\n\r\n",
    "PUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 50000\r\n\r\nonly the beginning",
    "PUT /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n",
    "PUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
    "GET /me HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /slow?1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "GET /close HTTP/1.1\r\nHost: x\r\n\r\n",
    "nonsense\r\n\r\n",
    "GET /hel",
};

struct worker {
    struct rig *rig;
    unsigned seed, rounds;
    SSL_CTX *ctx;
    pthread_t thread;
};

static unsigned below(struct worker *w, unsigned n)
{
    return (unsigned)rand_r(&w->seed) % n;
}

static void reset_now(int fd)
{
    const struct linger now = {.l_onoff = 1};

    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)); /* then it just closes */
}

static void plain_round(struct worker *w)
{
    char room[2000];
    int fd = raw_connect(w->rig->plain_port);
    unsigned n = below(w, 4);

    for (unsigned i = 0; i < n; i++) {
        raw_send(fd, requests[below(w, KW_COUNT(requests))]);
        if (below(w, 2)) {
            (void)usleep(below(w, 4000));
            (void)recv(fd, room, sizeof(room), MSG_DONTWAIT);
        }
    }
    if (below(w, 2)) {
        reset_now(fd);
    }
    close(fd);
}

static void tls_round(struct worker *w)
{
    char room[2000];
    SSL *ssl = SSL_new(w->ctx);
    int fd = raw_connect(w->rig->tls_port);
    const struct timeval soon = {0, 2000};

    if (SSL_set_fd(ssl, fd) != 1) {
        abort();
    }
    if (below(w, 4) == 0) { /* vanish within the handshake */
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon));
    }
    if (below(w, 10) > 0 && SSL_connect(ssl) == 1) {
        for (unsigned i = below(w, 3); i > 0; i--) {
            const char *request = requests[below(w, KW_COUNT(requests))];
            (void)SSL_write(ssl, request, (int)strlen(request));
            (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon));
            if (below(w, 2)) {
                (void)SSL_read(ssl, room, sizeof(room));
            }
        }
        if (below(w, 2)) {
            (void)SSL_shutdown(ssl);
        }
    }
    if (below(w, 2)) {
        reset_now(fd);
    }
    SSL_free(ssl);
    close(fd);
    ERR_clear_error();
}

static void *work(void *arg)
{
    struct worker *w = arg;
    const struct pki *p = rig_pki();

    for (unsigned i = 0; i < w->rounds; i++) {
        (below(w, 3) ? plain_round : tls_round)(w);
        if (below(w, 8) == 0) {
            (void)http_server_kick(w->rig->server, cert_sha256(p->leaf[WHO_DEVICE]));
            (void)http_server_stats(w->rig->server);
        }
    }
    return NULL;
}

static SSL_CTX *client_ctx(void)
{
    const struct pki *p = rig_pki();
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

    assert_int_equal(SSL_CTX_use_certificate(ctx, cert_x509(p->leaf[WHO_DEVICE])), 1);
    assert_int_equal(SSL_CTX_add1_chain_cert(ctx, cert_x509(p->ca)), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(ctx, privkey_evp(p->key[WHO_DEVICE])), 1);
    return ctx;
}

static void run(bool stop_early)
{
    const char *wanted = getenv("KW_STRESS_ROUNDS");
    struct worker workers[CLIENTS];
    SSL_CTX *ctx = client_ctx();
    struct rig *rig = rig_start(&(struct rig_options){
        .server = {.loop_threads = 2, .pool_threads = 4, .request_timeout_ms = 400},
        .connections_max = 60
    });

    for (unsigned i = 0; i < CLIENTS; i++) {
        workers[i] = (struct worker){
            rig, i + 1, wanted ? (unsigned)strtoul(wanted, NULL, 10) : ROUNDS_DEFAULT, ctx, 0};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (unsigned i = 0; i < CLIENTS; i++) {
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
    }
    for (unsigned i = 0;
         !stop_early && i < 500 && http_server_stats(rig->server).connections_open > 0; i++) {
        (void)usleep(10000);
    }
    if (!stop_early) {
        assert_int_equal(http_server_stats(rig->server).connections_open, 0);
        struct http_client *client = rig_client(rig, true, WHO_DEVICE);
        expect_get(client, "/me", 200); /* as good as new */
        http_client_free(client);
        assert_int_equal(http_server_stats(rig->server).requests, atomic_load(&rig->n_observed));
    }
    rig_stop(rig);
    SSL_CTX_free(ctx);
}

static void clients_that_vanish_at_any_moment(void **state)
{
    (void)state;
    run(/* stop_early= */ false);
}

static void a_stop_amid_of_all_that(void **state)
{
    (void)state;
    run(/* stop_early= */ true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clients_that_vanish_at_any_moment),
        cmocka_unit_test(a_stop_amid_of_all_that),
    };

    return KIT_RUN(tests, "stress");
}
