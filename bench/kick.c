/*
 * From a revocation to the end of a live MQTT session: a real Mosquitto with our plugin, and
 * KW_BENCH_SESSIONS sessions (1000) that are all up. First each certificate is revoked alone, one
 * after the other; then as many again by one plan. Timed until the client sees its connection end,
 * from before the operator's request and from the change's own time in the feed. The sessions are
 * kept by one thread of plain MQTT 3.1.1.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <openssl/evp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/time.h"
#include "gate.h"
#include "os/clock.h"

enum {
    SESSIONS_MAX = 20000,
    BODY_MAX = 65536,
    WAIT_MS = 60000,
    STEP_US = 200,
    CLIENT_ID_MAX = 20,
    SKIPPED = 77, /* as meson understands it */
};

struct session {
    char id[CLIENT_ID_MAX];
    struct gate_identity who;
    SSL_CTX *tls;
    struct gate_conn conn;
    char fingerprint[2 * KW_HASH_BYTES + 1];
    _Atomic double cut_us; /* 0: it lives */
};

/* What is measured of one phase. */
struct delays {
    struct bench_list asked_ms, fed_ms;
};

struct broker {
    char dir[192], mosquitto[64];
    uint16_t port;
    pid_t pid;
};

static struct broker broker;
static struct session *sessions;
static atomic_bool stop;
static int events = -1;

/* --- the broker --------------------------------------------------------------------------------
 */

static void end_broker(void)
{
    if (broker.pid) {
        (void)kill(broker.pid, SIGTERM);
        (void)waitpid(broker.pid, NULL, 0); /* its own business how it ended */
        broker.pid = 0;
    }
}

static bool find_mosquitto(void)
{
    static const char *const places[] = {"/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto"};

    for (unsigned i = 0; i < KW_COUNT(places); i++) {
        if (access(places[i], X_OK) == 0) {
            (void)snprintf(broker.mosquitto, sizeof(broker.mosquitto), "%s", places[i]);
            return true;
        }
    }
    return false;
}

static uint16_t free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        bench_die("no free port: %s", strerror(errno));
    }
    (void)close(fd);
    return ntohs(address.sin_port);
}

static void run_config(const struct bench_gate *gate)
{
    char program[512], admin[192], port[8], server[64];
    int status = 0;

    gate_program("keywright", program, sizeof(program));
    (void)snprintf(admin, sizeof(admin), "%s/admin", gate->state);
    (void)snprintf(port, sizeof(port), "%u", broker.port);
    (void)snprintf(server, sizeof(server), "https://localhost:%u", gate->ports[GATE_OPERATORS]);
    const char *as_root = geteuid() == 0 ? "--user" : NULL;
    const char *argv[] = {program, "broker",  "config", broker.dir, "--name", "localhost", "--port",
                          port,    "--admin", admin,    as_root,    "root",   NULL};
    pid_t pid = gate_spawn(gate, argv);
    if (waitpid(pid, &status, 0) != pid || status != 0) {
        bench_die("keywright broker config failed; see %s/log", gate->dir);
    }
}

/* Devices come with what they got first: an IDevID saves a second enrolment each. */
static void put_policy(void)
{
    static const char policy[] = "stale_s: 60\nroles:\n  - name: device\n    kind: device\n"
                                 "    profiles: [idevid]\n    client_id: \"{id}\"\n"
                                 "    attestation: [none]\n    write: [\"devices/{id}/data\"]\n";
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/policy.yaml", broker.dir);
    FILE *file = fopen(path, "we");
    if (!file || fputs(policy, file) < 0 || fclose(file) != 0) {
        bench_die("%s cannot be written", path);
    }
}

/* No second person is here to approve. */
static void allow(const struct bench_gate *gate)
{
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/keywright.yaml", gate->state);
    FILE *file = fopen(path, "ae");
    if (!file || fputs("\nrevoke_approval_above: 1000000000\n", file) < 0 || fclose(file) != 0) {
        bench_die("%s cannot be written", path);
    }
}

static void start_broker(const struct bench_gate *gate)
{
    char conf[256];

    (void)atexit(end_broker); /* fails only beyond 32 of them */
    (void)snprintf(broker.dir, sizeof(broker.dir), "%s/broker", gate->dir);
    broker.port = free_port();
    run_config(gate);
    put_policy();
    (void)snprintf(conf, sizeof(conf), "%s/mosquitto.conf", broker.dir);
    const char *argv[] = {broker.mosquitto, "-c", conf, NULL};
    broker.pid = gate_spawn(gate, argv);
}

/* --- the sessions ------------------------------------------------------------------------------
 */

/* CONNECT of MQTT 3.1.1: clean session, no keep-alive. */
static size_t connect_packet(const char *client_id, uint8_t packet[64])
{
    static const uint8_t head[] = {0x10, 0, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 0, 0, 0};
    size_t n = strlen(client_id);

    memcpy(packet, head, sizeof(head));
    memcpy(packet + sizeof(head), client_id, n);
    packet[1] = (uint8_t)(sizeof(head) - 2 + n);
    packet[13] = (uint8_t)n;
    return sizeof(head) + n;
}

static bool greet(struct session *session)
{
    uint8_t packet[64], answer[4] = {0};
    size_t n = connect_packet(session->id, packet);

    return SSL_write(session->conn.ssl, packet, (int)n) == (int)n &&
           SSL_read(session->conn.ssl, answer, sizeof(answer)) == sizeof(answer) &&
           answer[0] == 0x20 && answer[3] == 0;
}

/* The broker may not listen yet, and its list is a moment behind the enrolment. */
static void come_in(const struct bench_gate *gate, struct session *session)
{
    struct bench_gate door = *gate;
    double until_us = bench_wall_us() + WAIT_MS * 1e3;

    door.ports[GATE_DEVICES] = broker.port;
    session->tls = gate_tls(gate, &session->who);
    for (;;) {
        gate_connect(&door, GATE_DEVICES, session->tls, &session->conn);
        if (greet(session)) {
            break;
        }
        gate_disconnect(&session->conn);
        if (bench_wall_us() > until_us) {
            bench_die("'%s' is not let in; see %s/log", session->id, gate->dir);
        }
        (void)usleep(50000);
    }
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = session};
    if (epoll_ctl(events, EPOLL_CTL_ADD, session->conn.fd, &event) != 0) {
        bench_die("epoll: %s", strerror(errno));
    }
}

/* Nothing is sent to these clients: what can be read is the end. */
static void *watch(void *arg)
{
    struct epoll_event ready[64];

    (void)arg;
    while (!atomic_load(&stop)) {
        int n = epoll_wait(events, ready, KW_COUNT(ready), 100);
        double now_us = bench_wall_us();
        for (int i = 0; i < n; i++) {
            struct session *session = ready[i].data.ptr;
            (void)epoll_ctl(events, EPOLL_CTL_DEL, session->conn.fd, NULL); /* ours, added above */
            atomic_store(&session->cut_us, now_us);
        }
    }
    return NULL;
}

static void wait_listening(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons(broker.port)};

    for (unsigned i = 0; i < 1000; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        int failed = connect(fd, (struct sockaddr *)&address, sizeof(address));
        (void)close(fd);
        if (failed == 0) {
            return;
        }
        (void)usleep(10000);
    }
    bench_die("mosquitto does not listen");
}

static void name_cert(struct session *session)
{
    uint8_t hash[KW_HASH_BYTES];
    unsigned n = 0;

    if (X509_digest(session->who.cert, EVP_sha256(), hash, &n) != 1) {
        bench_die("no fingerprint");
    }
    kw_hex(KW_SPAN_ARRAY(hash), session->fingerprint, sizeof(session->fingerprint));
}

static void fill(const struct bench_gate *gate, struct gate_conn *operators, unsigned from,
                 unsigned n)
{
    double began_us = bench_wall_us();

    for (unsigned i = from; i < from + n; i++) {
        (void)snprintf(sessions[i].id, sizeof(sessions[i].id), "KICK%u", i);
        gate_new_device(gate, operators, sessions[i].id, &sessions[i].who);
        name_cert(&sessions[i]);
    }
    for (unsigned i = from; i < from + n; i++) {
        come_in(gate, &sessions[i]);
    }
    bench_figure("enrolling and connecting them", (bench_wall_us() - began_us) / 1e6, "s");
}

static void empty(unsigned from, unsigned n)
{
    for (unsigned i = from; i < from + n; i++) {
        gate_disconnect(&sessions[i].conn);
        SSL_CTX_free(sessions[i].tls);
        gate_identity_done(&sessions[i].who);
    }
}

/* --- the kicks ---------------------------------------------------------------------------------
 */

static void post(struct gate_conn *operators, const char *path, const char *json,
                 char body[BODY_MAX], int want)
{
    char *text = gate_post_text(path, "application/json", "", kw_span_text(json));
    int status = gate_call(operators, kw_span_text(text), body, BODY_MAX);

    free(text);
    if (status != want) {
        bench_die("HTTP status %d: %.300s", status, body);
    }
}

static double cut_of(const struct session *session)
{
    double until_us = bench_wall_us() + WAIT_MS * 1e3;

    while (atomic_load(&session->cut_us) == 0) {
        if (bench_wall_us() > until_us) {
            bench_die("'%s' was not cut within %d ms", session->id, WAIT_MS);
        }
        (void)usleep(STEP_US);
    }
    return atomic_load(&session->cut_us);
}

static void one_by_one(struct gate_conn *operators, unsigned from, unsigned n,
                       struct bench_list *ms)
{
    static char body[BODY_MAX];
    char path[128];

    for (unsigned i = from; i < from + n; i++) {
        (void)snprintf(path, sizeof(path), "/api/v1/certs/%s/revoke", sessions[i].fingerprint);
        double began_us = bench_wall_us();
        post(operators, path, "{\"reason\":\"superseded\"}", body, 200);
        bench_add(ms, (cut_of(&sessions[i]) - began_us) / 1e3);
    }
}

static void all_at_once(struct gate_conn *operators, unsigned from, unsigned n,
                        struct bench_list *ms)
{
    static char body[BODY_MAX];
    char path[64];

    post(operators, "/api/v1/revocations", "{\"product\":\"bench\",\"reason\":\"superseded\"}",
         body, 201);
    const char *id = strstr(body, "\"id\":");
    (void)snprintf(path, sizeof(path), "/api/v1/revocations/%ld/run",
                   id ? strtol(id + 5, NULL, 10) : 0L);
    double began_us = bench_wall_us();
    post(operators, path, "{}", body, 200);
    for (unsigned i = from; i < from + n; i++) {
        bench_add(ms, (cut_of(&sessions[i]) - began_us) / 1e3);
    }
}

/* --- the feed ----------------------------------------------------------------------------------
 */

static int by_fingerprint(const void *a, const void *b)
{
    const struct session *const *one = a, *const *other = b;

    return strcmp((*one)->fingerprint, (*other)->fingerprint);
}

/* The times at which the log says that the certificates of sorted[] were revoked. */
static void take_page(const char *body, struct session **sorted, unsigned n, double unix_at_0_ms,
                      struct bench_list *ms)
{
    static const char time[] = "\"time\":\"", print[] = "\"fingerprint\":\"",
                      revoke[] = "\"type\":\"cert.revoke\"";

    for (const char *at = strstr(body, time); at; at = strstr(at + 1, time)) {
        const char *next = strstr(at + 1, time), *found = strstr(at, print);
        const char *type = strstr(at, revoke);
        struct session key, *wanted = &key;
        char text[KW_TIME_TEXT];
        int64_t unix_ms = 0;
        if (!found || !type || (next && (found > next || type > next))) {
            continue;
        }
        (void)snprintf(key.fingerprint, sizeof(key.fingerprint), "%s", found + sizeof(print) - 1);
        (void)snprintf(text, sizeof(text), "%.*s", (int)strcspn(at + sizeof(time) - 1, "\""),
                       at + sizeof(time) - 1);
        struct session **session = bsearch(&wanted, sorted, n, sizeof(*sorted), by_fingerprint);
        if (session && kw_ok(kw_time_parse(text, &unix_ms))) {
            bench_add(ms, unix_at_0_ms + atomic_load(&(*session)->cut_us) / 1e3 - (double)unix_ms);
        }
    }
}

/* From each change's time, to the millisecond, to the end of its session. */
static void from_the_feed(struct gate_conn *operators, unsigned from, unsigned n,
                          struct bench_list *ms)
{
    static char body[BODY_MAX];
    struct session **sorted = calloc(n, sizeof(struct session *));
    double unix_at_0_ms = (double)os_clock_unix_ms() - bench_wall_us() / 1e3;
    unsigned long since = 0;

    for (unsigned i = 0; sorted && i < n; i++) {
        sorted[i] = &sessions[from + i];
    }
    if (!sorted) {
        bench_die("no memory");
    }
    qsort(sorted, n, sizeof(*sorted), by_fingerprint);
    for (bool more = true; more;) {
        char request[128];
        (void)snprintf(request, sizeof(request),
                       "GET /api/v1/feed?since=%lu&max=50 HTTP/1.1\r\nHost: localhost\r\n\r\n",
                       since);
        if (gate_call(operators, kw_span_text(request), body, sizeof(body)) != 200) {
            bench_die("no feed: %.300s", body);
        }
        take_page(body, sorted, n, unix_at_0_ms, ms);
        const char *next = strstr(body, "\"next\":\"");
        unsigned long on = next ? strtoul(next + 8, NULL, 10) : since;
        more = on > since;
        since = on;
    }
    free(sorted);
    if (ms->n != n) {
        bench_die("the feed has %zu of %u revocations", ms->n, n);
    }
}

static void print_one(const char *what, const char *from, struct bench_list *ms)
{
    static const struct {
        const char *name;
        double at;
    } quantiles[] = {
        {"median", 0.5 },
        {"p99",    0.99},
        {"worst",  1   },
    };
    char text[96];

    for (unsigned i = 0; i < KW_COUNT(quantiles); i++) {
        (void)snprintf(text, sizeof(text), "%s: %s to cut session, %s", what, from,
                       quantiles[i].name);
        bench_figure(text, bench_quantile(ms, quantiles[i].at), "ms");
    }
    bench_list_done(ms);
}

static void print(const char *what, struct delays *delays)
{
    print_one(what, "command", &delays->asked_ms);
    print_one(what, "change in the feed", &delays->fed_ms);
}

/* Two descriptors a session, here and in the broker. */
static void allow_files(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit); /* what is not enough shows at connecting */
    }
}

/* An operator's connection for each phase: the server ends those that are long idle. */
static void fill_and_kick(const struct bench_gate *gate, unsigned from, unsigned n,
                          void (*kick)(struct gate_conn *, unsigned, unsigned, struct bench_list *),
                          struct delays *delays)
{
    struct gate_conn operators = {0};
    SSL_CTX *tls = gate_tls_operator(gate);

    gate_connect(gate, GATE_OPERATORS, tls, &operators);
    fill(gate, &operators, from, n);
    gate_disconnect(&operators);
    gate_connect(gate, GATE_OPERATORS, tls, &operators);
    kick(&operators, from, n, &delays->asked_ms);
    from_the_feed(&operators, from, n, &delays->fed_ms);
    gate_disconnect(&operators);
    SSL_CTX_free(tls);
}

static void measure(const struct bench_gate *gate, unsigned n)
{
    struct delays alone = {0}, plan = {0};
    pthread_t watcher;

    if (pthread_create(&watcher, NULL, watch, NULL) != 0) {
        bench_die("no thread");
    }
    fill_and_kick(gate, 0, n, one_by_one, &alone);
    fill_and_kick(gate, n, n, all_at_once, &plan);
    atomic_store(&stop, true);
    (void)pthread_join(watcher, NULL);
    empty(0, 2 * n);
    bench_figure("live sessions", n, "");
    print("one certificate", &alone);
    print("all by one plan", &plan);
}

int main(void)
{
    struct bench_gate gate;
    uint64_t n = bench_setting("KW_BENCH_SESSIONS", 1000);

    if (!find_mosquitto()) {
        (void)puts("kick: mosquitto is not installed (tools/setup)");
        return SKIPPED;
    }
    if (n == 0 || n > SESSIONS_MAX) {
        bench_die("1 to %d sessions", SESSIONS_MAX);
    }
    bench_title("kick");
    allow_files();
    sessions = calloc(2 * n, sizeof(*sessions));
    events = epoll_create1(EPOLL_CLOEXEC);
    if (!sessions || events < 0) {
        bench_die("no memory");
    }
    gate_init(&gate);
    allow(&gate);
    gate_start(&gate);
    start_broker(&gate);
    wait_listening();
    measure(&gate, (unsigned)n);
    end_broker();
    gate_end(&gate);
    (void)close(events);
    free(sessions);
    return EXIT_SUCCESS;
}
