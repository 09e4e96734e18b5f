/*
 * Clients that come, ask and vanish at any moment, plain and with TLS, while connections are kicked
 * and the figures are read. Nothing is asserted but what holds at the end; the sanitizers look at
 * the rest.
 */
#include <dirent.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>

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

/* Numbers of descriptors that come again. */

/* The next calls of epoll_ctl(2), libevent's too, that fail; at the last one, somebody connects. */
static struct {
    atomic_int op; /* EPOLL_CTL_… */
    atomic_uint n;
    uint16_t port;
    atomic_int next; /* the connection made meanwhile */
} full;

__attribute__((visibility("default"))) int epoll_ctl(int epfd, int op, int fd,
                                                     struct epoll_event *event)
{
    if (op == atomic_load(&full.op) && atomic_load(&full.n) > 0) {
        if (atomic_fetch_sub(&full.n, 1) == 1) {
            atomic_store(&full.next, raw_connect(full.port));
        }
        errno = ENOSPC;
        return -1;
    }
    return (int)syscall(SYS_epoll_ctl, epfd, op, fd, event);
}

static unsigned n_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    unsigned n = 0;

    assert_non_null(dir);
    while (readdir(dir)) {
        n++;
    }
    (void)closedir(dir);
    return n;
}

static void get_over_tls(int fd, char *answer, int cap)
{
    SSL_CTX *ctx = client_ctx();
    SSL *ssl = SSL_new(ctx);

    assert_int_equal(SSL_set_fd(ssl, fd), 1);
    assert_int_equal(SSL_connect(ssl), 1);
    assert_true(SSL_write(ssl, requests[0], (int)strlen(requests[0])) > 0);
    int n = SSL_read(ssl, answer, cap - 1);
    answer[n > 0 ? n : 0] = '\0';
    SSL_free(ssl);
    SSL_CTX_free(ctx);
}

/* The kernel has no room to watch a connection: libevent closes it, and the next one has its
 * number. */
static void fail_to_watch(struct rig *rig, bool tls, int op, unsigned n)
{
    char answer[2000] = "";

    full.port = tls ? rig->tls_port : rig->plain_port;
    atomic_store(&full.next, -1);
    atomic_store(&full.op, op);
    atomic_store(&full.n, n);
    int first = raw_connect(full.port);
    assert_int_equal(raw_read(first, answer, sizeof(answer), NULL), 0); /* closed */
    int next = atomic_load(&full.next);
    assert_true(next >= 0);
    if (tls) {
        get_over_tls(next, answer, sizeof(answer));
    } else {
        raw_send(next, requests[0]);
        (void)raw_read(next, answer, sizeof(answer), "hello\n");
    }
    assert_has(answer, "200 OK");
    close(first);
    close(next);
    for (unsigned i = 0; i < 500 && http_server_stats(rig->server).connections_open > 0; i++) {
        (void)usleep(10000);
    }
    assert_int_equal(http_server_stats(rig->server).connections_open, 0);
}

static void the_number_of_an_unwatched_connection_comes_again(void **state)
{
    struct rig *rig = rig_start(NULL);

    (void)state;
    (void)rig_pki();
    unsigned before = n_descriptors();
    for (unsigned i = 0; i < 5; i++) {
        for (unsigned tls = 0; tls < 2; tls++) {
            fail_to_watch(rig, tls, EPOLL_CTL_MOD, 1); /* half watched */
            fail_to_watch(rig, tls, EPOLL_CTL_ADD, 2);
        }
    }
    assert_int_equal(n_descriptors(), before);
    rig_stop(rig);
}

/* Each gets the answer to what it asked, while numbers of others end, linger and come again. */
struct asker {
    struct rig *rig;
    unsigned number, n_wrong, n_served;
    pthread_t thread;
};

static void ask_once(struct asker *a, unsigned round)
{
    char text[128];
    char mine[32];
    char answer[2000];
    int fd = raw_connect(a->rig->plain_port);

    for (unsigned i = 0; i < 2; i++) {
        (void)snprintf(text, sizeof(text),
                       "GET /header HTTP/1.1\r\nHost: x\r\nX-Ask: <%u-%u>\r\n\r\n", a->number,
                       round);
        (void)snprintf(mine, sizeof(mine), "<%u-%u>", a->number, round);
        raw_send(fd, text);
        (void)raw_read(fd, answer, sizeof(answer), ">");
        a->n_wrong += strstr(answer, mine) ? 0 : 1;
        a->n_served++;
    }
    raw_send(fd,
             round % 2 ? "nonsense\r\n\r\n" : "DELETE /hello HTTP/9.9\r\nHost: x\r\n\r\n and more");
    close(fd);
}

static void *ask_often(void *arg)
{
    struct asker *a = arg;

    for (unsigned i = 0; i < ROUNDS_DEFAULT; i++) {
        ask_once(a, i);
    }
    return NULL;
}

static void each_gets_the_answer_to_its_own_question(void **state)
{
    struct asker askers[CLIENTS / 2];
    struct worker workers[CLIENTS / 2];
    SSL_CTX *ctx = client_ctx();
    struct rig *rig = rig_start(&(struct rig_options){.server = {.loop_threads = 2}});

    (void)state;
    for (unsigned i = 0; i < CLIENTS / 2; i++) {
        askers[i] = (struct asker){.rig = rig, .number = i};
        workers[i] = (struct worker){rig, i + 1, ROUNDS_DEFAULT, ctx, 0};
        assert_int_equal(pthread_create(&askers[i].thread, NULL, ask_often, &askers[i]), 0);
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (unsigned i = 0; i < CLIENTS / 2; i++) {
        assert_int_equal(pthread_join(askers[i].thread, NULL), 0);
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
        assert_int_equal(askers[i].n_wrong, 0);
        assert_int_equal(askers[i].n_served, 2 * ROUNDS_DEFAULT);
    }
    rig_stop(rig);
    SSL_CTX_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clients_that_vanish_at_any_moment),
        cmocka_unit_test(a_stop_amid_of_all_that),
        cmocka_unit_test(the_number_of_an_unwatched_connection_comes_again),
        cmocka_unit_test(each_gets_the_answer_to_its_own_question),
    };

    return KIT_RUN(tests, "stress");
}
