/*
 * A long revocation list: building it, signing it in the keeper, and how long others wait for the
 * keeper meanwhile. One process signs TLS handshakes one at a time, another thread has lists
 * signed. KW_BENCH_CRL=1000000 (entries) KW_BENCH_ROUNDS=5
 */
#include <endian.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "crypto/crl.h"
#include "gate.h"
#include "os/clock.h"
#include "service/authorities.h"
#include "service/service.h"

enum { CONTENT = 64 + 34 + 32 };

struct bench {
    struct bench_gate gate;
    struct service *service;
    pid_t keeper;
    struct privkey *tls, *soft;
    uint64_t entries, rounds, number;
    atomic_bool lists_done;
    struct bench_list sign_us; /* of lists, others beside */
};

struct source {
    uint64_t n, next;
};

static kw_status next_entry(struct kw_op *op, void *ctx, struct crl_entry *ret, bool *ret_more)
{
    static uint8_t serial[KW_SERIAL_BYTES];
    struct source *source = ctx;
    uint64_t mark = htobe64(source->next);

    (void)op;
    *ret_more = source->next < source->n;
    memset(serial, 0x31, sizeof(serial));
    memcpy(serial + 8, &mark, sizeof(mark));
    *ret = (struct crl_entry){KW_SPAN_ARRAY(serial),
                              1700000000 + (int64_t)(source->next * 977 % 60000000), 1};
    source->next++;
    return KW_OK;
}

/* Wall time of a list, by the CA's key or one in this process. */
static double build(struct bench *bench, bool remote, size_t *ret_len)
{
    const struct ca *ca = &bench->service->authorities->at[0];
    struct source source = {.n = bench->entries};
    struct kw_bytes *der = NULL;
    struct kw_op op;

    kw_op_init(&op, "bench", os_clock_mono_ms() + 60000);
    struct crl_spec spec = {
        .issuer_dn = cert_subject(ca->cert),
        .issuer_key = remote ? cert_public(ca->cert) : privkey_public(bench->soft),
        .number = ++bench->number,
        .this_update = os_clock_unix_s(),
        .next_update = os_clock_unix_s() + 86400,
        .next = next_entry,
        .ctx = &source,
    };
    double began_us = bench_wall_us();
    bench_need(&op, crl_build(&op, &spec, remote ? ca->crl_key : bench->soft, &der), "list");
    double took_us = bench_wall_us() - began_us;
    *ret_len = der->len;
    kw_bytes_free(der);
    return took_us;
}

static void *make_lists(void *arg)
{
    struct bench *bench = arg;
    size_t len = 0;

    for (uint64_t i = 0; i < bench->rounds; i++) {
        bench_add(&bench->sign_us, build(bench, /* remote= */ true, &len));
    }
    atomic_store(&bench->lists_done, true);
    return NULL;
}

static double sign_tls(struct bench *bench, const uint8_t content[CONTENT])
{
    uint8_t room[KW_SIG_MAX];
    struct kw_out sig = KW_OUT_ARRAY(room);
    struct kw_op op;

    bench_op(&op);
    double began_us = bench_wall_us();
    bench_need(&op, privkey_sign(&op, bench->tls, KW_SPAN(content, CONTENT), &sig), "signing");
    return bench_wall_us() - began_us;
}

/* How long a handshake waits: alone, and while lists are signed. */
static void waits(struct bench *bench)
{
    struct bench_list alone_us = {0}, beside_us = {0};
    uint8_t content[CONTENT];
    pthread_t lists;

    memset(content, ' ', 64);
    memcpy(content + 64, "TLS 1.3, server CertificateVerify", 34);
    memset(content + 98, 7, 32);
    for (unsigned i = 0; i < 2000; i++) {
        bench_add(&alone_us, sign_tls(bench, content));
    }
    if (pthread_create(&lists, NULL, make_lists, bench) != 0) {
        bench_die("no thread");
    }
    while (!atomic_load(&bench->lists_done)) {
        bench_add(&beside_us, sign_tls(bench, content));
    }
    (void)pthread_join(lists, NULL);
    bench_figure("list signed by the keeper, others beside, p50",
                 bench_median(&bench->sign_us) / 1e3, "ms");
    bench_figure("a handshake alone, p50", bench_median(&alone_us) / 1e3, "ms");
    bench_figure("a handshake alone, longest", bench_quantile(&alone_us, 1.0) / 1e3, "ms");
    bench_figure("a handshake beside lists, p50", bench_median(&beside_us) / 1e3, "ms");
    bench_figure("a handshake beside lists, p99", bench_quantile(&beside_us, 0.99) / 1e3, "ms");
    bench_figure("a handshake beside lists, longest", bench_quantile(&beside_us, 1.0) / 1e3, "ms");
    bench_list_done(&alone_us);
    bench_list_done(&beside_us);
}

static void lists(struct bench *bench)
{
    struct bench_list soft_us = {0}, remote_us = {0}, keeper_us = {0};
    size_t len = 0;

    for (uint64_t i = 0; i < bench->rounds; i++) {
        bench_add(&soft_us, build(bench, /* remote= */ false, &len));
        double cpu_us = bench_process_cpu_us(bench->keeper);
        bench_add(&remote_us, build(bench, /* remote= */ true, &len));
        bench_add(&keeper_us, bench_process_cpu_us(bench->keeper) - cpu_us);
    }
    bench_figure("entries", (double)bench->entries, "");
    bench_figure("octets", (double)len, "");
    bench_figure("list built and signed in process, p50", bench_median(&soft_us) / 1e3, "ms");
    bench_figure("list built, signed by the keeper, p50", bench_median(&remote_us) / 1e3, "ms");
    bench_figure("  the keeper's CPU of it, p50", bench_median(&keeper_us) / 1e3, "ms");
    bench_list_done(&soft_us);
    bench_list_done(&remote_us);
    bench_list_done(&keeper_us);
}

static void open_all(struct bench *bench)
{
    char path[512];
    struct kw_op op;

    gate_program("keywright-keeper", path, sizeof(path));
    struct keeper_config config = {.program = path};
    bench_op(&op);
    bench_need(&op, service_open(&op, bench->gate.state, &config, &bench->service), "service");
    bench->keeper = gate_child_of(getpid());
    bench_need(&op,
               keeper_privkey(&op, bench->service->keeper, "tls-server", KEEPER_SIGN_TLS, NULL,
                              &bench->tls),
               "keeper's key");
    bench_need(&op, privkey_generate(&op, KEY_ALG_EC_P256, &bench->soft), "key");
}

int main(void)
{
    struct bench bench = {.entries = bench_setting("KW_BENCH_CRL", 1000000),
                          .rounds = bench_setting("KW_BENCH_ROUNDS", 5),
                          .number = 1000000};

    bench_title("crl");
    gate_init(&bench.gate);
    open_all(&bench);
    lists(&bench);
    waits(&bench);
    privkey_unref(bench.tls);
    privkey_unref(bench.soft);
    bench_list_done(&bench.sign_us);
    service_close(bench.service);
    gate_end(&bench.gate);
    return EXIT_SUCCESS;
}
