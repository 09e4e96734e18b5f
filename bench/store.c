/*
 * Row "store of 10 million certificates": p99 of a change (certificate, key, log entry, durable)
 * and of look-ups in a large store against a small one, in turns; the dashboard's figures. Also
 * changes/s from 1, 8 and 64 threads. KW_BENCH_ROWS=10000 KW_BENCH_ROWS_BIG=60000 (10000000 for the
 * row as written) KW_BENCH_CHANGES=2000 KW_BENCH_LOOKUPS=20000
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "seed.h"
#include "store/stats.h"

enum { THREADS_MAX = 64, FILL = 200, DER = 700, SPREAD = 7919, CERTS_A_DEVICE = 4, TURNS = 50 };
enum { SMALL, LARGE, SIDES };
enum { PAGE = 100, WINDOW_S = 60, LOOKS = 6 };

struct bench {
    char dir[128], path[192];
    struct store *store;
    uint64_t rows; /* made so far; a certificate's number is its place */
    uint64_t looked;
    struct bench_list change_us, look_us[LOOKS];
};

static const uint8_t der[DER];
static const struct seed fleet = {
    .certs_a_device = CERTS_A_DEVICE,
    .batch = "",
    .der = {der, sizeof(der)},
    .not_after = 1800000000,
    .ends_a_second = 2, /* 120 in a minute */
    .logged = true
};

struct range {
    uint64_t from, n;
};

/* --- stores ----------------------------------------------------------------------------------- */

static void open_store(struct bench *bench)
{
    struct store_config config = {.path = bench->path};
    struct kw_op op;

    bench_op(&op);
    bench_need(&op, store_open(&op, &config, &bench->store), "store");
}

/* The first ones through the store, and by SQL what is like them. */
static void make_store(struct bench *bench, uint64_t rows)
{
    bench_dir_make(bench->dir, sizeof(bench->dir));
    (void)snprintf(bench->path, sizeof(bench->path), "%s/store.db", bench->dir);
    open_store(bench);
    seed_insert(&fleet, bench->store, 0, FILL);
    store_close(bench->store);
    bench->rows = rows > FILL ? rows : FILL;
    seed_bulk(&fleet, bench->path, FILL, bench->rows - FILL);
    open_store(bench);
}

/* --- changes ---------------------------------------------------------------------------------- */

struct worker {
    struct store *store;
    struct range range;
    struct bench_list latency_us;
    pthread_t thread;
};

static void *run_worker(void *arg)
{
    struct worker *worker = arg;

    for (uint64_t i = 0; i < worker->range.n; i++) {
        double began_us = bench_wall_us();
        seed_insert(&fleet, worker->store, worker->range.from + i, 1);
        bench_add(&worker->latency_us, bench_wall_us() - began_us);
    }
    return NULL;
}

static void changes(struct bench *bench, unsigned n_threads, uint64_t n,
                    struct bench_list *latency_us)
{
    struct worker *workers = calloc(THREADS_MAX, sizeof(*workers));
    double wall_us = bench_wall_us(), cpu_us = bench_self_cpu_us();
    char what[64];

    n = n / n_threads * n_threads;
    for (unsigned i = 0; workers && i < n_threads; i++) {
        workers[i].store = bench->store;
        workers[i].range = (struct range){bench->rows, n / n_threads};
        bench->rows += n / n_threads;
        if (pthread_create(&workers[i].thread, NULL, run_worker, &workers[i]) != 0) {
            bench_die("no thread");
        }
    }
    for (unsigned i = 0; workers && i < n_threads; i++) {
        (void)pthread_join(workers[i].thread, NULL);
        bench_merge(latency_us, &workers[i].latency_us);
    }
    free(workers);
    (void)snprintf(what, sizeof(what), "%llu, changes, %u thread%s",
                   (unsigned long long)bench->rows, n_threads, n_threads > 1 ? "s" : "");
    bench_figure(what, (double)n / (bench_wall_us() - wall_us) * 1e6, "/s");
    bench_figure("  CPU a change", (bench_self_cpu_us() - cpu_us) / (double)n, "us");
    bench_figure("  p50", bench_median(latency_us), "us");
    bench_figure("  p99", bench_quantile(latency_us, 0.99), "us");
}

/* --- look-ups --------------------------------------------------------------------------------- */

struct look {
    struct bench *bench;
    const struct store_cert *cert; /* one that is there */
    unsigned found;
};

static kw_status take(struct kw_op *op, void *ctx, struct store_conn *conn,
                      const struct store_cert_ref *ref)
{
    struct look *look = ctx;
    static _Thread_local struct store_cert whole;

    look->found++;
    return store_cert_whole(op, conn, ref, &whole);
}

static void find(struct look *look, const struct store_cert_filter *filter)
{
    struct store_cert_cursor next;
    struct kw_op op;

    bench_op(&op);
    bench_need(&op, store_cert_find(&op, look->bench->store, filter, PAGE, take, look, &next),
               "search");
}

static void by_status(struct look *look)
{
    struct store_cert_status status;
    struct kw_op op;

    bench_op(&op);
    bench_need(&op,
               store_cert_status(&op, look->bench->store, "devices",
                                 KW_SPAN(look->cert->serial, look->cert->serial_len), &status),
               "lookup");
    look->found++;
}

static void by_serial(struct look *look)
{
    find(look, &(struct store_cert_filter){
                   .serial = KW_SPAN(look->cert->serial, look->cert->serial_len)});
}

static void by_device(struct look *look)
{
    find(look, &(struct store_cert_filter){.owner = look->cert->owner});
}

static void by_key(struct look *look)
{
    find(look, &(struct store_cert_filter){.key = look->cert->pubkey});
}

static void by_subject(struct look *look)
{
    find(look, &(struct store_cert_filter){.subject = strstr(look->cert->subject, "CN=") + 3});
}

static void by_expiry(struct look *look)
{
    find(look, &(struct store_cert_filter){.state = CERT_STATE_VALID,
                                           .expires_from = look->cert->not_after,
                                           .expires_before = look->cert->not_after + WINDOW_S});
}

static const struct {
    const char *what;
    void (*once)(struct look *look);
} looks[LOOKS] = {
    {"status by serial",                       by_status },
    {"whole certificate by serial",            by_serial },
    {"all of a device",                        by_device },
    {"by key",                                 by_key    },
    {"by subject",                             by_subject},
    {"a page of 100 by what ends in a minute", by_expiry },
};

static void look_up(struct bench *bench, unsigned which, uint64_t n)
{
    static struct store_cert cert;

    for (uint64_t i = 0; i < n; i++) {
        struct look look = {.bench = bench, .cert = &cert};
        seed_cert(&fleet, bench->looked++ * SPREAD % bench->rows, &cert);
        double began_us = bench_thread_cpu_us();
        looks[which].once(&look);
        bench_add(&bench->look_us[which], bench_thread_cpu_us() - began_us);
        if (look.found == 0) {
            bench_die("%s: nothing was found", looks[which].what);
        }
    }
}

/* The dashboard's figures, counted by the store alone. */
static void figures(struct bench *bench)
{
    struct bench_list issued_us = {0}, standing_us = {0};

    for (unsigned i = 0; i < 5; i++) {
        struct store_stats stats;
        struct kw_op op;
        bench_op(&op);
        store_stats_begin(INT64_C(1760000000000), &stats);
        double began_us = bench_wall_us();
        bench_need(&op, store_stats_issued(&op, bench->store, &stats), "figures");
        bench_add(&issued_us, bench_wall_us() - began_us);
        began_us = bench_wall_us();
        bench_need(&op, store_stats_standing(&op, bench->store, 3600000, &stats), "figures");
        bench_add(&standing_us, bench_wall_us() - began_us);
    }
    bench_figure("figures: what was issued", bench_median(&issued_us) / 1e3, "ms");
    bench_figure("figures: standings, by the store", bench_median(&standing_us) / 1e3, "ms");
    bench_list_done(&issued_us);
    bench_list_done(&standing_us);
}

static void measure_changes(struct bench sides[SIDES])
{
    uint64_t n = bench_setting("KW_BENCH_CHANGES", 2000);
    const struct {
        unsigned threads;
        uint64_t n;
        bool compared;
    } rows[] = {
        {1,           n / 4, false},
        {8,           n,     true },
        {THREADS_MAX, n,     false},
    };

    for (size_t i = 0; i < KW_COUNT(rows); i++) {
        for (unsigned s = 0; s < SIDES; s++) {
            struct bench_list other = {0};
            changes(&sides[s], rows[i].threads, rows[i].n,
                    rows[i].compared ? &sides[s].change_us : &other);
            bench_list_done(&other);
        }
    }
}

static void measure_looks(struct bench sides[SIDES])
{
    uint64_t n = bench_setting("KW_BENCH_LOOKUPS", 20000) / TURNS;

    for (unsigned i = 0; i < LOOKS; i++) {
        for (unsigned turn = 0; turn < TURNS; turn++) {
            for (unsigned s = 0; s < SIDES; s++) {
                look_up(&sides[(s + turn) % SIDES], i, i == LOOKS - 1 ? n / 10 : n);
            }
        }
    }
}

/* Medians stand for the work, p99 for the row of section 8. */
static void compare(const char *what, struct bench_list *small, struct bench_list *large)
{
    char text[96];
    double floor_us = bench_median(small), work_us = bench_median(large);

    (void)snprintf(text, sizeof(text), "median: %s", what);
    bench_row(text, floor_us, work_us, work_us / floor_us, "none");
    floor_us = bench_quantile(small, 0.99);
    work_us = bench_quantile(large, 0.99);
    (void)snprintf(text, sizeof(text), "p99: %s", what);
    bench_row(text, floor_us, work_us, work_us / floor_us, "<= 1.2");
    bench_list_done(small);
    bench_list_done(large);
}

int main(void)
{
    static struct bench sides[SIDES];
    struct bench *small = &sides[SMALL], *large = &sides[LARGE];

    bench_title("store");
    make_store(small, bench_setting("KW_BENCH_ROWS", 10000));
    make_store(large, bench_setting("KW_BENCH_ROWS_BIG", 60000));
    measure_changes(sides);
    measure_looks(sides);
    figures(small);
    figures(large);
    printf("  floor: the small store, work: the large one; look-ups by CPU, in turns\n");
    compare("a change, 8 threads", &small->change_us, &large->change_us);
    for (unsigned i = 0; i < LOOKS; i++) {
        compare(looks[i].what, &small->look_us[i], &large->look_us[i]);
    }
    for (unsigned s = 0; s < SIDES; s++) {
        store_close(sides[s].store);
        bench_dir_remove(sides[s].dir);
    }
    return EXIT_SUCCESS;
}
