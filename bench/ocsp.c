/*
 * Row "OCSP, cached answer": keywrightd's relying listener, by POST and GET, against an evhttp
 * server that sends a constant answer of the same size with the same headers; and answers signed
 * for each request (fresh nonce), against one OpenSSL signature and that empty reply. Ratios are of
 * CPU a request (work: keywrightd and keeper); answers/s are by wall clock and share the CPUs with
 * the client. KW_BENCH_CONNS=32 KW_BENCH_MS=500 (a measurement) KW_BENCH_ROUNDS=5
 */
#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/b64.h"
#include "crypto/ocsp.h"
#include "floor.h"
#include "gate.h"
#include "load.h"

enum { FLOOR_SIGNS = 400, NONCE = 16, EMPTY_MAX = 8192 };

/* --- floor: libevent alone ---------------------------------------------------------------------
 */

/* A process of its own, as the server is: threads of one process are cheaper to change between. */
struct empty {
    struct evhttp *http;
    pid_t pid;
    uint16_t port;
    size_t len;
    uint8_t body[EMPTY_MAX];
};

/* What an answer must say besides its type and length (RFC 9919 section 7.2), as long as ours. */
/* clang-format off */
static const struct {
    const char *name, *value;
    bool for_post;
} headers[] = {
    {"Content-Type", "application/ocsp-response", true},
    {"ETag", "\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"", false},
    {"Last-Modified", "Sat, 21 Nov 2026 22:57:00 GMT", false},
    {"Expires", "Sat, 21 Nov 2026 23:57:00 GMT", false},
    {"Cache-Control", "max-age=3599, public, no-transform, must-revalidate", true},
};
/* clang-format on */

static void reply(struct evhttp_request *request, void *arg)
{
    struct empty *empty = arg;
    struct evbuffer *body = evbuffer_new();
    bool is_post = evhttp_request_get_command(request) == EVHTTP_REQ_POST;

    for (unsigned i = 0; i < KW_COUNT(headers); i++) {
        if (headers[i].for_post || !is_post) {
            (void)evhttp_add_header(evhttp_request_get_output_headers(request), headers[i].name,
                                    headers[i].value);
        }
    }
    (void)evbuffer_add_reference(body, empty->body, empty->len, NULL, NULL);
    evhttp_send_reply(request, 200, "OK", body);
    evbuffer_free(body);
}

static evutil_socket_t empty_listen(struct empty *empty, struct event_base *base)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int on = 1;

    empty->http = evhttp_new(base);
    struct evconnlistener *listener = evconnlistener_new_bind(
        base, NULL, NULL, LEV_OPT_CLOSE_ON_FREE, -1, (struct sockaddr *)&address, sizeof(address));
    if (!listener) {
        bench_die("floor: no listener");
    }
    evutil_socket_t fd = evconnlistener_get_fd(listener);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* inherited (Linux) */
    (void)getsockname(fd, (struct sockaddr *)&address, &len);
    empty->port = ntohs(address.sin_port);
    (void)evhttp_bind_listener(empty->http, listener);
    return fd;
}

/* Its end is this program's. */
static void empty_start(struct empty *empty, size_t len)
{
    struct event_base *base = event_base_new();

    empty->len = len;
    evutil_socket_t fd = empty_listen(empty, base);
    evhttp_set_gencb(empty->http, reply, empty);
    empty->pid = fork();
    if (empty->pid < 0) {
        bench_die("floor: no process");
    }
    if (empty->pid > 0) {
        (void)close(fd); /* the child has it */
        return;
    }
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || event_reinit(base) != 0) {
        bench_die("floor: its process cannot begin");
    }
    (void)event_base_loop(base, EVLOOP_NO_EXIT_ON_EMPTY);
    bench_die("floor: its loop ended");
}

/* --- requests --------------------------------------------------------------------------------- */

struct bench {
    struct bench_gate gate;
    struct floor floor;
    struct empty empty;
    struct gate_identity device;
    struct cert *cert, *issuer;
    char post[LOAD_REQUEST_MAX], get[LOAD_REQUEST_MAX], live[LOAD_REQUEST_MAX];
    size_t post_len, get_len, live_len, nonce_at;
    uint64_t count;
    unsigned n_conns, ms, rounds;
};

static size_t next_post(void *ctx, char request[LOAD_REQUEST_MAX])
{
    struct bench *bench = ctx;

    memcpy(request, bench->post, bench->post_len);
    return bench->post_len;
}

static size_t next_get(void *ctx, char request[LOAD_REQUEST_MAX])
{
    struct bench *bench = ctx;

    memcpy(request, bench->get, bench->get_len);
    return bench->get_len;
}

static size_t next_live(void *ctx, char request[LOAD_REQUEST_MAX])
{
    struct bench *bench = ctx;

    bench->count++;
    memcpy(request, bench->live, bench->live_len);
    memcpy(request + bench->nonce_at, &bench->count, sizeof(bench->count));
    return bench->live_len;
}

static size_t post_of(struct kw_span der, char out[LOAD_REQUEST_MAX])
{
    int n = snprintf(out, LOAD_REQUEST_MAX,
                     "POST /ocsp/devices HTTP/1.1\r\nHost: localhost\r\n"
                     "Content-Type: application/ocsp-request\r\nContent-Length: %zu\r\n\r\n",
                     der.len);
    memcpy(out + n, der.p, der.len);
    return (size_t)n + der.len;
}

/* RFC 6960 appendix A.1: base64 in the path, percent-encoded where needed. */
static size_t get_of(struct kw_span der, char out[LOAD_REQUEST_MAX])
{
    AUTO(kw_bytes) *text = NULL;
    char path[1024] = "";
    size_t n = 0;

    bench_need(NULL, kw_bytes_new(2 * der.len, &text), "request");
    bench_need(NULL, kw_b64_encode(der, 0, text), "request");
    for (size_t i = 0; i < text->len && n + 4 < sizeof(path); i++) {
        bool plain = !memchr("+/=", text->p[i], 3);
        n += (size_t)snprintf(path + n, sizeof(path) - n, plain ? "%c" : "%%%02X", text->p[i]);
    }
    return (size_t)snprintf(out, LOAD_REQUEST_MAX,
                            "GET /ocsp/devices/%s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
}

static struct cert *parse(X509 *x509)
{
    struct kw_op op;
    struct cert *cert = NULL;
    unsigned char *der = NULL;
    int len = i2d_X509(x509, &der);

    bench_op(&op);
    bench_need(&op, cert_parse(&op, KW_SPAN(der, len), &cert), "certificate");
    OPENSSL_free(der);
    return cert;
}

static void make_requests(struct bench *bench)
{
    static const uint8_t nonce[NONCE] = {'N', 'O', 'N', 'C', 'E', '0', '1', '2'};
    struct kw_op op;
    AUTO(kw_bytes) *plain = NULL;
    AUTO(kw_bytes) *nonced = NULL;
    X509 *issuer = gate_cert(&bench->gate, "ca-devices");

    bench->cert = parse(bench->device.cert);
    bench->issuer = parse(issuer);
    X509_free(issuer);
    bench_op(&op);
    bench_need(&op,
               ocsp_query_build(&op, bench->cert, bench->issuer, false, KW_SPAN(NULL, 0), &plain),
               "request");
    bench_need(
        &op,
        ocsp_query_build(&op, bench->cert, bench->issuer, false, KW_SPAN_ARRAY(nonce), &nonced),
        "request");
    bench->post_len = post_of(kw_bytes_span(plain), bench->post);
    bench->get_len = get_of(kw_bytes_span(plain), bench->get);
    bench->live_len = post_of(kw_bytes_span(nonced), bench->live);
    const char *at = memmem(bench->live, bench->live_len, nonce, sizeof(nonce));
    if (!at) {
        bench_die("the request has no nonce");
    }
    bench->nonce_at = (size_t)(at - bench->live);
}

/* --- measurements ----------------------------------------------------------------------------- */

typedef size_t (*next_fn)(void *ctx, char request[LOAD_REQUEST_MAX]);

struct result {
    struct bench_list cpu_us, rate, ratio;
    size_t body_len;
};

static double measure(struct bench *bench, bool floor, next_fn next, struct result *result)
{
    struct load load = {.port = floor ? bench->empty.port : bench->gate.ports[GATE_RELYING],
                        .n_conns = bench->n_conns,
                        .ms = bench->ms,
                        .content_type = "application/ocsp-response",
                        .next = next,
                        .ctx = bench};
    struct load_result done;

    double cpu_us = floor ? bench_process_cpu_us(bench->empty.pid) : gate_cpu_us(&bench->gate);
    load_run(&load, &done);
    cpu_us = (floor ? bench_process_cpu_us(bench->empty.pid) : gate_cpu_us(&bench->gate)) - cpu_us;
    cpu_us /= (double)done.answers;
    bench_add(&result->cpu_us, cpu_us);
    bench_add(&result->rate, (double)done.answers / done.wall_us * 1e6);
    result->body_len = done.body_len;
    return cpu_us;
}

static void print(const char *what, struct bench_list *floor_us, struct result *result,
                  const char *target)
{
    bench_row(what, bench_median(floor_us), bench_median(&result->cpu_us),
              bench_median(&result->ratio), target);
    bench_figure("  answers (wall, this load)", bench_median(&result->rate), "/s");
    bench_list_done(&result->cpu_us);
    bench_list_done(&result->rate);
    bench_list_done(&result->ratio);
}

static void run(struct bench *bench)
{
    struct result empty = {0}, empty_get = {0}, post = {0}, get = {0}, live = {0};
    struct bench_list signed_us = {0};

    (void)measure(bench, false, next_post, &post); /* warms up; tells the size of an answer */
    bench_list_done(&post.cpu_us);
    bench_list_done(&post.rate);
    empty_start(&bench->empty, post.body_len);
    for (unsigned i = 0; i < bench->rounds; i++) {
        double sign_us = floor_sign(&bench->floor, FLOOR_SIGNS);
        double floor_us = measure(bench, true, next_post, &empty);
        bench_add(&post.ratio, floor_us / measure(bench, false, next_post, &post));
        double floor_get_us = measure(bench, true, next_get, &empty_get);
        bench_add(&get.ratio, floor_get_us / measure(bench, false, next_get, &get));
        bench_add(&signed_us, sign_us + floor_us);
        bench_add(&live.ratio, measure(bench, false, next_live, &live) / (sign_us + floor_us));
    }
    bench_figure("answer", (double)post.body_len, "octets");
    bench_figure("empty reply (wall, this load)", bench_median(&empty.rate), "/s");
    print("OCSP cached, POST", &empty.cpu_us, &post, ">= 0.8 (floor/work)");
    print("OCSP cached, GET", &empty_get.cpu_us, &get, ">= 0.8 (floor/work)");
    print("OCSP signed for each request", &signed_us, &live, "none (work/floor)");
    bench_list_done(&empty.cpu_us);
    bench_list_done(&empty.rate);
    bench_list_done(&empty_get.cpu_us);
    bench_list_done(&empty_get.rate);
    bench_list_done(&signed_us);
}

static void new_device(struct bench *bench)
{
    struct gate_conn operators = {0};
    SSL_CTX *tls = gate_tls_operator(&bench->gate);

    gate_connect(&bench->gate, GATE_OPERATORS, tls, &operators);
    gate_new_device(&bench->gate, &operators, "BENCH", &bench->device);
    gate_disconnect(&operators);
    SSL_CTX_free(tls);
}

int main(void)
{
    struct bench *bench = calloc(1, sizeof(*bench));

    if (!bench) {
        bench_die("no memory");
    }
    bench->n_conns = (unsigned)bench_setting("KW_BENCH_CONNS", 32);
    bench->ms = (unsigned)bench_setting("KW_BENCH_MS", 500);
    bench->rounds = (unsigned)bench_setting("KW_BENCH_ROUNDS", 5);
    bench_title("ocsp");
    gate_init(&bench->gate);
    gate_start(&bench->gate);
    new_device(bench);
    make_requests(bench);
    floor_init(&bench->floor, &bench->gate, &bench->device);
    run(bench);
    (void)kill(bench->empty.pid, SIGKILL);
    gate_end(&bench->gate);
    return EXIT_SUCCESS;
}
