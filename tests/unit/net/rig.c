#include "rig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "base/b64.h"
#include "base/time.h"
#include "crypto/dn.h"
#include "os/clock.h"

#define OID_SERVER_AUTH "1.3.6.1.5.5.7.3.1"
#define OID_CLIENT_AUTH "1.3.6.1.5.5.7.3.2"
#define DAY INT64_C(86400)

static void must(struct kw_op *op, kw_status status)
{
    char text[512];

    if (!kw_ok(status)) {
        (void)fprintf(stderr, "rig: %s\n", kw_op_message(op, text, sizeof(text)));
        abort();
    }
}

/* Certificates. */

static struct kw_span dn_of(const char *cn, uint8_t room[KW_DN_MAX])
{
    const struct dn_part parts[] = {
        {"O",  "Keywright Test"},
        {"CN", cn              }
    };
    struct kw_out out = {room, KW_DN_MAX, 0};
    struct kw_op op;

    kw_op_init(&op, "rig", 0);
    must(&op, dn_build(&op, parts, KW_COUNT(parts), &out));
    return kw_out_span(&out);
}

static struct cert *issue(struct cert_spec *spec, const struct privkey *issuer)
{
    static uint8_t count;
    uint8_t serial[KW_SERIAL_BYTES] = {0x11, 0x22};
    AUTO(kw_bytes) *der = NULL;
    struct cert *cert = NULL;
    struct kw_op op;

    kw_op_init(&op, "rig", 0);
    serial[KW_SERIAL_BYTES - 1] = ++count;
    spec->serial = KW_SPAN_ARRAY(serial);
    if (spec->not_before == 0) {
        spec->not_before = os_clock_unix_s() - DAY;
        spec->not_after = os_clock_unix_s() + 30 * DAY;
    }
    must(&op, cert_build(&op, spec, issuer, &der));
    must(&op, cert_parse(&op, kw_bytes_span(der), &cert));
    return cert;
}

static struct privkey *new_key(void)
{
    struct privkey *key = NULL;
    struct kw_op op;

    kw_op_init(&op, "rig", 0);
    must(&op, privkey_generate(&op, KEY_ALG_EC_P256, &key));
    return key;
}

static struct cert *issue_ca(const char *cn, const struct privkey *key, const char *issuer_cn,
                             const struct privkey *issuer)
{
    uint8_t subject[KW_DN_MAX];
    uint8_t issuer_dn[KW_DN_MAX];
    struct cert_spec spec = {
        .issuer_dn = dn_of(issuer_cn, issuer_dn),
        .subject_dn = dn_of(cn, subject),
        .key = privkey_public(key),
        .issuer_key = issuer == key ? NULL : privkey_public(issuer),
        .is_ca = true,
        .path_len = issuer == key ? -1 : 0,
        .key_usage = CERT_KU_KEY_CERT_SIGN | CERT_KU_CRL_SIGN,
    };

    return issue(&spec, issuer);
}

static const struct {
    const char *cn, *eku;
    bool expired;
} leaves[WHO_MAX] = {
    [WHO_SERVER] = {"server",    OID_SERVER_AUTH, false},
    [WHO_DEVICE] = {"device-1",  OID_CLIENT_AUTH, false},
    [WHO_DEVICE_2] = {"device-2",  OID_CLIENT_AUTH, false},
    [WHO_IDEVID] = {"idevid",    NULL,            false},
    [WHO_WRONG_USE] = {"wrong-use", OID_SERVER_AUTH, false},
    [WHO_EXPIRED] = {"expired",   OID_CLIENT_AUTH, true },
    [WHO_STRANGER] = {"stranger",  OID_CLIENT_AUTH, false},
};

static void issue_leaf(struct pki *p, enum who who)
{
    uint8_t subject[KW_DN_MAX];
    bool stranger = who == WHO_STRANGER;
    const struct cert *issuer = stranger ? p->other_root : p->ca;
    struct cert_spec spec = {
        .issuer_dn = cert_subject(issuer),
        .subject_dn = dn_of(leaves[who].cn, subject),
        .path_len = -1,
        .issuer_key = cert_public(issuer),
        .key_usage = CERT_KU_DIGITAL_SIGNATURE,
        .eku = {leaves[who].eku},
    };

    p->key[who] = new_key();
    spec.key = privkey_public(p->key[who]);
    if (who == WHO_SERVER) {
        spec.san_dns[0] = "localhost";
        spec.san_ip[0] = "127.0.0.1";
    }
    if (who == WHO_IDEVID || leaves[who].expired) {
        spec.not_before = os_clock_unix_s() - 10 * DAY;
        spec.not_after = leaves[who].expired ? os_clock_unix_s() - DAY : KW_TIME_NEVER;
    }
    p->leaf[who] = issue(&spec, stranger ? p->other_key : p->ca_key);
}

const struct pki *rig_pki(void)
{
    static struct pki p;

    if (p.root) {
        return &p;
    }
    p.root_key = new_key();
    p.ca_key = new_key();
    p.other_key = new_key();
    p.root = issue_ca("root", p.root_key, "root", p.root_key);
    p.ca = issue_ca("ca", p.ca_key, "root", p.root_key);
    p.other_root = issue_ca("other root", p.other_key, "other root", p.other_key);
    for (enum who who = 0; who < WHO_MAX; who++) {
        issue_leaf(&p, who);
    }
    return &p;
}

/* Routes. */

static kw_status text_body(struct http_response *response, const char *text)
{
    response->content_type = "text/plain";
    return kw_bytes_copy(kw_span_text(text), &response->body);
}

static kw_status hello(struct kw_op *op, void *ctx, const struct http_request *request,
                       struct http_response *response)
{
    struct rig *rig = ctx;

    (void)op;
    atomic_fetch_add(request->on_loop ? &rig->n_loop_calls : &rig->n_pool_calls, 1);
    return text_body(response, "hello\n");
}

static kw_status fast(struct kw_op *op, void *ctx, const struct http_request *request,
                      struct http_response *response)
{
    if (strcmp(request->query, "pool") == 0) {
        TRY(op, text_body(response, "to be thrown away"));
        TRY(op, http_response_header(op, response, "X-Lost", "yes"));
        struct rig *rig = ctx;
        atomic_fetch_add(request->on_loop ? &rig->n_loop_calls : &rig->n_pool_calls, 1);
        ENSURE(op, !request->on_loop, KW_E_STATE, "not in memory");
        kw_bytes_free(response->body);
        response->n_headers = 0;
        return text_body(response, "from the pool\n");
    }
    return hello(op, ctx, request, response);
}

static kw_status echo(struct kw_op *op, void *ctx, const struct http_request *request,
                      struct http_response *response)
{
    (void)op;
    (void)ctx;
    response->content_type = "application/octet-stream";
    return kw_bytes_copy(request->body, &response->body);
}

static kw_status big(struct kw_op *op, void *ctx, const struct http_request *request,
                     struct http_response *response)
{
    AUTO(kw_bytes) *body = NULL;

    (void)ctx;
    size_t n = strtoul(request->query, NULL, 10);
    TRY(op, kw_bytes_new(n, &body));
    memset(body->p, 'x', n);
    body->len = n;
    response->body = TAKE(body);
    return KW_OK;
}

static void released(void *shared)
{
    struct rig *rig = shared;

    atomic_fetch_add(&rig->n_released, 1);
}

static kw_status shared(struct kw_op *op, void *ctx, const struct http_request *request,
                        struct http_response *response)
{
    static const uint8_t octets[100000] = {1, 2, 3};
    size_t n = strtoul(request->query, NULL, 10);

    response->keep_shared = true;
    response->shared_body = KW_SPAN(octets, n < sizeof(octets) ? n : sizeof(octets));
    response->shared_release = released;
    response->shared = ctx;
    ENSURE(op, strstr(request->query, "fail") == NULL, KW_E_CONFLICT, "after lending");
    return KW_OK;
}

static kw_status slow(struct kw_op *op, void *ctx, const struct http_request *request,
                      struct http_response *response)
{
    long ms = strtol(request->query, NULL, 10);
    const struct timespec nap = {ms / 1000, ms % 1000 * 1000000};

    atomic_fetch_add(&((struct rig *)ctx)->n_handled, 1);
    (void)nanosleep(&nap, NULL);
    ENSURE(op, op->deadline_ms > 0, KW_E_INTERNAL, "no deadline");
    return text_body(response, "slow\n");
}

static kw_status me(struct kw_op *op, void *ctx, const struct http_request *request,
                    struct http_response *response)
{
    char text[256];

    (void)ctx;
    (void)snprintf(text, sizeof(text), "%u %s %s %s", request->who.kind, request->who.id,
                   request->peer_cert ? "cert" : "none", op->request_id);
    return text_body(response, text);
}

static kw_status thing(struct kw_op *op, void *ctx, const struct http_request *request,
                       struct http_response *response)
{
    (void)ctx;
    TRY(op, http_response_header(op, response, "X-Thing", kw_uri_param(&request->params, "id")));
    response->status = 204;
    return KW_OK;
}

static kw_status fail_with(struct kw_op *op, void *ctx, const struct http_request *request,
                           struct http_response *response)
{
    (void)ctx;
    TRY(op, http_response_header(op, response, "X-Lost", "yes"));
    return FAIL(op, kw_code_from_text(kw_uri_param(&request->params, "code")), "the inner reason");
}

static kw_status head_of(struct kw_op *op, void *ctx, const struct http_request *request,
                         struct http_response *response)
{
    const char *value = request->header(request, "X-Ask");

    (void)op;
    (void)ctx;
    return text_body(response, value ? value : request->peer);
}

#define TEXT &http_errors_text
#define JSON &http_errors_json
/* clang-format off */
static const struct route routes[] = {
    {HTTP_GET,    "/hello",           AUTH_NONE,                 NULL,         0,     5000, 0,           hello,     TEXT, "pool"},
    {HTTP_GET,    "/fast",            AUTH_NONE,                 NULL,         0,     5000, ROUTE_FAST,  fast,      TEXT, "loop"},
    {HTTP_POST,   "/echo",            AUTH_NONE,                 "text/plain", 4096,  5000, 0,           echo,      TEXT, "body"},
    {HTTP_PUT,    "/echo",            AUTH_NONE,                 NULL,         65536, 5000, 0,           echo,      TEXT, "large body"},
    {HTTP_GET,    "/big",             AUTH_NONE,                 NULL,         0,     5000, 0,           big,       TEXT, "large answer"},
    {HTTP_GET,    "/shared",          AUTH_NONE,                 NULL,         0,     5000, ROUTE_FAST,  shared,    TEXT, "borrowed answer"},
    {HTTP_GET,    "/slow",            AUTH_NONE,                 NULL,         0,     9000, 0,           slow,      TEXT, "takes time"},
    {HTTP_POST,   "/slow",            AUTH_NONE,                 NULL,         64,    9000, 0,           slow,      TEXT, "takes time"},
    {HTTP_GET,    "/short",           AUTH_NONE,                 NULL,         0,     100,  0,           slow,      TEXT, "short deadline"},
    {HTTP_GET,    "/me",              AUTH_DEVICE,               NULL,         0,     5000, 0,           me,        JSON, "who asks"},
    {HTTP_GET,    "/fast-me",         AUTH_DEVICE,               NULL,         0,     5000, ROUTE_FAST,  me,        JSON, "who asks, on the loop"},
    {HTTP_POST,   "/secret",          AUTH_SECRET | AUTH_DEVICE, NULL,         64,    5000, 0,           me,        TEXT, "HTTP Basic"},
    {HTTP_DELETE, "/things/{id}",     AUTH_NONE,                 NULL,         0,     5000, 0,           thing,     TEXT, "parameter"},
    {HTTP_PUT,    "/things/{id}",     AUTH_NONE,                 NULL,         64,    5000, 0,           thing,     TEXT, "parameter"},
    {HTTP_GET,    "/close",           AUTH_NONE,                 NULL,         0,     5000, ROUTE_CLOSE, hello,     TEXT, "closes"},
    {HTTP_GET,    "/header",          AUTH_NONE,                 NULL,         0,     5000, 0,           head_of,   TEXT, "header from the pool"},
};
static const struct route api_rows[] = {
    {HTTP_GET,    "/fail/{code}",     AUTH_NONE,                 NULL,         0,     5000, 0,           fail_with, TEXT, "fails"},
    {HTTP_GET,    "/api/fail/{code}", AUTH_NONE,                 NULL,         0,     5000, 0,           fail_with, JSON, "fails"},
};
/* clang-format on */
static const struct route *const tables[] = {routes, api_rows, NULL};
static const unsigned n_rows[] = {KW_COUNT(routes), KW_COUNT(api_rows)};

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

    kw_status status = kw_b64_decode(kw_span_text(header + 6), 64, &text);
    if (!kw_ok(status)) {
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

/* Server. */

static void make_tls(struct rig *rig, const struct rig_options *options)
{
    const struct pki *p = rig_pki();
    struct cert *chain[] = {p->leaf[WHO_SERVER], p->ca};
    struct cert *roots[] = {p->root};
    struct cert *between[] = {p->ca};
    struct kw_op op;

    kw_op_init(&op, "rig", 0);
    must(&op, tls_server_new(&op,
                             &(struct tls_server_config){
                                 .chain = chain,
                                 .n_chain = KW_COUNT(chain),
                                 .key = options->key ? options->key : p->key[WHO_SERVER],
                                 .client_roots = roots,
                                 .n_client_roots = KW_COUNT(roots),
                                 .client_intermediates = between,
                                 .n_client_intermediates = options->leaf_only ? 1 : 0,
                                 .client_required = options->client_required,
                                 .judge = judge,
                                 .judge_ctx = rig,
                             },
                             &rig->tls));
}

struct rig *rig_start(const struct rig_options *options)
{
    static const struct rig_options defaults;
    struct rig *rig = calloc(1, sizeof(*rig));
    struct kw_op op;

    options = options ? options : &defaults;
    kw_op_init(&op, "rig", 0);
    make_tls(rig, options);
    must(&op, http_server_new(&op, &options->server, &rig->server));
    struct http_listener listener = {
        .name = "plain",
        .address = "127.0.0.1",
        .tables = tables,
        .n_rows = n_rows,
        .authenticate = authenticate,
        .observe = observe,
        .ctx = rig,
        .connections_max = options->connections_max ? options->connections_max : 2000,
    };
    must(&op, http_server_listen(&op, rig->server, &listener, &rig->plain_port));
    listener.name = "tls";
    listener.tls = rig->tls;
    must(&op, http_server_listen(&op, rig->server, &listener, &rig->tls_port));
    must(&op, http_server_start(&op, rig->server));
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
    must(&op, http_client_new(&op, &config, &client));
    return client;
}

int raw_connect(uint16_t port)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    const struct timeval limit = {5, 0};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) != 0 ||
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
