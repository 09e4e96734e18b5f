/* A real keywrightd with its keeper on a state folder of its own, and clients of it. */
#ifndef BENCH_GATE_H
#define BENCH_GATE_H

#include <openssl/ssl.h>

#include "bench.h"
#include "crypto/privkey.h"

enum { GATE_DEVICES, GATE_OPERATORS, GATE_RELYING, GATE_DOORS };

struct bench_gate {
    char dir[128];   /* holds state/ and offline/ */
    char state[160]; /* --state */
    pid_t server, keeper;
    uint16_t ports[GATE_DOORS];
};

/* The path of a program of the build, or the end. */
void gate_program(const char *name, char *path, size_t cap);
/* A program by its path, with its words in the log of the gate's folder. Ends the program if it
 * cannot. */
pid_t gate_spawn(const struct bench_gate *gate, const char *const argv[]);
/* A state folder by `keywright init`, without a server. */
void gate_init(struct bench_gate *gate);
/* keywrightd on it; returns once it serves. */
void gate_start(struct bench_gate *gate);
/* End the server (where one runs) and remove everything. */
void gate_end(struct bench_gate *gate);
/* CPU time of server and keeper together. */
double gate_cpu_us(const struct bench_gate *gate);
/* Print user and system CPU of server and keeper since the start, from /proc/PID/stat. */
void gate_print_cpu(const struct bench_gate *gate);
/* Child processes of pid; the keeper of a server or of ourselves. Ends the program if none. */
pid_t gate_child_of(pid_t pid);

/* An identity for mutual TLS: DER certificate and key. */
struct gate_identity {
    X509 *cert;
    struct privkey *key;
};

/* One kept-alive connection, blocking, one thread at a time. Zero-initialise. */
struct gate_conn {
    SSL *ssl;
    int fd;
};
/* who may be NULL. */
void gate_connect(const struct bench_gate *gate, unsigned door, SSL_CTX *ctx,
                  struct gate_conn *conn);
void gate_disconnect(struct gate_conn *conn);
/* TLS 1.3, the gate's root, this identity (NULL: none). */
SSL_CTX *gate_tls(const struct bench_gate *gate, const struct gate_identity *who);
/* STATE/certs/NAME.pem; the caller's. */
X509 *gate_cert(const struct bench_gate *gate, const char *name);
/* The operator's. */
SSL_CTX *gate_tls_operator(const struct bench_gate *gate);

/* Send a whole request, read a whole answer into body (NUL-terminated, cut at cap). HTTP status. */
int gate_call(struct gate_conn *conn, struct kw_span request, char *body, size_t cap);
/* A whole POST as one text, to be freed. */
char *gate_post_text(const char *path, const char *type, const char *headers, struct kw_span body);

/* Register device `id` and enrol its IDevID with its secret. */
void gate_new_device(const struct bench_gate *gate, struct gate_conn *operators, const char *id,
                     struct gate_identity *ret);
/* The same of a device that is registered: with a new secret. */
void gate_known_device(const struct bench_gate *gate, struct gate_conn *operators, const char *id,
                       struct gate_identity *ret);
void gate_identity_done(struct gate_identity *who);
/* base64 of a request for a fresh P-256 key; the key too where ret_key is not NULL. */
struct kw_bytes *gate_new_csr(struct privkey **ret_key);

#endif
