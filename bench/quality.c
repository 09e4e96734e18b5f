/*
 * The key-quality gate: looking at one RSA key against verifying its signature once, and the search
 * for shared factors over a batch. The moduli are random odd numbers (the work is the same); two
 * share a factor and must be found.
 *   KW_BENCH_MODULI=1000 (10000 for a large batch) KW_BENCH_BITS=3072
 */
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"
#include "crypto/batch_gcd.h"
#include "crypto/digest.h"
#include "crypto/privkey.h"
#include "crypto/rsa_quality.h"
#include "os/rng.h"

enum { OCTETS_MAX = 512, EXAMINED = 20 };

static void measure_one(void)
{
    static const uint8_t message[] = "message";
    struct kw_op op;
    enum rsa_flaw flaw = RSA_SOUND;
    uint8_t room[OCTETS_MAX];
    struct kw_out signature = KW_OUT_ARRAY(room);
    AUTO(privkey) *key = NULL;

    bench_op(&op);
    bench_need(&op, privkey_generate(&op, KEY_ALG_RSA_3072, &key), "RSA key");
    bench_need(&op, privkey_sign(&op, key, KW_SPAN_ARRAY(message), &signature), "signature");
    double began_us = bench_thread_cpu_us();
    for (unsigned i = 0; i < EXAMINED; i++) {
        bench_need(&op,
                   pubkey_verify(&op, privkey_public(key), KW_SPAN_ARRAY(message),
                                 kw_out_span(&signature)),
                   "verify");
    }
    double floor_us = (bench_thread_cpu_us() - began_us) / EXAMINED;
    began_us = bench_thread_cpu_us();
    for (unsigned i = 0; i < EXAMINED; i++) {
        bench_need(&op, rsa_examine_key(&op, privkey_public(key), &flaw), "examine");
    }
    double work_us = (bench_thread_cpu_us() - began_us) / EXAMINED;
    bench_row("look at an RSA-3072 key", floor_us, work_us, work_us / floor_us, "none");
}

static void measure_batch(unsigned n, unsigned bits)
{
    struct kw_op op;
    size_t len = bits / 8;
    uint8_t *octets = malloc(n * len);
    struct kw_span *moduli = calloc(n, sizeof(*moduli));
    bool *shared = calloc(n, sizeof(*shared));

    bench_op(&op);
    if (!octets || !moduli || !shared) {
        bench_die("no memory");
    }
    for (unsigned i = 0; i < n; i++) {
        uint8_t *one = octets + i * len;
        bench_need(&op, os_random(&op, one, len), "random");
        one[0] |= 0xc0;
        one[len - 1] |= 1;
        moduli[i] = KW_SPAN(one, len);
    }
    moduli[n - 1] = moduli[0];
    double began_us = bench_thread_cpu_us();
    bench_need(&op, batch_gcd(&op, moduli, n, NULL, NULL, shared), "batch GCD");
    double s = (bench_thread_cpu_us() - began_us) / 1e6;
    if (!shared[0] || !shared[n - 1]) {
        bench_die("the shared factor was not found");
    }
    (void)printf("%u moduli of %u bits: ", n, bits);
    bench_figure("shared factors sought in", s, "s CPU");
    free(octets);
    free(moduli);
    free(shared);
}

int main(void)
{
    bench_title("quality");
    measure_one();
    measure_batch((unsigned)bench_setting("KW_BENCH_MODULI", 1000),
                  (unsigned)bench_setting("KW_BENCH_BITS", 3072));
    return EXIT_SUCCESS;
}
