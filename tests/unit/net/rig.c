#include "rig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "base/b64.h"
#include "crypto/dn.h"
#include "rig_internal.h"

void rig_must(struct kw_op *op, kw_status status)
{
    char text[512];

    if (!kw_ok(status)) {
        (void)fprintf(stderr, "rig: %s\n", kw_op_message(op, text, sizeof(text)));
        abort();
    }
}

/* Hooks. */

static kw_status judge(struct kw_op *op, void *ctx, const struct cert *client)
{
    struct rig *rig = ctx;
    enum kw_code code = (enum kw_code)atomic_load(&rig->judge_code);

    ENSURE(op, client && cert_der(client).len > 0, KW_E_INTERNAL, "no certificate to judge");
    ENSURE(op, code == KW_CODE_OK, code, "the judge says no");
    return KW_OK;
}

static kw_status by_basic(const char *header, struct http_principal *ret)
{
    AUTO(kw_bytes) *text = NULL;

    if (strncmp(header, "Basic ", 6) != 0 ||
        !kw_ok(kw_b64_decode(kw_span_text(header + 6), 64, &text))) {
        return KW_FAIL(KW_E_AUTH);
    }
    ret->kind = AUTH_SECRET;
    (void)snprintf(ret->id, sizeof(ret->id), "%.*s", (int)text->len, (const char *)text->p);
    (void)KW_TEXT_SET(ret->secret, "s3cret");
    return KW_OK;
}

static kw_status authenticate(struct kw_op *op, void *ctx, const struct http_request *request,
                              unsigned allowed, struct http_principal *ret)
{
    struct rig *rig = ctx;
    enum kw_code code = (enum kw_code)atomic_load(&rig->authenticate_code);
    const char *authorization = request->header(request, "Authorization");

    *ret = (struct http_principal){.kind = AUTH_NONE};
    if (request->peer_cert) {
        ENSURE(op, code == KW_CODE_OK, code, "the certificate was revoked");
        ret->kind = AUTH_DEVICE;
        TRY(op, dn_get(op, cert_subject(request->peer_cert), "CN", ret->id, sizeof(ret->id)));
    } else if (authorization && (allowed & AUTH_SECRET)) {
        TRY(op, by_basic(authorization, ret));
    }
    ENSURE(op, (ret->kind & allowed) || (allowed & AUTH_NONE), KW_E_AUTH, "who are you?");
    return KW_OK;
}

static void observe(void *ctx, const struct route *route, const struct http_request *request,
                    const struct kw_op *op, int status, int64_t micros)
{
    struct rig *rig = ctx;

    if (!request->path || !request->peer || micros < 0 || strlen(op->request_id) != 32) {
        abort();
    }
    atomic_fetch_add(&rig->n_observed, 1);
    atomic_fetch_add(&rig->n_without_route, route ? 0 : 1);
    atomic_store(&rig->last_status, status);
    atomic_store(&rig->last_code, (int)op->code);
}

static void observe_handshake(void *ctx, enum tls_end end, const char *peer, const struct kw_op *op)
{
    struct rig *rig = ctx;
    char text[400];

    if (end == TLS_END_GONE) {
        abort();
    }
    (void)snprintf(rig->refused, sizeof(rig->refused), "%s %s", peer,
                   kw_op_message(op, text, sizeof(text)));
    atomic_fetch_add(&rig->n_refused, 1);
}

/* Server. */

struct tls_server_config rig_tls_config(struct rig *rig, enum who who)
{
    static struct cert *chains[WHO_MAX][2];
    static struct cert *roots[1];
    static struct cert *between[1];
    const struct pki *p = rig_pki();

    roots[0] = p->root;
    between[0] = p->ca;
    chains[who][0] = p->leaf[who];
    chains[who][1] = p->ca;
    return (struct tls_server_config){
        .chain = chains[who],
        .n_chain = 2,
        .key = p->key[who],
        .client_roots = roots,
        .n_client_roots = 1,
        .client_intermediates = between,
        .judge = judge,
        .judge_ctx = rig,
    };
}

static void make_tls(struct rig *rig, const struct rig_options *options)
{
    enum who who = options->identity ? *options->identity : WHO_SERVER;
    struct tls_server_config config = rig_tls_config(rig, who);
    struct kw_op op;

    kw_op_init(&op, "rig", 0);
    config.key = options->key ? options->key : config.key;
    config.n_client_intermediates = options->leaf_only ? 1 : 0;
    config.client_required = options->client_required;
    rig_must(&op, tls_server_new(&op, &config, &rig->tls));
}

struct rig *rig_start(const struct rig_options *options)
{
    static const struct rig_options defaults;
    struct rig *rig = calloc(1, sizeof(*rig));
    struct kw_op op;

    options = options ? options : &defaults;
    kw_op_init(&op, "rig", 0);
    make_tls(rig, options);
    rig_must(&op, http_server_new(&op, &options->server, &rig->server));
    struct http_listener listener = {
        .name = "plain",
        .address = "127.0.0.1",
        .tables = rig_tables,
        .n_rows = rig_n_rows,
        .authenticate = authenticate,
        .observe = observe,
        .observe_handshake = observe_handshake,
        .ctx = rig,
        .connections_max = options->connections_max ? options->connections_max : 2000,
    };
    rig_must(&op, http_server_listen(&op, rig->server, &listener, &rig->plain_port));
    listener.name = "tls";
    listener.tls = rig->tls;
    rig_must(&op, http_server_listen(&op, rig->server, &listener, &rig->tls_port));
    rig_must(&op, http_server_start(&op, rig->server));
    return rig;
}

void rig_stop(struct rig *rig)
{
    http_server_free(rig->server);
    tls_server_unref(rig->tls);
    free(rig);
}

/* Clients. */

struct http_client_config rig_client_config(const struct rig *rig, bool tls, enum who who,
                                            char url[64])
{
    static struct cert *roots[1];
    static struct cert *chains[WHO_MAX][2];
    const struct pki *p = rig_pki();
    struct http_client_config config = {.base_url = url, .roots = roots, .n_roots = 1};

    roots[0] = p->root;
    (void)snprintf(url, 64, "%s://localhost:%u", tls ? "https" : "http",
                   tls ? rig->tls_port : rig->plain_port);
    if (who < WHO_MAX) {
        chains[who][0] = p->leaf[who];
        chains[who][1] = p->ca;
        config.chain = chains[who];
        config.n_chain = 2;
        config.key = p->key[who];
    }
    return config;
}

struct http_client *rig_client(const struct rig *rig, bool tls, enum who who)
{
    struct http_client *client = NULL;
    struct kw_op op;
    char url[64];
    struct http_client_config config = rig_client_config(rig, tls, who, url);

    kw_op_init(&op, "rig", 0);
    rig_must(&op, http_client_new(&op, &config, &client));
    return client;
}

int raw_connect(uint16_t port)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    const struct timeval limit = {5, 0};
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0 ||
        connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
        abort();
    }
    return fd;
}

void raw_send(int fd, const char *text)
{
    size_t len = strlen(text);

    while (len > 0) {
        ssize_t n = send(fd, text, len, MSG_NOSIGNAL);
        if (n <= 0) {
            return; /* what was answered tells more */
        }
        text += n;
        len -= (size_t)n;
    }
}

size_t raw_read(int fd, char *room, size_t cap, const char *until)
{
    size_t len = 0;

    room[0] = '\0';
    while (len + 1 < cap && !(until && strstr(room, until))) {
        ssize_t n = recv(fd, room + len, cap - 1 - len, 0);
        if (n <= 0) {
            break;
        }
        len += (size_t)n;
        room[len] = '\0';
    }
    return len;
}

int raw_exchange(uint16_t port, const char *request, char *answer, size_t cap)
{
    int fd = raw_connect(port);
    int status = 0;

    raw_send(fd, request);
    (void)raw_read(fd, answer, cap, NULL);
    close(fd);
    return sscanf(answer, "HTTP/1.%*d %d", &status) == 1 ? status : 0;
}
