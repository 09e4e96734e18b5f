/*
 * Mass revocation: KW_BENCH_REVOKE certificates (100000) of one batch, by a plan. How long until
 * gate and OCSP refuse the last one, and until the CA's list has it; the server's memory; and what
 * other work notices meanwhile: hellos on kept-alive mTLS connections (KW_BENCH_CLIENTS=4) and
 * registrations (each a durable change). The certificates are put into the store directly, with a
 * stand-in for their DER, which a revocation does not read.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "seed.h"

enum { CLIENTS_MAX = 16, DER = 700, BODY_MAX = 65536, QUIET_MS = 3000, PAUSE_US = 2000 };

/* --- the fleet -------------------------------------------------------------------------------- */

static void seed(const struct bench_gate *gate, uint64_t n)
{
    static const uint8_t der[DER];
    const struct seed fleet = {
        .certs_a_device = 1, .batch = "B-1", .der = KW_SPAN_ARRAY(der), .not_after = 2200000000};

    seed_gate(&fleet, gate, n);
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

/* --- other work ------------------------------------------------------------------------------- */

struct client {
    const struct bench_gate *gate;
    struct gate_identity who; /* none: registers devices as the operator */
    unsigned no;
    atomic_bool stop, measured;
    struct bench_list quiet_us, busy_us;
    pthread_t thread;
};

static char *hello_text(void)
{
    return gate_post_text("/device/v1/hello", "application/json", "",
                          kw_span_text("{\"agent\":\"bench 1\",\"root_of_trust\":\"soft\"}"));
}

static char *register_text(unsigned client, uint64_t no)
{
    char json[128];

    (void)snprintf(json, sizeof(json), "{\"id\":\"N%u-%llu\",\"product\":\"lamp\"}", client,
                   (unsigned long long)no);
    return gate_post_text("/api/v1/devices", "application/json", "", kw_span_text(json));
}

static void *run_client(void *arg)
{
    struct client *client = arg;
    bool hellos = client->who.cert != NULL;
    SSL_CTX *tls = hellos ? gate_tls(client->gate, &client->who) : gate_tls_operator(client->gate);
    struct gate_conn conn = {0};
    char body[BODY_MAX];

    gate_connect(client->gate, hellos ? GATE_DEVICES : GATE_OPERATORS, tls, &conn);
    for (uint64_t no = 0; !atomic_load(&client->stop); no++) {
        char *request = hellos ? hello_text() : register_text(client->no, no);
        bool busy = atomic_load(&client->measured);
        double began_us = bench_wall_us();
        int status = gate_call(&conn, kw_span_text(request), body, sizeof(body));
        bench_add(busy ? &client->busy_us : &client->quiet_us, bench_wall_us() - began_us);
        free(request);
        if (status != (hellos ? 200 : 201)) {
            bench_die("HTTP status %d: %.200s", status, body);
        }
        (void)usleep(PAUSE_US); /* work beside, not a flood */
    }
    gate_disconnect(&conn);
    SSL_CTX_free(tls);
    return NULL;
}

/* --- the plan --------------------------------------------------------------------------------- */

static void call(struct gate_conn *operators, const char *text, char body[BODY_MAX], int want)
{
    int status = gate_call(operators, kw_span_text(text), body, BODY_MAX);

    if (status != want) {
        bench_die("HTTP status %d: %.300s", status, body);
    }
}

static void post(struct gate_conn *operators, const char *path, const char *json,
                 char body[BODY_MAX], int want)
{
    char *text = gate_post_text(path, "application/json", "", kw_span_text(json));

    call(operators, text, body, want);
    free(text);
}

static void look(struct gate_conn *operators, const char *id, char body[BODY_MAX])
{
    char text[256];

    (void)snprintf(text, sizeof(text),
                   "GET /api/v1/revocations/%s HTTP/1.1\r\nHost: localhost\r\n\r\n", id);
    call(operators, text, body, 200);
}

/* How many parties of a plan say since when. */
static unsigned enforced(const char *body)
{
    unsigned n = 0;

    for (const char *at = body; (at = strstr(at, "\"enforced\":\"")); at++) {
        n++;
    }
    return n;
}

static long memory_kib(pid_t pid, const char *field)
{
    char path[64], line[256];
    long kib = 0;

    (void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof(line), file)) {
        if (strncmp(line, field, strlen(field)) == 0) {
            kib = strtol(line + strlen(field) + 1, NULL, 10);
        }
    }
    if (file) {
        (void)fclose(file);
    }
    return kib;
}

/* The dashboard's figures over all of it. */
static void count(struct gate_conn *operators)
{
    static char body[BODY_MAX];
    struct bench_list us = {0};

    for (unsigned i = 0; i < 5; i++) {
        double began_us = bench_wall_us();
        call(operators, "GET /api/v1/stats HTTP/1.1\r\nHost: localhost\r\n\r\n", body, 200);
        bench_add(&us, bench_wall_us() - began_us);
    }
    bench_figure("figures of the dashboard (GET /stats)", bench_median(&us) / 1e3, "ms");
    bench_list_done(&us);
}

static void run_plan(struct gate_conn *operators, struct client clients[], unsigned n_clients)
{
    static char body[BODY_MAX];
    char id[24], path[64];
    double began_us = bench_wall_us();

    post(operators, "/api/v1/revocations", "{\"batch\":\"B-1\",\"reason\":\"superseded\"}", body,
         201);
    bench_figure("making the plan", (bench_wall_us() - began_us) / 1e6, "s");
    (void)snprintf(id, sizeof(id), "%ld", strtol(strstr(body, "\"id\":") + 5, NULL, 10));
    (void)snprintf(path, sizeof(path), "/api/v1/revocations/%s/run", id);
    for (unsigned i = 0; i < n_clients; i++) {
        atomic_store(&clients[i].measured, true);
    }
    began_us = bench_wall_us();
    post(operators, path, "{}", body, 200);
    do {
        (void)usleep(20000);
        look(operators, id, body);
    } while (!strstr(body, "\"state\":\"done\""));
    double gate_us = bench_wall_us();
    for (unsigned i = 0; i < n_clients; i++) {
        atomic_store(&clients[i].measured, false);
    }
    bench_figure("until gate and OCSP refuse the last", (gate_us - began_us) / 1e6, "s");
    while (enforced(body) < 3) {
        (void)usleep(50000);
        look(operators, id, body);
    }
    bench_figure("until the CA's list has the last", (bench_wall_us() - began_us) / 1e6, "s");
}

static void print(const char *what, struct client clients[], unsigned from, unsigned to)
{
    struct bench_list quiet = {0}, busy = {0};
    char text[96];

    for (unsigned i = from; i < to; i++) {
        bench_merge(&quiet, &clients[i].quiet_us);
        bench_merge(&busy, &clients[i].busy_us);
    }
    (void)snprintf(text, sizeof(text), "%s: before and after, p50", what);
    bench_figure(text, bench_quantile(&quiet, 0.5) / 1e3, "ms");
    (void)snprintf(text, sizeof(text), "%s: before and after, p99", what);
    bench_figure(text, bench_quantile(&quiet, 0.99) / 1e3, "ms");
    (void)snprintf(text, sizeof(text), "%s: meanwhile, p50", what);
    bench_figure(text, bench_quantile(&busy, 0.5) / 1e3, "ms");
    (void)snprintf(text, sizeof(text), "%s: meanwhile, p99", what);
    bench_figure(text, bench_quantile(&busy, 0.99) / 1e3, "ms");
    (void)snprintf(text, sizeof(text), "%s: meanwhile, longest", what);
    bench_figure(text, bench_quantile(&busy, 1) / 1e3, "ms");
    bench_list_done(&quiet);
    bench_list_done(&busy);
}

int main(void)
{
    static struct client clients[CLIENTS_MAX + 1];
    struct bench_gate gate;
    struct gate_conn operators = {0};
    uint64_t n = bench_setting("KW_BENCH_REVOKE", 100000);
    uint64_t n_clients = bench_setting("KW_BENCH_CLIENTS", 4);

    if (n_clients == 0 || n_clients > CLIENTS_MAX) {
        bench_die("1 to %d clients", CLIENTS_MAX);
    }
    bench_title("revoke");
    gate_init(&gate);
    seed(&gate, n);
    allow(&gate);
    gate_start(&gate);
    SSL_CTX *tls = gate_tls_operator(&gate);
    gate_connect(&gate, GATE_OPERATORS, tls, &operators);
    for (unsigned i = 0; i <= n_clients; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "BENCH%u", i);
        clients[i].gate = &gate;
        clients[i].no = i;
        if (i < n_clients) {
            gate_new_device(&gate, &operators, name, &clients[i].who);
        }
        if (pthread_create(&clients[i].thread, NULL, run_client, &clients[i]) != 0) {
            bench_die("no thread");
        }
    }
    (void)usleep(QUIET_MS * 1000);
    count(&operators);
    long before_kib = memory_kib(gate.server, "VmRSS:");
    run_plan(&operators, clients, (unsigned)n_clients + 1);
    bench_figure("keywrightd, resident before", (double)before_kib / 1024, "MiB");
    bench_figure("keywrightd, resident at most", (double)memory_kib(gate.server, "VmHWM:") / 1024,
                 "MiB");
    for (unsigned i = 0; i <= n_clients; i++) {
        atomic_store(&clients[i].stop, true);
        (void)pthread_join(clients[i].thread, NULL);
    }
    print("hello", clients, 0, (unsigned)n_clients);
    print("registration", clients, (unsigned)n_clients, (unsigned)n_clients + 1);
    for (unsigned i = 0; i < n_clients; i++) {
        gate_identity_done(&clients[i].who);
    }
    gate_disconnect(&operators);
    SSL_CTX_free(tls);
    gate_end(&gate);
    return EXIT_SUCCESS;
}
