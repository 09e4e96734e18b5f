/*
 * Validation at size, in this process with a real keeper: the table of standings (filling, octets,
 * look-ups, small against large), a CRL of all certificates, and how long other work waits while it
 * is made; the delta; a start with all of it there. KW_BENCH_CERTS=100000 (all revoked; 1000000
 * takes 2 GB of disk and some minutes) KW_BENCH_LOOKUPS=200000
 */
#include <fcntl.h>
#include <openssl/ocsp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "crypto/digest.h"
#include "gate.h"
#include "os/clock.h"
#include "service/authorities.h"
#include "service/service.h"
#include "service/validation/crl_make.h"
#include "service/validation/crl_maker.h"
#include "service/validation/ocsp_responder.h"
#include "service/validation/status_keep.h"

enum { SMALL = 10000, FILL = 2000, NONCE = 16, PAUSE_US = 500, POLL_US = 2000, QUIET_S = 20 };

struct bench {
    struct bench_gate gate;
    struct service *service;
    uint64_t rows;
};

/* --- certificates ----------------------------------------------------------------------------- */

static void serial_of(uint64_t no, uint8_t serial[KW_SERIAL_BYTES])
{
    uint8_t hash[KW_HASH_BYTES];

    digest_sha256(KW_SPAN(&no, sizeof(no)), hash);
    memcpy(serial, hash, KW_SERIAL_BYTES);
    serial[0] = (uint8_t)((serial[0] & 0x3f) | 0x40);
}

static void describe(uint64_t no, struct store_cert *ret)
{
    memset(ret, 0, offsetof(struct store_cert, der));
    serial_of(no, ret->serial);
    ret->serial_len = KW_SERIAL_BYTES;
    digest_sha256(KW_SPAN_ARRAY(ret->serial), ret->fingerprint);
    memcpy(ret->pubkey, ret->fingerprint, sizeof(ret->pubkey));
    KW_TEXT_SET(ret->ca, "devices");
    KW_TEXT_SET(ret->profile, "ldevid");
    (void)snprintf(ret->owner, sizeof(ret->owner), "device:D%llu", (unsigned long long)no / 4);
    ret->not_before = 1700000000;
    ret->not_after = 1900000000;
    ret->state = CERT_STATE_REVOKED;
    ret->revoked_s = 1750000000 + (int64_t)(no % 1000000);
    ret->reason = no % 2 ? REVOKE_KEY_COMPROMISE : REVOKE_SUPERSEDED;
    ret->issued_ms = 1700000000000;
    ret->der_len = 0;
}

struct range {
    uint64_t from, n;
};

static kw_status insert_range(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    const struct range *range = ctx;
    struct store_cert cert;

    for (uint64_t i = 0; i < range->n; i++) {
        describe(range->from + i, &cert);
        TRY(op, store_cert_insert(op, txn, &cert));
    }
    return KW_OK;
}

static void fill(struct bench *bench, uint64_t rows)
{
    for (; bench->rows < rows; bench->rows += FILL) {
        struct range range = {bench->rows, FILL};
        struct kw_op op;
        bench_op(&op);
        bench_need(&op, store_change(&op, bench->service->store, insert_range, &range), "rows");
    }
}

/* --- the table -------------------------------------------------------------------------------- */

enum { BATCH = 100 };

/* CPU of one look-up in hundreds: a clock's own cost is as large. Median and p99 of these. */
static void look_ups(struct bench *bench, struct bench_list *ns)
{
    struct status_table *table = status_keep_table(bench->service->status);
    uint64_t n = bench_setting("KW_BENCH_LOOKUPS", 200000) / BATCH;
    uint8_t serials[BATCH][KW_SERIAL_BYTES];
    uint64_t no = 1;

    for (uint64_t i = 0; i < n; i++) {
        for (unsigned k = 0; k < BATCH; k++) {
            no = no * UINT64_C(6364136223846793005) + 1442695040888963407U;
            serial_of((no >> 20) % bench->rows, serials[k]);
        }
        double began_us = bench_thread_cpu_us();
        for (unsigned k = 0; k < BATCH; k++) {
            struct status_standing now;
            if (!status_table_find(table, "devices", KW_SPAN_ARRAY(serials[k]), &now)) {
                bench_die("a certificate is not in memory");
            }
        }
        bench_add(ns, (bench_thread_cpu_us() - began_us) * 1000 / BATCH);
    }
}

static void measure_table(struct bench *bench, struct bench_list *ns)
{
    struct status_table_size size;
    struct kw_op op;
    double began_us = bench_wall_us();

    bench_op(&op);
    bench_need(
        &op,
        status_table_fill(&op, status_keep_table(bench->service->status), bench->service->store),
        "filling");
    double fill_ms = (bench_wall_us() - began_us) / 1000;
    status_table_measure(status_keep_table(bench->service->status), &size);
    printf("  with %llu certificates:\n", (unsigned long long)size.certs);
    bench_figure("filling the table", fill_ms, "ms");
    bench_figure("  a certificate", (double)size.cert_bytes / (double)size.certs, "octets");
    bench_figure("  an owner, with its name", (double)size.owner_bytes / (double)size.owners,
                 "octets");
    look_ups(bench, ns);
    bench_figure("look-up, CPU, median of hundreds", bench_median(ns), "ns");
    bench_figure("  p99 of hundreds", bench_quantile(ns, 0.99), "ns");
}

/* --- other work ------------------------------------------------------------------------------- */

enum phase { IDLE, BUSY, PHASES };

struct other {
    struct bench *bench;
    const char *what;
    void (*once)(struct other *other);
    atomic_bool *stop;
    struct bench_list us, at_us; /* how long, and when it began */
    pthread_t thread;
};

static kw_status count(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    uint64_t value = 0;

    return store_counter_next(op, txn, ctx, &value);
}

static void change_once(struct other *other)
{
    static char counter[] = "bench";
    struct kw_op op;

    bench_op(&op);
    bench_need(&op, store_change(&op, other->bench->service->store, count, counter), "change");
}

static const struct ca *devices(const struct authorities *all)
{
    const struct ca *ca = NULL;
    struct kw_op op;

    bench_op(&op);
    bench_need(&op, authorities_find(&op, all, "devices", &ca), "CA");
    return ca;
}

static void ocsp_once(struct other *other)
{
    AUTO(authorities) *all = service_authorities(other->bench->service);
    const struct cert *ca = devices(all)->cert;
    struct kw_span dn = cert_subject(ca);
    const unsigned char *p = dn.p;
    uint8_t serial[KW_SERIAL_BYTES];
    unsigned char *der = NULL;
    struct ocsp_reply reply;
    struct kw_op op;

    serial_of((uint64_t)bench_wall_us() % other->bench->rows, serial);
    X509_NAME *name = d2i_X509_NAME(NULL, &p, (long)dn.len);
    ASN1_INTEGER *number = ASN1_INTEGER_new();
    ASN1_BIT_STRING *bits = ASN1_BIT_STRING_new();
    OCSP_REQUEST *request = OCSP_REQUEST_new();
    (void)ASN1_STRING_set(number, serial, sizeof(serial));
    OCSP_CERTID *id = OCSP_cert_id_new(EVP_sha1(), name, bits, number);
    ASN1_OCTET_STRING *key_hash = NULL;
    (void)OCSP_id_get0_info(NULL, NULL, &key_hash, NULL, id);
    (void)ASN1_OCTET_STRING_set(key_hash, pubkey_sha1(cert_public(ca)), 20);
    (void)OCSP_request_add0_id(request, id);
    (void)OCSP_request_add1_nonce(request, NULL, NONCE); /* so that each is signed */
    int len = i2d_OCSP_REQUEST(request, &der);
    bench_op(&op);
    bench_need(&op, ocsp_respond(&op, other->bench->service, "devices", KW_SPAN(der, len), &reply),
               "OCSP");
    if (!reply.entry) {
        bench_die("OCSP gave an error");
    }
    ocsp_reply_release(&reply);
    OPENSSL_free(der);
    OCSP_REQUEST_free(request);
    X509_NAME_free(name);
    ASN1_INTEGER_free(number);
    ASN1_BIT_STRING_free(bits);
}

/* The floor of a pause: a page appended to a file of its own and made durable, on the same disk. */
static void disk_once(struct other *other)
{
    static const uint8_t page[4096];
    static int fd = -1;

    if (fd < 0) {
        char path[256];
        (void)snprintf(path, sizeof(path), "%s/floor", other->bench->gate.state);
        fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC | O_APPEND, 0600);
    }
    if (write(fd, page, sizeof(page)) != (ssize_t)sizeof(page) || fdatasync(fd) != 0) {
        bench_die("the disk's floor cannot be measured");
    }
}

static void *work_on(void *ctx)
{
    struct other *other = ctx;

    while (!atomic_load(other->stop)) {
        double began_us = bench_wall_us();
        other->once(other);
        bench_add(&other->us, bench_wall_us() - began_us);
        bench_add(&other->at_us, began_us);
        (void)usleep(PAUSE_US);
    }
    return NULL;
}

/* When a list was made and kept: until there was nothing of it to be done any more. */
struct span {
    double from_us, to_us;
};

static double over(const struct bench_list *us, double limit_us)
{
    double n = 0;

    for (size_t i = 0; i < us->n; i++) {
        n += us->at[i] > limit_us;
    }
    return n;
}

static void print_some(const struct other *other, struct bench_list *us, const char *when)
{
    printf("  %s, %s (%zu):\n", other->what, when, us->n);
    bench_figure("  median", bench_median(us) / 1000, "ms");
    bench_figure("  p99", bench_quantile(us, 0.99) / 1000, "ms");
    bench_figure("  worst", bench_quantile(us, 1.0) / 1000, "ms");
    bench_figure("  over 50 ms, of a million", over(us, 50000) / (double)us->n * 1e6, "");
    bench_list_done(us);
}

static void print_other(struct other *other, const struct span *busy)
{
    struct bench_list phases[PHASES] = {0};

    for (size_t i = 0; i < other->us.n; i++) {
        double at_us = other->at_us.at[i];
        bool meanwhile = at_us + other->us.at[i] > busy->from_us && at_us < busy->to_us;
        bench_add(&phases[meanwhile ? BUSY : IDLE], other->us.at[i]);
    }
    print_some(other, &phases[IDLE], "before and after");
    print_some(other, &phases[BUSY], "while a CRL is made and kept");
    bench_list_done(&other->us);
    bench_list_done(&other->at_us);
}

/* --- CRLs ------------------------------------------------------------------------------------- */

static uint64_t number_of(struct bench *bench, const char *stem, uint64_t *ret_octets,
                          uint64_t *ret_entries, int64_t *ret_making_ms)
{
    struct crl_doc *doc = NULL;
    struct kw_op op;

    bench_op(&op);
    if (!kw_ok(crl_lend(&op, bench->service, stem, &doc))) {
        return 0;
    }
    uint64_t number = doc->number;
    *ret_octets = doc->der->len;
    *ret_entries = doc->entries;
    *ret_making_ms = doc->making_ms;
    crl_doc_unref(doc);
    return number;
}

/* Until a list is newer; milliseconds since began_us. */
static double wait_newer(struct bench *bench, const char *stem, uint64_t than, double began_us)
{
    uint64_t octets = 0, entries = 0;
    int64_t making_ms = 0;

    while (number_of(bench, stem, &octets, &entries, &making_ms) <= than) {
        (void)usleep(POLL_US);
    }
    return (bench_wall_us() - began_us) / 1000;
}

/* Its head is written last. */
static double wait_kept(struct bench *bench, uint64_t number, double began_us)
{
    uint64_t version = 0;

    while (version != number) {
        struct kw_bytes *head = NULL;
        struct kw_op op;
        (void)usleep(POLL_US);
        bench_op(&op);
        bench_need(&op, store_blob_get(&op, bench->service->store, "crl:devices", &version, &head),
                   "the kept list");
        kw_bytes_free(head);
    }
    return (bench_wall_us() - began_us) / 1000;
}

static kw_status revoke_late(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    struct store_cert *cert = ctx;

    cert->state = CERT_STATE_VALID;
    cert->der_len = 1;
    TRY(op, store_cert_insert(op, txn, cert));
    return store_cert_set_state(op, txn, cert->row, CERT_STATE_REVOKED, os_clock_unix_s(),
                                REVOKE_KEY_COMPROMISE);
}

static void measure_crls(struct bench *bench, struct span *ret_busy)
{
    uint64_t octets = 0, entries = 0;
    int64_t making_ms = 0;
    struct store_cert late;
    struct kw_op op;

    uint64_t before = number_of(bench, "devices", &octets, &entries, &making_ms);
    bench_figure("CRL: entries", (double)entries, "");
    bench_figure("  size", (double)octets / 1e6, "MB");
    bench_figure("  the first one", (double)making_ms, "ms");
    double began_us = bench_wall_us();
    crl_maker_wake(bench->service, "devices");
    double whole_ms = wait_newer(bench, "devices", before, began_us);
    double published_us = bench_wall_us();
    uint64_t number = number_of(bench, "devices", &octets, &entries, &making_ms);
    double kept_ms = wait_kept(bench, number, published_us);
    bench_row("CRL, until it is published", 0, (double)making_ms * 1000, 0, "< 2 s");
    bench_figure("  until it is kept in the store", kept_ms, "ms");
    *ret_busy =
        (struct span){published_us - (double)making_ms * 1000, published_us + kept_ms * 1000};
    bench_figure("  since it was wanted (it rests twenty times as long)", whole_ms, "ms");
    uint64_t delta = number_of(bench, "devices.delta", &octets, &entries, &making_ms);
    describe(UINT64_C(1) << 40, &late);
    bench_op(&op);
    bench_need(&op, store_change(&op, bench->service->store, revoke_late, &late), "revocation");
    began_us = bench_wall_us();
    bench_figure("delta after a revocation, with gathering",
                 wait_newer(bench, "devices.delta", delta, began_us), "ms");
}

/* One more by hand, alone: what it costs. */
static void measure_cpu(struct bench *bench)
{
    AUTO(authorities) *all = service_authorities(bench->service);
    struct crl_order order = {.service = bench->service,
                              .all = all,
                              .ca = devices(all),
                              .id = {.ca = devices(all)->index}};
    pid_t keeper = gate_child_of(getpid());
    AUTO(crl_doc) *doc = NULL;
    struct kw_op op;

    bench_op(&op);
    double wall_us = bench_wall_us(), own_us = bench_thread_cpu_us();
    double keeper_us = bench_process_cpu_us(keeper);
    bench_need(&op, crl_make(&op, &order, &doc), "CRL");
    own_us = bench_thread_cpu_us() - own_us;
    keeper_us = bench_process_cpu_us(keeper) - keeper_us;
    wall_us = bench_wall_us() - wall_us;
    bench_row("CRL alone, CPU (of server and keeper)", 0, own_us + keeper_us, 0, "< 2 s");
    bench_figure("  of it the keeper", keeper_us / 1000, "ms");
    bench_figure("  wall", wall_us / 1000, "ms");
}

/* --- a start ---------------------------------------------------------------------------------- */

static void open_service(struct bench *bench)
{
    static char keeper[512];
    struct keeper_config config = {.program = keeper};
    struct kw_op op;

    gate_program("keywright-keeper", keeper, sizeof(keeper));
    bench_op(&op);
    bench_need(&op, service_open(&op, bench->gate.state, &config, &bench->service), "service");
}

static double start_service(struct bench *bench)
{
    struct kw_op op;
    double began_us = bench_wall_us();

    bench_op(&op);
    bench_need(&op, service_start(&op, bench->service), "start");
    return (bench_wall_us() - began_us) / 1000;
}

static double wait_filled(struct bench *bench, double began_us)
{
    struct status_table_size size = {0};

    while (!size.filled) {
        (void)usleep(POLL_US);
        status_table_measure(status_keep_table(bench->service->status), &size);
    }
    return (bench_wall_us() - began_us) / 1000;
}

static void measure_beside(struct bench *bench)
{
    struct span busy = {0};
    atomic_bool stop = false;
    struct other others[] = {
        {.bench = bench, .what = "a durable change", .once = change_once, .stop = &stop},
        {.bench = bench,
         .what = "a bare page, written and synced",
         .once = disk_once,
         .stop = &stop                                                                 },
        {.bench = bench, .what = "OCSP, signed now", .once = ocsp_once,   .stop = &stop},
    };

    bench_figure("first start, with the first CRLs", start_service(bench), "ms");
    (void)wait_filled(bench, bench_wall_us());
    (void)sleep(1);
    for (unsigned i = 0; i < KW_COUNT(others); i++) {
        if (pthread_create(&others[i].thread, NULL, work_on, &others[i]) != 0) {
            bench_die("no thread");
        }
    }
    (void)sleep(QUIET_S);
    measure_crls(bench, &busy);
    atomic_store(&stop, true);
    for (unsigned i = 0; i < KW_COUNT(others); i++) {
        (void)pthread_join(others[i].thread, NULL);
        print_other(&others[i], &busy);
    }
    measure_cpu(bench);
}

static void measure_restart(struct bench *bench)
{
    service_close(bench->service);
    double began_us = bench_wall_us();
    open_service(bench);
    double open_ms = (bench_wall_us() - began_us) / 1000;
    double start_ms = start_service(bench);
    bench_figure("restart: until it serves", open_ms + start_ms, "ms");
    bench_figure("  until standings are in memory", wait_filled(bench, began_us), "ms");
}

int main(void)
{
    struct bench bench = {0};
    struct bench_list small = {0}, large = {0};

    bench_title("va");
    gate_init(&bench.gate);
    open_service(&bench);
    fill(&bench, SMALL);
    measure_table(&bench, &small);
    fill(&bench, bench_setting("KW_BENCH_CERTS", 100000));
    measure_table(&bench, &large);
    double floor_ns = bench_median(&small), work_ns = bench_median(&large);
    bench_row("look-up of a standing, large / small", floor_ns / 1000, work_ns / 1000,
              work_ns / floor_ns, "none");
    bench_list_done(&small);
    bench_list_done(&large);
    measure_beside(&bench);
    measure_restart(&bench);
    service_close(bench.service);
    gate_end(&bench.gate);
    return EXIT_SUCCESS;
}
