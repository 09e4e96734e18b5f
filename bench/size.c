/*
 * Row "store of 10 million certificates", as who asks sees it: enrolment by EST and look-ups by
 * REST, of a gate whose store is large against one whose store is small. Both are alive and are
 * asked in turns, on kept-alive connections, by 1 client and by 8; certificates that are looked up
 * and devices that enrol lie anywhere in the store. KW_BENCH_ROWS=10000 KW_BENCH_ROWS_BIG=100000
 * KW_BENCH_LOOKUPS=200 (a turn) KW_BENCH_ENROL=160 (a turn) KW_BENCH_ROUNDS=5
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/hex.h"
#include "seed.h"

enum {
    CLIENTS = 8,
    DEVICES = 8, /* that enrol by turns, of each client */
    CERTS_A_DEVICE = 4,
    TURN_MAX = 20000,
    BODY_MAX = 16384,
    QUIET_US = 500000,
    QUIET_CPU_US = 10000
};

enum { SMALL, LARGE, SIDES };

struct side {
    struct bench_gate gate;
    uint64_t rows;
    SSL_CTX *staff;
    uint64_t enrolling[CLIENTS * DEVICES]; /* numbers of these devices */
    unsigned n_enrolling;
    struct gate_identity who[CLIENTS * DEVICES];
    SSL_CTX *tls[CLIENTS * DEVICES];
};

static struct seed fleet = {.certs_a_device = CERTS_A_DEVICE, .batch = "", .not_after = 2200000000};

/* --- requests --------------------------------------------------------------------------------- */

struct request {
    char *text;
    char answer[64]; /* what a right answer has in it */
};

static uint64_t random_below(uint64_t n)
{
    static uint64_t state = 1;

    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (state >> 20) % n;
}

static void make_get(const char *head, const char *middle, const char *tail, struct request *ret)
{
    if (asprintf(&ret->text, "GET /api/v1/certs%s%s%s HTTP/1.1\r\nHost: localhost\r\n\r\n", head,
                 middle, tail) < 0) {
        bench_die("no memory");
    }
}

static void by_serial(const struct store_cert *cert, struct request *ret)
{
    make_get("?serial=", ret->answer, "", ret);
    (void)cert;
}

static void by_device(const struct store_cert *cert, struct request *ret)
{
    make_get("?device=", strchr(cert->owner, ':') + 1, "", ret);
}

static void by_key(const struct store_cert *cert, struct request *ret)
{
    char key[2 * KW_HASH_BYTES + 1];

    kw_hex(KW_SPAN_ARRAY(cert->pubkey), key, sizeof(key));
    make_get("?key=", key, "", ret);
}

static void download(const struct store_cert *cert, struct request *ret)
{
    make_get("/", ret->answer, "/download?format=pem", ret);
    KW_TEXT_SET(ret->answer, "-----BEGIN CERTIFICATE-----");
    (void)cert;
}

static void enrol(const struct store_cert *cert, struct request *ret)
{
    AUTO(kw_bytes) *csr = gate_new_csr(NULL);

    (void)cert;
    ret->text = gate_post_text("/.well-known/est/ldevid/simpleenroll", "application/pkcs10", "",
                               kw_bytes_span(csr));
    KW_TEXT_SET(ret->answer, "MII");
}

static const struct {
    const char *what;
    /* ret->answer is the serial number */
    void (*make)(const struct store_cert *cert, struct request *ret);
    bool enrols;
} kinds[] = {
    {"enrolment",        enrol,     true },
    {"by serial number", by_serial, false},
    {"by device",        by_device, false},
    {"by key",           by_key,    false},
    {"download",         download,  false},
};

static bool enrolling(const struct side *side, uint64_t no)
{
    for (unsigned i = 0; i < side->n_enrolling; i++) {
        if (side->enrolling[i] == no / CERTS_A_DEVICE) {
            return true;
        }
    }
    return false;
}

/* Any of the whole store, but of a device that enrols: it has ever more of them, and a look-up
 * would meet such a one more often where there are few devices. */
static uint64_t any_cert(const struct side *side)
{
    uint64_t no = random_below(side->rows);

    while (enrolling(side, no)) {
        no = random_below(side->rows);
    }
    return no;
}

static void make_request(const struct side *side, unsigned kind, struct request *ret)
{
    static struct store_cert cert;

    seed_cert(&fleet, any_cert(side), &cert);
    kw_hex(KW_SPAN(cert.serial, cert.serial_len), ret->answer, sizeof(ret->answer));
    kinds[kind].make(&cert, ret);
}

/* --- a turn ----------------------------------------------------------------------------------- */

struct result {
    struct bench_list wall_us, cpu_us;
    struct bench_list turn_p99_us; /* of each turn, by wall clock, in their order */
};

struct client {
    const struct side *side;
    struct gate_conn conns[DEVICES];
    unsigned n_conns;
    struct request *requests; /* borrowed */
    size_t n;
    struct result result;
    pthread_t thread;
};

static void *run_client(void *ctx)
{
    struct client *client = ctx;
    char body[BODY_MAX];

    for (size_t i = 0; i < client->n; i++) {
        const struct request *request = &client->requests[i];
        double cpu_us = gate_cpu_us(&client->side->gate), began_us = bench_wall_us();
        int status = gate_call(&client->conns[i % client->n_conns], kw_span_text(request->text),
                               body, sizeof(body));
        double wall_us = bench_wall_us() - began_us;
        cpu_us = gate_cpu_us(&client->side->gate) - cpu_us;
        if (status != 200 || !strstr(body, request->answer)) {
            bench_die("HTTP status %d: %.300s\n  to %s", status, body, request->text);
        }
        if (i >= client->n_conns) { /* a connection's first request is no kept-alive one */
            bench_add(&client->result.wall_us, wall_us);
            bench_add(&client->result.cpu_us, cpu_us);
        }
    }
    return NULL;
}

static void open_client(struct client *client, unsigned no, unsigned kind)
{
    const struct side *side = client->side;

    client->n_conns = kinds[kind].enrols ? DEVICES : 1;
    for (unsigned i = 0; i < client->n_conns; i++) {
        if (kinds[kind].enrols) {
            gate_connect(&side->gate, GATE_DEVICES, side->tls[no * DEVICES + i], &client->conns[i]);
        } else {
            gate_connect(&side->gate, GATE_OPERATORS, side->staff, &client->conns[i]);
        }
    }
}

/* What the gate's CPU clocks say is a request's own where its client is alone. */
static void close_client(struct client *client, bool alone, struct result *result)
{
    for (unsigned i = 0; i < client->n_conns; i++) {
        gate_disconnect(&client->conns[i]);
    }
    bench_merge(&result->wall_us, &client->result.wall_us);
    if (alone) {
        bench_merge(&result->cpu_us, &client->result.cpu_us);
    }
    bench_list_done(&client->result.cpu_us);
}

static void merge_turn(struct result *turn, struct result *result)
{
    bench_add(&result->turn_p99_us, bench_quantile(&turn->wall_us, 0.99));
    bench_merge(&result->wall_us, &turn->wall_us);
    bench_merge(&result->cpu_us, &turn->cpu_us);
}

static void run_all(struct client clients[], unsigned n_clients)
{
    for (unsigned i = 0; i < n_clients; i++) {
        if (pthread_create(&clients[i].thread, NULL, run_client, &clients[i]) != 0) {
            bench_die("no thread");
        }
    }
    for (unsigned i = 0; i < n_clients; i++) {
        (void)pthread_join(clients[i].thread, NULL); /* cannot fail: joined once */
    }
}

static void take_turn(const struct side *side, unsigned kind, unsigned n_clients, size_t n,
                      struct result *result)
{
    static struct request requests[TURN_MAX];
    struct client clients[CLIENTS] = {0};
    struct result turn = {0};
    size_t each = n / n_clients;

    for (size_t i = 0; i < each * n_clients; i++) {
        make_request(side, kind, &requests[i]);
    }
    for (unsigned i = 0; i < n_clients; i++) {
        clients[i].side = side;
        clients[i].requests = &requests[i * each];
        clients[i].n = each;
        open_client(&clients[i], i, kind);
    }
    double cpu_us = gate_cpu_us(&side->gate);
    run_all(clients, n_clients);
    cpu_us = gate_cpu_us(&side->gate) - cpu_us;
    if (n_clients > 1) {
        bench_add(&turn.cpu_us, cpu_us / (double)(each * n_clients));
    }
    for (unsigned i = 0; i < n_clients; i++) {
        close_client(&clients[i], n_clients == 1, &turn);
    }
    merge_turn(&turn, result);
    for (size_t i = 0; i < each * n_clients; i++) {
        free(requests[i].text);
    }
}

/* --- gates ------------------------------------------------------------------------------------ */

/* Until it has read its store into memory: nothing is asked and its CPU clocks stand still. */
static double settle(const struct side *side)
{
    double began_us = bench_wall_us(), before_us = 0, now_us = gate_cpu_us(&side->gate);

    do {
        before_us = now_us;
        (void)usleep(QUIET_US);
        now_us = gate_cpu_us(&side->gate);
    } while (now_us - before_us > QUIET_CPU_US);
    return bench_wall_us() - began_us;
}

static void open_devices(struct side *side)
{
    struct gate_conn operators = {0};

    side->staff = gate_tls_operator(&side->gate);
    gate_connect(&side->gate, GATE_OPERATORS, side->staff, &operators);
    for (unsigned i = 0; i < CLIENTS * DEVICES; i++) {
        char id[KW_NAME_MAX];
        uint64_t no = any_cert(side);
        side->enrolling[side->n_enrolling++] = no / CERTS_A_DEVICE;
        seed_device_id(&fleet, no, id);
        gate_known_device(&side->gate, &operators, id, &side->who[i]);
        side->tls[i] = gate_tls(&side->gate, &side->who[i]);
    }
    gate_disconnect(&operators);
}

static void open_side(struct side *side, uint64_t rows)
{
    unsigned char *der = NULL;

    gate_init(&side->gate);
    X509 *cert = gate_cert(&side->gate, "tls-server"); /* of usual length */
    int len = i2d_X509(cert, &der);
    if (len <= 0) {
        bench_die("no certificate to copy");
    }
    fleet.der = KW_SPAN(der, (size_t)len);
    double began_us = bench_wall_us();
    seed_gate(&fleet, &side->gate, side->rows = rows);
    printf("  %llu certificates:\n", (unsigned long long)rows);
    bench_figure("seeding", (bench_wall_us() - began_us) / 1e6, "s");
    fleet.der = KW_SPAN("", 0);
    OPENSSL_free(der);
    X509_free(cert);
    gate_start(&side->gate);
    bench_figure("until its CPU stands still", settle(side) / 1e6, "s");
    open_devices(side);
}

static void close_side(struct side *side)
{
    SSL_CTX_free(side->staff);
    for (unsigned i = 0; i < CLIENTS * DEVICES; i++) {
        SSL_CTX_free(side->tls[i]);
        gate_identity_done(&side->who[i]);
    }
    gate_end(&side->gate);
}

/* --- what came out ---------------------------------------------------------------------------- */

static void print_row(const char *what, const char *figure, double small_us, double large_us,
                      double ratio, const char *target)
{
    char text[96];

    (void)snprintf(text, sizeof(text), "%s: %s", what, figure);
    bench_row(text, small_us, large_us, ratio, target);
}

/* Turns that were neighbours met the same load. */
static double paired_ratio(const struct result results[SIDES])
{
    const struct bench_list *small = &results[SMALL].turn_p99_us,
                            *large = &results[LARGE].turn_p99_us;
    struct bench_list ratio = {0};

    for (size_t i = 0; i < small->n; i++) {
        bench_add(&ratio, large->at[i] / small->at[i]);
    }
    double median = bench_median(&ratio);
    bench_list_done(&ratio);
    return median;
}

static void print_quantile(const char *what, const char *figure, struct bench_list *small,
                           struct bench_list *large, double q, const char *target)
{
    double small_us = bench_quantile(small, q), large_us = bench_quantile(large, q);

    print_row(what, figure, small_us, large_us, large_us / small_us, target);
}

static void print(unsigned kind, unsigned n_clients, struct result results[SIDES])
{
    struct result *small = &results[SMALL], *large = &results[LARGE];
    char what[64];

    (void)snprintf(what, sizeof(what), "%s, %u", kinds[kind].what, n_clients);
    double ratio = paired_ratio(results); /* quantiles sort */
    print_quantile(what, "p50", &small->wall_us, &large->wall_us, 0.5, "none");
    print_quantile(what, "p99", &small->wall_us, &large->wall_us, 0.99, "<= 1.2");
    print_row(what, "p99, paired turns", bench_median(&small->turn_p99_us),
              bench_median(&large->turn_p99_us), ratio, "<= 1.2");
    print_quantile(what, "CPU", &small->cpu_us, &large->cpu_us, 0.5, "none");
    if (n_clients == 1) {
        print_quantile(what, "CPU, p99", &small->cpu_us, &large->cpu_us, 0.99, "<= 1.2");
    }
    for (unsigned s = 0; s < SIDES; s++) {
        bench_list_done(&results[s].wall_us);
        bench_list_done(&results[s].cpu_us);
        bench_list_done(&results[s].turn_p99_us);
    }
}

static const unsigned n_clients[] = {1, CLIENTS};

/* Which of the two is first changes with each round. */
static void run_round(struct side sides[SIDES], unsigned first,
                      struct result results[][KW_COUNT(n_clients)][SIDES])
{
    size_t n_looks = bench_setting("KW_BENCH_LOOKUPS", 200);
    size_t n_enrols = bench_setting("KW_BENCH_ENROL", 160);

    if (n_looks > TURN_MAX || n_enrols > TURN_MAX) {
        bench_die("at most %d requests a turn", TURN_MAX);
    }
    for (unsigned kind = 0; kind < KW_COUNT(kinds); kind++) {
        size_t n = kinds[kind].enrols ? n_enrols : n_looks;
        for (unsigned c = 0; c < KW_COUNT(n_clients); c++) {
            for (unsigned i = 0; i < SIDES; i++) {
                unsigned s = (first + i) % SIDES;
                take_turn(&sides[s], kind, n_clients[c], n, &results[kind][c][s]);
            }
        }
    }
}

int main(void)
{
    static struct side sides[SIDES];
    static struct result warm[KW_COUNT(kinds)][KW_COUNT(n_clients)][SIDES];
    static struct result results[KW_COUNT(kinds)][KW_COUNT(n_clients)][SIDES];

    bench_title("size");
    open_side(&sides[SMALL], bench_setting("KW_BENCH_ROWS", 10000));
    open_side(&sides[LARGE], bench_setting("KW_BENCH_ROWS_BIG", 100000));
    run_round(sides, 0, warm);
    bench_title("  in turns");
    for (uint64_t i = 0; i < bench_setting("KW_BENCH_ROUNDS", 5); i++) {
        run_round(sides, i % SIDES, results);
    }
    printf("  floor: the small store, work: the large one; behind the comma: clients\n");
    for (unsigned kind = 0; kind < KW_COUNT(kinds); kind++) {
        for (unsigned c = 0; c < KW_COUNT(n_clients); c++) {
            print(kind, n_clients[c], results[kind][c]);
        }
    }
    close_side(&sides[SMALL]);
    close_side(&sides[LARGE]);
    return EXIT_SUCCESS;
}
