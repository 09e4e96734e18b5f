/*
 * Row "EST enrolment on a kept-alive mTLS connection": server CPU (keywrightd and keeper) of an
 * LDevID enrolment, against one P-256 verification and one signature in this process.
 * Row "fresh mTLS handshake + enrolment": the same on a new connection each time, against the
 * server's half of an OpenSSL handshake in this process and the above. KW_BENCH_CLIENTS=16
 * KW_BENCH_ENROL=800 (a round) KW_BENCH_FRESH=240 (a round) KW_BENCH_ROUNDS=5
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "floor.h"
#include "gate.h"

enum { CLIENTS_MAX = 256, FLOOR_OPS = 400, FLOOR_HANDSHAKES = 60, BODY_MAX = 16384 };

struct client {
    const struct bench_gate *gate;
    struct gate_identity who;
    SSL_CTX *tls;
    struct gate_conn conn;
    char **requests; /* used up one by one */
    size_t n;        /* in this round */
    bool fresh;      /* a connection for each request */
    struct bench_list latency_us;
    pthread_t thread;
};

struct bench {
    struct bench_gate gate;
    struct floor floor;
    uint64_t rounds, n_clients, per_round, fresh_per_round;
    struct client clients[CLIENTS_MAX];
};

/* --- clients ---------------------------------------------------------------------------------- */

static void enrol_once(struct client *client)
{
    char body[BODY_MAX];
    char *request = *client->requests++;
    double began_us = bench_wall_us();

    if (client->fresh) {
        gate_connect(client->gate, GATE_DEVICES, client->tls, &client->conn);
    }
    int status = gate_call(&client->conn, kw_span_text(request), body, sizeof(body));
    bench_add(&client->latency_us, bench_wall_us() - began_us);
    if (status != 200) {
        bench_die("HTTP status %d: %.200s", status, body);
    }
    if (client->fresh) {
        gate_disconnect(&client->conn);
    }
    free(request);
}

static void *run_client(void *arg)
{
    struct client *client = arg;

    for (size_t i = 0; i < client->n; i++) {
        enrol_once(client);
    }
    return NULL;
}

static char *new_request(void)
{
    AUTO(kw_bytes) *csr = gate_new_csr(NULL);

    return gate_post_text("/.well-known/est/ldevid/simpleenroll", "application/pkcs10", "",
                          kw_bytes_span(csr));
}

static void new_client(struct bench *bench, struct gate_conn *operators, unsigned i)
{
    struct client *client = &bench->clients[i];
    size_t n = bench->rounds * (bench->per_round + bench->fresh_per_round);
    char id[32];

    client->gate = &bench->gate;
    (void)snprintf(id, sizeof(id), "BENCH%u", i);
    gate_new_device(&bench->gate, operators, id, &client->who);
    client->tls = gate_tls(&bench->gate, &client->who);
    client->requests = calloc(n / bench->n_clients + bench->rounds * 2, sizeof(char *));
    if (!client->requests) {
        bench_die("no memory");
    }
}

/* Requests of one measurement, before it; divided among the clients. */
static void prepare(struct bench *bench, size_t n, bool fresh)
{
    for (unsigned c = 0; c < bench->n_clients; c++) {
        struct client *client = &bench->clients[c];
        client->fresh = fresh;
        client->n = n / bench->n_clients;
        for (size_t i = 0; i < client->n; i++) {
            client->requests[i] = new_request();
        }
        if (!fresh) {
            gate_connect(&bench->gate, GATE_DEVICES, client->tls, &client->conn);
        }
    }
}

static void finish(struct bench *bench, struct bench_list *latency)
{
    for (unsigned c = 0; c < bench->n_clients; c++) {
        struct client *client = &bench->clients[c];
        client->requests -= client->n;
        bench_merge(latency, &client->latency_us);
        if (!client->fresh) {
            gate_disconnect(&client->conn);
        }
    }
}

struct result {
    struct bench_list cpu_us, ratio, rate, latency_us;
};

static void measure(struct bench *bench, size_t n, bool fresh, double floor_us,
                    struct result *result)
{
    prepare(bench, n, fresh);
    double cpu_us = gate_cpu_us(&bench->gate);
    double wall_us = bench_wall_us();
    for (unsigned c = 0; c < bench->n_clients; c++) {
        struct client *client = &bench->clients[c];
        if (pthread_create(&client->thread, NULL, run_client, client) != 0) {
            bench_die("no thread");
        }
    }
    for (unsigned c = 0; c < bench->n_clients; c++) {
        (void)pthread_join(bench->clients[c].thread, NULL);
    }
    wall_us = bench_wall_us() - wall_us;
    double done = (double)(n / bench->n_clients * bench->n_clients);
    cpu_us = (gate_cpu_us(&bench->gate) - cpu_us) / done;
    bench_add(&result->cpu_us, cpu_us);
    bench_add(&result->ratio, cpu_us / floor_us);
    bench_add(&result->rate, done / wall_us * 1e6);
    finish(bench, &result->latency_us);
}

static void print(const char *what, struct bench_list *floor, struct result *result,
                  const char *target)
{
    bench_row(what, bench_median(floor), bench_median(&result->cpu_us),
              bench_median(&result->ratio), target);
    bench_figure("  best round, ratio", bench_quantile(&result->ratio, 0), "x");
    bench_figure("  enrolments (wall, this load)", bench_median(&result->rate), "/s");
    bench_figure("  latency p50", bench_quantile(&result->latency_us, 0.5) / 1e3, "ms");
    bench_figure("  latency p99", bench_quantile(&result->latency_us, 0.99) / 1e3, "ms");
    bench_list_done(&result->cpu_us);
    bench_list_done(&result->ratio);
    bench_list_done(&result->rate);
    bench_list_done(&result->latency_us);
    bench_list_done(floor);
}

/* The floor is measured before and after each round of work: the machine's speed changes. */
static void run(struct bench *bench)
{
    struct bench_list floor = {0}, floor_fresh = {0};
    struct result kept = {0}, fresh = {0};

    for (uint64_t round = 0; round < bench->rounds; round++) {
        double op_us = floor_verify_sign(&bench->floor, FLOOR_OPS);
        double handshake_us = floor_handshake(&bench->floor, FLOOR_HANDSHAKES);
        bench_add(&floor, op_us);
        bench_add(&floor_fresh, op_us + handshake_us);
        measure(bench, bench->per_round, /* fresh= */ false, op_us, &kept);
        measure(bench, bench->fresh_per_round, /* fresh= */ true, op_us + handshake_us, &fresh);
    }
    print("enrolment, kept-alive", &floor, &kept, "<= 1.6");
    print("handshake + enrolment", &floor_fresh, &fresh, "<= 1.5");
}

int main(void)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    struct gate_conn operators = {0};

    if (!bench) {
        bench_die("no memory");
    }
    bench->n_clients = bench_setting("KW_BENCH_CLIENTS", 16);
    bench->per_round = bench_setting("KW_BENCH_ENROL", 800);
    bench->fresh_per_round = bench_setting("KW_BENCH_FRESH", 240);
    bench->rounds = bench_setting("KW_BENCH_ROUNDS", 5);
    if (bench->n_clients == 0 || bench->n_clients > CLIENTS_MAX) {
        bench_die("1 to %d clients", CLIENTS_MAX);
    }
    bench_title("enrol");
    gate_init(&bench->gate);
    gate_start(&bench->gate);
    SSL_CTX *tls = gate_tls_operator(&bench->gate);
    gate_connect(&bench->gate, GATE_OPERATORS, tls, &operators);
    for (unsigned i = 0; i < bench->n_clients; i++) {
        new_client(bench, &operators, i);
    }
    gate_disconnect(&operators);
    SSL_CTX_free(tls);
    floor_init(&bench->floor, &bench->gate, &bench->clients[0].who);
    run(bench);
    gate_print_cpu(&bench->gate);
    floor_done(&bench->floor);
    for (unsigned i = 0; i < bench->n_clients; i++) {
        SSL_CTX_free(bench->clients[i].tls);
        gate_identity_done(&bench->clients[i].who);
        free(bench->clients[i].requests);
    }
    gate_end(&bench->gate);
    free(bench);
    return EXIT_SUCCESS;
}
