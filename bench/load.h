/* Load for a plain HTTP server: many kept-alive connections, each with one request in flight. */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include "bench.h"

enum { LOAD_REQUEST_MAX = 4096 };

struct load {
    uint16_t port; /* of 127.0.0.1 */
    unsigned n_conns;
    unsigned ms;              /* how long */
    const char *content_type; /* that each answer must have, beside status 200 */
    size_t (*next)(void *ctx, char request[LOAD_REQUEST_MAX]); /* the next request; its length */
    void *ctx;
};

struct load_result {
    uint64_t answers;
    double wall_us;
    size_t body_len; /* of the last answer */
};

/* Runs on the calling thread. Ends the program where an answer is not as it must be. */
void load_run(const struct load *load, struct load_result *ret);

#endif
