#include "floor.h"

enum { ROUNDS_MAX = 20 };

static void need(bool good, const char *what)
{
    if (!good) {
        bench_die("floor: %s", what);
    }
}

/* --- signatures ------------------------------------------------------------------------------- */

static void sign(struct floor *floor)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();

    floor->sig_len = sizeof(floor->sig);
    need(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, floor->key) == 1 &&
             EVP_DigestSign(ctx, floor->sig, &floor->sig_len, floor->message,
                            sizeof(floor->message)) == 1,
         "sign");
    EVP_MD_CTX_free(ctx);
}

static void verify(struct floor *floor)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();

    need(EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, floor->key) == 1 &&
             EVP_DigestVerify(ctx, floor->sig, floor->sig_len, floor->message,
                              sizeof(floor->message)) == 1,
         "verify");
    EVP_MD_CTX_free(ctx);
}

static double measure(struct floor *floor, unsigned n, bool with_verify)
{
    struct bench_list times = {0};

    for (unsigned i = 0; i < n; i++) {
        double began_us = bench_thread_cpu_us();
        sign(floor);
        if (with_verify) {
            verify(floor);
        }
        bench_add(&times, bench_thread_cpu_us() - began_us);
    }
    double median_us = bench_median(&times);
    bench_list_done(&times);
    return median_us;
}

double floor_verify_sign(struct floor *floor, unsigned n)
{
    return measure(floor, n, /* with_verify= */ true);
}

double floor_sign(struct floor *floor, unsigned n)
{
    return measure(floor, n, /* with_verify= */ false);
}

/* --- handshakes ------------------------------------------------------------------------------- */

/* A chain of two, as the gate's: a server certificate by a CA, both P-256. */
static X509 *new_cert(const char *name, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key)
{
    X509 *cert = X509_new();
    X509_NAME *subject = X509_get_subject_name(cert);

    need(X509_set_version(cert, 2) == 1 && ASN1_INTEGER_set(X509_get_serialNumber(cert), 7) == 1 &&
             X509_gmtime_adj(X509_getm_notBefore(cert), 0) &&
             X509_gmtime_adj(X509_getm_notAfter(cert), 86400) &&
             X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)name,
                                        -1, -1, 0) == 1 &&
             X509_set_issuer_name(cert, issuer ? X509_get_subject_name(issuer) : subject) == 1 &&
             X509_set_pubkey(cert, key) == 1 && X509_sign(cert, issuer_key, EVP_sha256()) > 0,
         "certificate");
    return cert;
}

static void give_chain(struct floor *floor)
{
    EVP_PKEY *ca_key = EVP_EC_gen("P-256");
    X509 *ca = new_cert("bench CA", ca_key, NULL, ca_key);
    X509 *leaf = new_cert("bench", floor->key, ca, ca_key);

    need(SSL_CTX_use_certificate(floor->server, leaf) == 1 &&
             SSL_CTX_add_extra_chain_cert(floor->server, ca) == 1 && /* takes it */
             SSL_CTX_use_PrivateKey(floor->server, floor->key) == 1,
         "server's chain");
    X509_free(leaf);
    EVP_PKEY_free(ca_key);
}

/* Clients send their leaf only, as to the gate: the issuing CA is known, the root is trusted. */
static void trust(struct floor *floor, const struct bench_gate *gate)
{
    X509_STORE *store = X509_STORE_new();
    X509 *root = gate_cert(gate, "root"), *ca = gate_cert(gate, "ca-devices");

    need(store && X509_STORE_add_cert(store, root) == 1 && X509_STORE_add_cert(store, ca) == 1,
         "trust");
    SSL_CTX_set_cert_store(floor->server, store);
    need(SSL_CTX_add_client_CA(floor->server, root) == 1 &&
             SSL_CTX_add_client_CA(floor->server, ca) == 1,
         "client CAs");
    X509_free(root);
    X509_free(ca);
    SSL_CTX_set_verify(floor->server, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
}

void floor_init(struct floor *floor, const struct bench_gate *gate, const struct gate_identity *who)
{
    memset(floor, 0, sizeof(*floor));
    floor->key = EVP_EC_gen("P-256");
    floor->server = SSL_CTX_new(TLS_server_method());
    need(floor->key && floor->server &&
             SSL_CTX_set_min_proto_version(floor->server, TLS1_3_VERSION) == 1 &&
             SSL_CTX_set_num_tickets(floor->server, 0) == 1,
         "TLS server");
    give_chain(floor);
    trust(floor, gate);
    floor->client = gate_tls(gate, who);
    SSL_CTX_set_verify(floor->client, SSL_VERIFY_NONE, NULL); /* only the server is measured */
}

void floor_done(struct floor *floor)
{
    SSL_CTX_free(floor->server);
    SSL_CTX_free(floor->client);
    EVP_PKEY_free(floor->key);
}

static bool step(SSL *ssl, const char *who)
{
    int done = SSL_do_handshake(ssl);

    need(done == 1 || SSL_get_error(ssl, done) == SSL_ERROR_WANT_READ, who);
    return done == 1;
}

/* Two ends joined by memory; each reads what the other wrote. */
static void join(SSL *a, SSL *b)
{
    BIO *to_b = NULL, *to_a = NULL;

    need(a && b && BIO_new_bio_pair(&to_b, 65536, &to_a, 65536) == 1, "joining the ends");
    SSL_set_bio(a, to_b, to_b);
    SSL_set_bio(b, to_a, to_a);
    SSL_set_connect_state(a);
    SSL_set_accept_state(b);
}

static double handshake_once(struct floor *floor)
{
    SSL *client = SSL_new(floor->client);
    double began_us = bench_thread_cpu_us();
    SSL *server = SSL_new(floor->server);
    double used_us = bench_thread_cpu_us() - began_us;
    bool done = false;

    join(client, server);
    for (unsigned i = 0; i < ROUNDS_MAX && !done; i++) {
        (void)step(client, "client's handshake");
        began_us = bench_thread_cpu_us();
        done = step(server, "server's handshake");
        used_us += bench_thread_cpu_us() - began_us;
    }
    need(done && SSL_get_verify_result(server) == X509_V_OK, "handshake");
    SSL_free(client);
    began_us = bench_thread_cpu_us();
    SSL_free(server);
    return used_us + bench_thread_cpu_us() - began_us;
}

double floor_handshake(struct floor *floor, unsigned n)
{
    struct bench_list times = {0};

    for (unsigned i = 0; i < n; i++) {
        bench_add(&times, handshake_once(floor));
    }
    double median_us = bench_median(&times);
    bench_list_done(&times);
    return median_us;
}
