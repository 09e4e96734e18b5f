/* Clients of a gate: blocking connections, operators, devices. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/b64.h"
#include "crypto/cms.h"
#include "crypto/csr.h"
#include "gate.h"

enum { ANSWER_MAX = 32768, SECRET_MAX = 64, PKCS7_MAX = 16384 };

static void need(bool good, const char *what)
{
    char reason[256] = "";

    if (!good) {
        ERR_error_string_n(ERR_get_error(), reason, sizeof(reason));
        bench_die("%s: %s", what, reason);
    }
}

/* --- TLS -------------------------------------------------------------------------------------- */

X509 *gate_cert(const struct bench_gate *gate, const char *name)
{
    char path[256];
    X509 *cert = NULL;

    (void)snprintf(path, sizeof(path), "%s/certs/%s.pem", gate->state, name);
    BIO *file = BIO_new_file(path, "r");
    need(file && PEM_read_bio_X509(file, &cert, NULL, NULL), path);
    BIO_free(file);
    return cert;
}

SSL_CTX *gate_tls(const struct bench_gate *gate, const struct gate_identity *who)
{
    char root[256];
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

    (void)snprintf(root, sizeof(root), "%s/certs/root.pem", gate->state);
    need(ctx && SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) == 1 &&
             SSL_CTX_load_verify_locations(ctx, root, NULL) == 1,
         "TLS client");
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    if (who) {
        need(SSL_CTX_use_certificate(ctx, who->cert) == 1 &&
                 SSL_CTX_use_PrivateKey(ctx, privkey_evp(who->key)) == 1,
             "device's identity");
    }
    return ctx;
}

SSL_CTX *gate_tls_operator(const struct bench_gate *gate)
{
    char cert[256], key[256];
    SSL_CTX *ctx = gate_tls(gate, NULL);

    (void)snprintf(cert, sizeof(cert), "%s/admin/operator.pem", gate->state);
    (void)snprintf(key, sizeof(key), "%s/admin/operator.key", gate->state);
    need(SSL_CTX_use_certificate_chain_file(ctx, cert) == 1 &&
             SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) == 1,
         "operator's identity");
    return ctx;
}

void gate_connect(const struct bench_gate *gate, unsigned door, SSL_CTX *ctx,
                  struct gate_conn *conn)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons(gate->ports[door])};
    int on = 1;

    conn->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (conn->fd < 0 || connect(conn->fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0) {
        bench_die("connecting: %s", strerror(errno));
    }
    conn->ssl = SSL_new(ctx);
    need(conn->ssl && SSL_set_fd(conn->ssl, conn->fd) == 1 && SSL_connect(conn->ssl) == 1,
         "TLS handshake");
}

void gate_disconnect(struct gate_conn *conn)
{
    (void)SSL_shutdown(conn->ssl); /* only our half */
    SSL_free(conn->ssl);
    (void)close(conn->fd);
    *conn = (struct gate_conn){.fd = -1};
}

/* --- HTTP ------------------------------------------------------------------------------------- */

/* Where the answer in text ends; 0 where it is not whole. */
static size_t whole(const char *text, size_t n, const char **ret_body)
{
    const char *end = strstr(text, "\r\n\r\n");
    const char *length = strcasestr(text, "\r\nContent-Length:");

    if (!end || !length || length > end) {
        return 0;
    }
    size_t size = (size_t)(end + 4 - text) + strtoul(length + 17, NULL, 10);
    *ret_body = end + 4;
    return n >= size ? size : 0;
}

int gate_call(struct gate_conn *conn, struct kw_span request, char *body, size_t cap)
{
    char text[ANSWER_MAX] = "";
    const char *found = NULL;
    size_t n = 0;

    need(SSL_write(conn->ssl, request.p, (int)request.len) == (int)request.len, "sending");
    do {
        int got = SSL_read(conn->ssl, text + n, (int)(sizeof(text) - 1 - n));
        if (got <= 0) {
            bench_die("the server closed in the middle of '%.300s'", text);
        }
        n += (size_t)got;
        text[n] = 0;
    } while (!whole(text, n, &found));
    (void)snprintf(body, cap, "%s", found);
    return (int)strtol(text + 9, NULL, 10); /* after "HTTP/1.1 " */
}

char *gate_post_text(const char *path, const char *type, const char *headers, struct kw_span body)
{
    char *text = NULL;

    if (asprintf(
            &text,
            "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
            "%s\r\n%.*s",
            path, type, body.len, headers, (int)body.len, (const char *)body.p) < 0) {
        bench_die("no memory");
    }
    return text;
}

static void call_text(struct gate_conn *conn, char *text, int expected, char *body, size_t cap)
{
    int status = gate_call(conn, kw_span_text(text), body, cap);

    free(text);
    if (status != expected) {
        bench_die("HTTP status %d: %.200s", status, body);
    }
}

/* --- devices ---------------------------------------------------------------------------------- */

struct kw_bytes *gate_new_csr(struct privkey **ret_key)
{
    static const uint8_t no_name[] = {0x30, 0x00};
    struct kw_op op;
    AUTO(privkey) *key = NULL;
    AUTO(kw_bytes) *der = NULL;
    AUTO(kw_bytes) *text = NULL;

    bench_op(&op);
    bench_need(&op, privkey_generate(&op, KEY_ALG_EC_P256, &key), "device key");
    bench_need(&op, csr_build(&op, KW_SPAN_ARRAY(no_name), key, &der), "request");
    bench_need(&op, kw_bytes_new(2 * der->len, &text), "request");
    bench_need(&op, kw_b64_encode(kw_bytes_span(der), 0, text), "request");
    if (ret_key) {
        *ret_key = TAKE(key);
    }
    return TAKE(text);
}

static void json_text(const char *json, const char *name, char *value, size_t cap)
{
    char wanted[64];

    (void)snprintf(wanted, sizeof(wanted), "\"%s\"", name);
    const char *at = strstr(json, wanted);
    at = at ? strchr(at + strlen(wanted), '"') : NULL;
    const char *end = at ? strchr(at + 1, '"') : NULL;
    if (!end || (size_t)(end - at) > cap) {
        bench_die("the answer has no '%s'", name);
    }
    (void)snprintf(value, cap, "%.*s", (int)(end - at - 1), at + 1);
}

static void register_device(struct gate_conn *operators, const char *id, char *secret, size_t cap)
{
    char json[160], body[1024];

    (void)snprintf(json, sizeof(json), "{\"id\":\"%s\",\"product\":\"bench\"}", id);
    call_text(operators,
              gate_post_text("/api/v1/devices", "application/json", "", kw_span_text(json)), 201,
              body, sizeof(body));
    json_text(body, "secret", secret, cap);
}

/* The only certificate of an EST answer. */
static X509 *issued(const char *body)
{
    struct kw_op op;
    struct cert *certs[1] = {NULL};
    unsigned n = 0;
    AUTO(kw_bytes) *der = NULL;

    bench_op(&op);
    bench_need(&op, kw_b64_decode(kw_span_text(body), PKCS7_MAX, &der), "EST answer");
    bench_need(&op, cms_certs_parse(&op, kw_bytes_span(der), certs, 1, &n), "EST answer");
    const uint8_t *p = cert_der(certs[0]).p;
    X509 *cert = d2i_X509(NULL, &p, (long)cert_der(certs[0]).len);
    need(cert, "issued certificate");
    cert_unref(certs[0]);
    return cert;
}

/* The IDevID of a device that has this secret. */
static void enrol_first(const struct bench_gate *gate, const char *id, const char *secret,
                        struct gate_identity *ret)
{
    struct gate_conn conn = {0};
    char user[192], header[320], body[ANSWER_MAX];
    AUTO(kw_bytes) *basic = NULL;
    AUTO(kw_bytes) *csr = gate_new_csr(&ret->key);

    (void)snprintf(user, sizeof(user), "%s:%s", id, secret);
    bench_need(NULL, kw_bytes_new(256, &basic), "secret");
    bench_need(NULL, kw_b64_encode(kw_span_text(user), 0, basic), "secret");
    (void)snprintf(header, sizeof(header), "Authorization: Basic %.*s\r\n", (int)basic->len,
                   (const char *)basic->p);
    SSL_CTX *ctx = gate_tls(gate, NULL);
    gate_connect(gate, GATE_DEVICES, ctx, &conn);
    call_text(&conn,
              gate_post_text("/.well-known/est/idevid/simpleenroll", "application/pkcs10", header,
                             kw_bytes_span(csr)),
              200, body, sizeof(body));
    ret->cert = issued(body);
    gate_disconnect(&conn);
    SSL_CTX_free(ctx);
}

void gate_new_device(const struct bench_gate *gate, struct gate_conn *operators, const char *id,
                     struct gate_identity *ret)
{
    char secret[SECRET_MAX];

    register_device(operators, id, secret, sizeof(secret));
    enrol_first(gate, id, secret, ret);
}

void gate_known_device(const struct bench_gate *gate, struct gate_conn *operators, const char *id,
                       struct gate_identity *ret)
{
    char path[192], body[1024], secret[SECRET_MAX];

    (void)snprintf(path, sizeof(path), "/api/v1/devices/%.80s/secret", id);
    call_text(operators, gate_post_text(path, "application/json", "", kw_span_text("")), 200, body,
              sizeof(body));
    json_text(body, "secret", secret, sizeof(secret));
    enrol_first(gate, id, secret, ret);
}

void gate_identity_done(struct gate_identity *who)
{
    X509_free(who->cert);
    privkey_unref(who->key);
    *who = (struct gate_identity){0};
}
