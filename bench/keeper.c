/*
 * A signature by the keeper against the same by OpenSSL in this process: CPU (both processes) and
 * latency, one at a time and from 8 threads. TLS handshakes are the plainest purpose; OCSP answers
 * show what checking costs as well. Keys for data against the same computation in process.
 *   KW_BENCH_SIGNS=2000 (a measurement) KW_BENCH_ROUNDS=5 KW_BENCH_DATA=1 (0: no keys for data)
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "crypto/aead.h"
#include "crypto/digest.h"
#include "crypto/kdf.h"
#include "crypto/ocsp.h"
#include "crypto/wrap.h"
#include "gate.h"
#include "keeper/data.h"
#include "os/clock.h"
#include "os/files.h"
#include "os/rng.h"
#include "service/authorities.h"
#include "service/service.h"

enum { THREADS = 8, CONTENT = 64 + 34 + 32 };

struct bench {
    struct bench_gate gate;
    struct service *service;
    pid_t keeper;
    struct privkey *remote, *soft; /* P-256 */
    struct keeper *data;           /* with the keys kek, mac and kdf */
    struct kw_secret *secret;      /* in process: in their place */
    uint64_t signs, rounds;
    uint8_t content[CONTENT]; /* RFC 8446 section 4.4.3 */
};

typedef void (*work_fn)(struct bench *bench, bool remote);

static void sign_tls(struct bench *bench, bool remote)
{
    uint8_t room[KW_SIG_MAX];
    struct kw_out sig = KW_OUT_ARRAY(room);
    struct kw_op op;

    bench_op(&op);
    bench_need(&op,
               privkey_sign(&op, remote ? bench->remote : bench->soft,
                            KW_SPAN_ARRAY(bench->content), &sig),
               "signing");
}

/* The keeper answers for its own certificate only, so the floor is the signature alone. */
static void answer_ocsp(struct bench *bench, bool remote)
{
    const struct ca *ca = &bench->service->authorities->at[0];
    int64_t now_s = os_clock_unix_s();
    struct ocsp_single single = {.this_update = now_s, .next_update = now_s + 3600};
    struct kw_op op;
    AUTO(kw_bytes) *der = NULL;

    if (!remote) {
        sign_tls(bench, remote);
        return;
    }
    bench_op(&op);
    ocsp_certid_for(cert_subject(ca->cert), cert_public(ca->cert), kw_span_text("12345678"),
                    /* sha256= */ false, &single.id);
    bench_need(&op,
               ocsp_answer_build(&op, &single, 1, KW_SPAN(NULL, 0), now_s, ca->ocsp_cert,
                                 ca->ocsp_key, &der),
               "OCSP answer");
}

static const struct kw_span context = {(const uint8_t *)"device DEV1", 11};

static void data_key(struct bench *bench, bool remote)
{
    AUTO(kw_secret) *plain = NULL;
    AUTO(kw_secret) *wrapping_key = NULL;
    uint8_t room[WRAPPED_MAX];
    struct kw_out wrapped = KW_OUT_ARRAY(room);
    struct kw_op op;

    bench_op(&op);
    if (remote) {
        bench_need(&op, keeper_data_key(&op, bench->data, "kek", context, &plain, &wrapped),
                   "data key");
        return;
    }
    bench_need(&op, kw_secret_new(32, &plain), "data key");
    bench_need(&op, os_random(&op, kw_secret_data(plain), 32), "data key");
    bench_need(&op,
               kdf_hkdf_sha256(&op, bench->secret, KW_SPAN(NULL, 0), context, 32, &wrapping_key),
               "data key");
    bench_need(&op, wrap_kwp(&op, wrapping_key, kw_secret_span(plain), &wrapped), "data key");
}

static void derive(struct bench *bench, bool remote)
{
    AUTO(kw_secret) *key = NULL;
    struct kw_op op;

    bench_op(&op);
    kw_status status = remote ? keeper_data_derive(&op, bench->data, "kdf", "session/1", context,
                                                   context, 32, &key)
                              : kdf_hkdf_sha256(&op, bench->secret, context, context, 32, &key);
    bench_need(&op, status, "derived key");
}

static void authenticate(struct bench *bench, bool remote)
{
    uint8_t mac[KW_HASH_BYTES];
    struct kw_span message = KW_SPAN_ARRAY(bench->content);
    struct kw_op op;

    bench_op(&op);
    kw_status status = remote ? keeper_data_mac(&op, bench->data, "mac", message, mac)
                              : digest_hmac_sha256(&op, bench->secret, message, mac);
    bench_need(&op, status, "authentication code");
}

static void seal(struct bench *bench, bool remote)
{
    AUTO(kw_bytes) *soft = NULL;
    uint8_t room[SEALED_MAX];
    struct kw_out sealed = KW_OUT_ARRAY(room);
    struct kw_span data = KW_SPAN_ARRAY(bench->content);
    struct kw_op op;

    bench_op(&op);
    kw_status status = remote ? keeper_data_seal(&op, bench->data, "kek", context, data, &sealed)
                              : aead_seal(&op, bench->secret, context, data, &soft);
    bench_need(&op, status, "sealed data");
}

struct worker {
    struct bench *bench;
    work_fn work;
    uint64_t n;
    bool remote;
    struct bench_list latency_us;
    pthread_t thread;
};

static void *run_worker(void *arg)
{
    struct worker *worker = arg;

    for (uint64_t i = 0; i < worker->n; i++) {
        double began_us = bench_wall_us();
        worker->work(worker->bench, worker->remote);
        bench_add(&worker->latency_us, bench_wall_us() - began_us);
    }
    return NULL;
}

static double cpu_us(const struct bench *bench)
{
    return bench_self_cpu_us() + bench_process_cpu_us(bench->keeper);
}

/* CPU a signature. */
static double measure(struct bench *bench, work_fn work, bool remote, unsigned n_threads,
                      struct bench_list *latency_us)
{
    struct worker workers[THREADS] = {0};
    double began_us = cpu_us(bench);

    for (unsigned i = 0; i < n_threads; i++) {
        workers[i] = (struct worker){
            .bench = bench, .work = work, .n = bench->signs / n_threads, .remote = remote};
        if (pthread_create(&workers[i].thread, NULL, run_worker, &workers[i]) != 0) {
            bench_die("no thread");
        }
    }
    for (unsigned i = 0; i < n_threads; i++) {
        (void)pthread_join(workers[i].thread, NULL);
        bench_merge(latency_us, &workers[i].latency_us);
    }
    return (cpu_us(bench) - began_us) / (double)(bench->signs / n_threads * n_threads);
}

static void row(struct bench *bench, const char *what, work_fn work, unsigned n_threads)
{
    struct bench_list floor = {0}, cpu = {0}, ratio = {0}, soft_us = {0}, latency_us = {0};

    for (uint64_t i = 0; i < bench->rounds; i++) {
        double soft = measure(bench, work, /* remote= */ false, n_threads, &soft_us);
        double remote = measure(bench, work, /* remote= */ true, n_threads, &latency_us);
        bench_add(&floor, soft);
        bench_add(&cpu, remote);
        bench_add(&ratio, remote / soft);
    }
    bench_row(what, bench_median(&floor), bench_median(&cpu), bench_median(&ratio), "none");
    bench_figure("  latency in process, p50", bench_median(&soft_us), "us");
    bench_figure("  latency by the keeper, p50", bench_median(&latency_us), "us");
    bench_figure("  latency by the keeper, p99", bench_quantile(&latency_us, 0.99), "us");
    bench_list_done(&floor);
    bench_list_done(&cpu);
    bench_list_done(&ratio);
    bench_list_done(&soft_us);
    bench_list_done(&latency_us);
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
                              &bench->remote),
               "keeper's key");
    bench_need(&op, privkey_generate(&op, KEY_ALG_EC_P256, &bench->soft), "key");
    memset(bench->content, ' ', 64);
    memcpy(bench->content + 64, "TLS 1.3, server CertificateVerify", 34);
    memset(bench->content + 98, 7, 32); /* a transcript's hash */
}

static void make_secret(struct bench *bench, enum key_class class_, const char *key_id)
{
    static struct key_policy policy;
    struct pubkey *none = NULL;
    int64_t now_s = os_clock_unix_s();
    struct kw_op op;

    bench_op(&op);
    policy = (struct key_policy){.class_ = class_,
                                 .alg = KEY_ALG_SECRET_256,
                                 .not_before = now_s - 60,
                                 .not_after = now_s + 86400};
    if (!KW_TEXT_SET(policy.key_id, key_id) || !KW_TEXT_SET(policy.scopes[0], "session/")) {
        bench_die("policy");
    }
    policy.n_scopes = class_ == KEY_CLASS_KDF ? 1 : 0;
    bench_need(&op, keeper_key_create(&op, bench->data, &policy, &none), key_id);
}

/* A vault of its own, in a ceremony that goes on. */
static void data_rows(struct bench *bench)
{
    char program[512];
    char dir[128];
    char vault[160];
    char unlock[192];
    struct kw_op op;

    bench_op(&op);
    bench_dir_make(dir, sizeof(dir));
    gate_program("keywright-keeper", program, sizeof(program));
    (void)snprintf(vault, sizeof(vault), "%s/passphrase", dir);
    (void)snprintf(unlock, sizeof(unlock), "passphrase-file:%s", vault);
    bench_need(&op, os_file_write(&op, vault, 0600, kw_span_text("a passphrase for benchmarks\n")),
               "passphrase");
    (void)snprintf(vault, sizeof(vault), "%s/vault", dir);
    struct keeper_config config = {
        .program = program, .vault = vault, .unlock = unlock, .create = true, .ceremony = true};
    bench_need(&op, keeper_start(&op, &config, &bench->data), "keeper");
    bench->keeper = gate_child_of(getpid());
    make_secret(bench, KEY_CLASS_KEK, "kek");
    make_secret(bench, KEY_CLASS_MAC, "mac");
    make_secret(bench, KEY_CLASS_KDF, "kdf");
    bench_need(&op, kw_secret_new(32, &bench->secret), "secret");
    row(bench, "data key, 1 thread", data_key, 1);
    row(bench, "derived key, 1 thread", derive, 1);
    row(bench, "authentication code, 1 thread", authenticate, 1);
    row(bench, "sealed data, 1 thread", seal, 1);
    keeper_stop(bench->data);
    kw_secret_free(bench->secret);
    bench_dir_remove(dir);
}

int main(void)
{
    struct bench bench = {.signs = bench_setting("KW_BENCH_SIGNS", 2000),
                          .rounds = bench_setting("KW_BENCH_ROUNDS", 5)};

    bench_title("keeper");
    gate_init(&bench.gate);
    if (bench_setting("KW_BENCH_DATA", 1)) {
        data_rows(&bench);
    }
    open_all(&bench);
    row(&bench, "TLS signature, 1 thread", sign_tls, 1);
    row(&bench, "TLS signature, 8 threads", sign_tls, THREADS);
    row(&bench, "OCSP answer, 1 thread", answer_ocsp, 1);
    row(&bench, "OCSP answer, 8 threads", answer_ocsp, THREADS);
    privkey_unref(bench.remote);
    privkey_unref(bench.soft);
    service_close(bench.service);
    gate_end(&bench.gate);
    return EXIT_SUCCESS;
}
