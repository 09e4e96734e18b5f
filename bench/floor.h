/* What the work is measured against: the same cryptography by OpenSSL alone, in this process. */
#ifndef BENCH_FLOOR_H
#define BENCH_FLOOR_H

#include "gate.h"

struct floor {
    EVP_PKEY *key; /* P-256 */
    unsigned char message[512], sig[80];
    size_t sig_len;
    SSL_CTX *server, *client;
};

/* who: a device of the gate; the floor's server trusts the gate's CAs as the gate does. */
void floor_init(struct floor *floor, const struct bench_gate *gate,
                const struct gate_identity *who);
void floor_done(struct floor *floor);
/* CPU of one P-256 verification and one signature with SHA-256, the median of n. */
double floor_verify_sign(struct floor *floor, unsigned n);
double floor_sign(struct floor *floor, unsigned n);
/* CPU of the server's half of one mutual TLS 1.3 handshake over memory, the median of n. */
double floor_handshake(struct floor *floor, unsigned n);

#endif
