/*
 * Server CPU for one request, ours against an empty evhttp reply of the same size, in one run:
 * net_speed [seconds a phase]. Clients run in a child process; the server's CPU time, not the
 * clock, is compared, so that other load on the machine matters little.
 */
#include <event2/buffer.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/http.h>
#include <fcntl.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/listen.h"
#include "os/clock.h"
#include "rig.h"

static _Noreturn void die(int line)
{
    (void)fprintf(stderr, "speed.c:%d\n", line);
    abort();
}

enum { CONNECTIONS = 32, ANSWER_OCTETS = 900, ROUNDS = 5 };

static char request[512];

/* The floor: libevent alone. */

static void reply(struct evhttp_request *req, void *arg)
{
    static const char octets[ANSWER_OCTETS];

    (void)arg;
    (void)evbuffer_add(evhttp_request_get_output_buffer(req), octets, sizeof(octets));
    evhttp_send_reply(req, 200, "OK", NULL);
}

static struct bufferevent *tls_buffer(struct event_base *base, void *ctx)
{
    return bufferevent_openssl_socket_new(base, -1, SSL_new(ctx), BUFFEREVENT_SSL_ACCEPTING,
                                          BEV_OPT_CLOSE_ON_FREE);
}

static void *floor_loop(void *base)
{
    (void)event_base_dispatch(base);
    return NULL;
}

static SSL_CTX *tls_ctx(bool server)
{
    const struct pki *p = rig_pki();
    enum who who = server ? WHO_SERVER : WHO_DEVICE;
    char group[] = "P-256"; /* OpenSSL's macro wants no const, and reads only */
    SSL_CTX *ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());

    if (SSL_CTX_use_certificate(ctx, cert_x509(p->leaf[who])) != 1 ||
        SSL_CTX_add1_chain_cert(ctx, cert_x509(p->ca)) != 1 ||
        SSL_CTX_use_PrivateKey(ctx, privkey_evp(p->key[who])) != 1 ||
        SSL_CTX_set_num_tickets(ctx, 0) != 1 || SSL_CTX_set1_groups_list(ctx, group) != 1) {
        die(__LINE__);
    }
    return ctx;
}

static uint16_t floor_start(SSL_CTX *ctx)
{
    struct event_base *base = event_base_new();
    struct evhttp *http = evhttp_new(base);
    pthread_t thread;
    uint16_t port = 0;
    int fd = -1;
    struct kw_op op;

    kw_op_init(&op, "speed", 0);
    if (!kw_ok(listen_open(&op, "127.0.0.1", 0, 1, &fd, &port)) ||
        evhttp_accept_socket(http, fd) != 0) {
        die(__LINE__);
    }
    if (ctx) {
        evhttp_set_bevcb(http, tls_buffer, ctx);
    }
    evhttp_set_gencb(http, reply, NULL);
    if (pthread_create(&thread, NULL, floor_loop, base) != 0) {
        die(__LINE__);
    }
    return port;
}

/* Clients. */

struct client {
    int fd;
    SSL *ssl;
};

static ssize_t take(struct client *c, char *room, size_t cap)
{
    if (!c->ssl) {
        return recv(c->fd, room, cap, 0);
    }
    return SSL_read(c->ssl, room, (int)cap);
}

static void ask(struct client *c)
{
    if (!c->ssl) {
        raw_send(c->fd, request);
    } else if (SSL_write(c->ssl, request, (int)strlen(request)) <= 0) {
        die(__LINE__);
    }
}

static void open_client(struct client *c, uint16_t port, SSL_CTX *ctx)
{
    c->fd = raw_connect(port);
    c->ssl = NULL;
    if (ctx) {
        c->ssl = SSL_new(ctx);
        if (SSL_set_fd(c->ssl, c->fd) != 1 || SSL_connect(c->ssl) != 1) {
            die(__LINE__);
        }
    }
    ask(c);
}

/* An answer ends with the body's last octets, which come with the rest in one piece or after it. */
static bool take_answer(struct client *c)
{
    char room[4096];
    size_t len = 0;

    while (len < ANSWER_OCTETS) {
        ssize_t n = take(c, room, sizeof(room));
        if (n <= 0) {
            return false;
        }
        len += (size_t)n;
    }
    return true;
}

static unsigned ask_for_ms(uint16_t port, SSL_CTX *ctx, int64_t ms, int ready)
{
    struct client clients[CONNECTIONS];
    struct pollfd polls[CONNECTIONS];
    unsigned n = 0;

    for (unsigned i = 0; i < CONNECTIONS; i++) {
        open_client(&clients[i], port, ctx);
        polls[i] = (struct pollfd){.fd = clients[i].fd, .events = POLLIN};
    }
    if (write(ready, &n, sizeof(n)) != (ssize_t)sizeof(n)) {
        die(__LINE__);
    }
    int64_t until = os_clock_mono_ms() + ms;
    while (os_clock_mono_ms() < until) {
        (void)poll(polls, CONNECTIONS, 1000);
        for (unsigned i = 0; i < CONNECTIONS; i++) {
            if (polls[i].revents == 0) {
                continue;
            }
            if (!take_answer(&clients[i])) {
                die(__LINE__);
            }
            n++;
            ask(&clients[i]);
        }
    }
    return n;
}

/* One connection after the other, each for one request. */
static unsigned meet_for_ms(uint16_t port, SSL_CTX *ctx, int64_t ms, int ready)
{
    unsigned n = 0;

    if (write(ready, &n, sizeof(n)) != (ssize_t)sizeof(n)) {
        die(__LINE__);
    }
    int64_t until = os_clock_mono_ms() + ms;
    while (os_clock_mono_ms() < until) {
        struct client c;
        open_client(&c, port, ctx);
        if (!take_answer(&c)) {
            die(__LINE__);
        }
        SSL_free(c.ssl);
        close(c.fd);
        n++;
    }
    return n;
}

static double cpu_us(void)
{
    struct rusage u;

    (void)getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

struct result {
    double us, per_s;
};

static struct result phase(uint16_t port, SSL_CTX *ctx, int64_t ms, bool fresh)
{
    int ends[2];
    unsigned n = 0;

    if (pipe(ends) != 0) {
        die(__LINE__);
    }
    pid_t child = fork();
    if (child == 0) {
        n = (fresh ? meet_for_ms : ask_for_ms)(port, ctx, ms, ends[1]);
        _exit(write(ends[1], &n, sizeof(n)) == (ssize_t)sizeof(n) ? 0 : 1);
    }
    if (read(ends[0], &n, sizeof(n)) != (ssize_t)sizeof(n)) { /* handshakes are done */
        die(__LINE__);
    }
    double before = cpu_us();
    if (read(ends[0], &n, sizeof(n)) != (ssize_t)sizeof(n) || n == 0) {
        die(__LINE__);
    }
    (void)waitpid(child, NULL, 0);
    close(ends[0]);
    close(ends[1]);
    return (struct result){(cpu_us() - before) / n, n * 1000.0 / (double)ms};
}

static int by_us(const void *a, const void *b)
{
    const struct result *x = a;
    const struct result *y = b;

    return x->us < y->us ? -1 : x->us > y->us;
}

int main(int argc, char **argv)
{
    unsigned first = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
    int64_t ms = argc > 1 ? (int64_t)(strtod(argv[1], NULL) * 1000) : 1000;
    struct rig *rig = rig_start(NULL);
    SSL_CTX *server_ctx = tls_ctx(true);
    SSL_CTX *mutual_ctx = tls_ctx(true);
    SSL_CTX *client_ctx = tls_ctx(false);
    SSL_CTX_set_verify(mutual_ctx, SSL_VERIFY_PEER, NULL);
    if (X509_STORE_add_cert(SSL_CTX_get_cert_store(mutual_ctx), cert_x509(rig_pki()->root)) != 1) {
        die(__LINE__);
    }
    const struct {
        const char *name;
        uint16_t port;
        SSL_CTX *ctx;
        const char *path;
        unsigned floor;
        bool fresh;
    } phases[] = {
        {"floor, plain evhttp",      floor_start(NULL),       NULL,       "/",           0, false},
        {"ours, plain, on the loop", rig->plain_port,         NULL,       "/shared?900", 0, false},
        {"ours, plain, on the pool", rig->plain_port,         NULL,       "/big?900",    0, false},
        {"floor, evhttp with TLS",   floor_start(server_ctx), client_ctx, "/",           3, false},
        {"ours, mTLS, on the loop",  rig->tls_port,           client_ctx, "/shared?900", 3, false},
        {"ours, mTLS, on the pool",  rig->tls_port,           client_ctx, "/big?900",    3, false},
        {"floor, fresh mTLS each",   floor_start(mutual_ctx), client_ctx, "/",           6, true },
        {"ours, fresh mTLS each",    rig->tls_port,           client_ctx, "/shared?900", 6, true },
    };
    (void)signal(SIGPIPE, SIG_IGN);
    struct result results[KW_COUNT(phases)][ROUNDS];

    for (unsigned r = 0; r < ROUNDS; r++) {
        for (unsigned i = first; i < KW_COUNT(phases); i++) {
            (void)snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n",
                           phases[i].path);
            results[i][r] = phase(phases[i].port, phases[i].ctx, ms, phases[i].fresh);
        }
    }
    for (unsigned i = first; i < KW_COUNT(phases); i++) {
        qsort(results[i], ROUNDS, sizeof(results[i][0]), by_us);
    }
    for (unsigned i = first; i < KW_COUNT(phases); i++) {
        struct result r = results[i][ROUNDS / 2];
        (void)printf("%-26s %6.2f us CPU  %8.0f/s by the clock  %.2f x the floor's rate\n",
                     phases[i].name, r.us, r.per_s, results[phases[i].floor][ROUNDS / 2].us / r.us);
    }
    return 0;
}
