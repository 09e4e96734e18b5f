/* The connection to the gate. Its certificate must lead to the pinned root, name the host, and be
 * good by OCSP, or we hang up. */
#include <stdio.h>

#include "base/hex.h"
#include "base/uri.h"
#include "crypto/ocsp.h"
#include "device/device.h"
#include "os/clock.h"
#include "os/rng.h"

enum { ANSWER_MAX = 65536, ANSWER_LIFE_S = 86400, NONCE_BYTES = 32 };

void server_hang_up(struct device *device)
{
    http_client_free(device->client);
    device->client = NULL;
    device->client_as = DEVICE_NONE;
}

/* --- is the server's certificate revoked?
 * -------------------------------------------------------------------------- */

static void cache_name(const struct cert *leaf, char name[64])
{
    char hex[33];

    kw_hex(KW_SPAN(cert_sha256(leaf), 16), hex, sizeof(hex));
    (void)snprintf(name, 64, "ocsp-%s.der", hex);
}

static kw_status good(struct kw_op *op, const struct ocsp_single *single)
{
    ENSURE(op, single->status == OCSP_CERT_GOOD, KW_E_REVOKED,
           "OCSP says that the server's certificate is %s",
           single->status == OCSP_CERT_REVOKED ? "revoked" : "unknown");
    return KW_OK;
}

/* A good answer kept from before, in force and at most a day old. */
static bool known_good(struct device *device, const struct cert *leaf, const struct cert *issuer)
{
    struct ocsp_single single;
    struct kw_op quiet;
    char name[64];
    AUTO(kw_bytes) *kept = NULL;
    int64_t now_s = device_now_s(device);

    kw_op_init(&quiet, NULL, 0);
    cache_name(leaf, name);
    return kw_ok(state_read(&quiet, device, name, ANSWER_MAX, &kept)) &&
           kw_ok(ocsp_answer_check(&quiet, kw_bytes_span(kept), leaf, issuer, KW_SPAN(NULL, 0),
                                   now_s, &single)) &&
           kw_ok(good(&quiet, &single)) && now_s < single.next_update &&
           now_s - single.this_update < ANSWER_LIFE_S;
}

/* "http://host:port/path" → base and path, for the client. */
static kw_status split_url(struct kw_op *op, const char *url, char *base, size_t cap,
                           const char **ret_path)
{
    static const char scheme[] = "http://";

    ENSURE(op, strncmp(url, scheme, sizeof(scheme) - 1) == 0, KW_E_UNSUPPORTED,
           "OCSP responder '%s'", url);
    const char *path = strchr(url + sizeof(scheme) - 1, '/');
    path = path ? path : url + strlen(url);
    int n = snprintf(base, cap, "%.*s", (int)(path - url), url);
    ENSURE(op, n > 0 && (size_t)n < cap, KW_E_TOO_LARGE, "OCSP responder '%.60s…'", url);
    *ret_path = *path ? path : "/";
    return KW_OK;
}

static kw_status fetch(struct kw_op *op, const char *url, struct kw_span query,
                       struct kw_bytes **ret)
{
    char base[KW_URI_MAX];
    const char *path = NULL;
    struct http_answer answer = {0};
    AUTO(http_client) *client = NULL;

    TRY(op, split_url(op, url, base, sizeof(base), &path));
    struct http_client_config config = {.base_url = base, .response_max = ANSWER_MAX};
    TRY(op, http_client_new(op, &config, &client));
    struct http_call call = {.method = HTTP_POST,
                             .path = path,
                             .content_type = "application/ocsp-request",
                             .body = query};
    TRY(op, http_client_call(op, client, &call, &answer), "OCSP responder %s", base);
    *ret = TAKE(answer.body);
    int status = answer.status;
    http_answer_done(&answer);
    ENSURE(op, status == 200, KW_E_UNAVAILABLE, "OCSP responder %s answered with status %d", base,
           status);
    return KW_OK;
}

static kw_status ask(struct kw_op *op, struct device *device, const struct cert *leaf,
                     const struct cert *issuer)
{
    char url[KW_URI_MAX], name[64];
    uint8_t nonce[NONCE_BYTES];
    struct ocsp_single single;
    AUTO(kw_bytes) *query = NULL;
    AUTO(kw_bytes) *answer = NULL;

    TRY(op, cert_ocsp_url(op, leaf, url, sizeof(url)));
    TRY(op, os_random(op, nonce, sizeof(nonce)));
    TRY(op, ocsp_query_build(op, leaf, issuer, /* sha256= */ true, KW_SPAN_ARRAY(nonce), &query));
    TRY(op, fetch(op, url, kw_bytes_span(query), &answer));
    TRY(op, ocsp_answer_check(op, kw_bytes_span(answer), leaf, issuer, KW_SPAN_ARRAY(nonce),
                              device_now_s(device), &single));
    TRY(op, good(op, &single));
    cache_name(leaf, name);
    struct kw_op own; /* an answer that cannot be kept is asked for again */
    kw_op_init(&own, NULL, 0);
    (void)kw_ok(state_write(&own, device, name, kw_bytes_span(answer)));
    return KW_OK;
}

kw_status server_judge(struct kw_op *op, void *ctx, const struct cert *leaf,
                       const struct cert *issuer)
{
    struct device *device = ctx;

    if (known_good(device, leaf, issuer)) {
        return KW_OK;
    }
    kw_status status = ask(op, device, leaf, issuer);
    if (!kw_ok(status) && status.code != KW_E_REVOKED) {
        char why[512];
        kw_op_message(op, why, sizeof(why));
        kw_op_clear(op);
        return FAIL(op, KW_E_AUTH, "whether the server is revoked cannot be found out: %.120s",
                    why);
    }
    return status;
}

/* --- the connection --------------------------------------------------------------------------- */

kw_status server_identity(struct kw_op *op, struct device *device, enum device_identity as,
                          struct cert **ret_cert, struct privkey **ret_key)
{
    const char *label = NULL;

    if (as == DEVICE_NONE) {
        return KW_OK;
    }
    TRY(op, state_read_cert(op, device, as, ret_cert));
    return keys_find(op, device, *ret_cert, ret_key, &label);
}

/* A CA that was rotated has two certificates of one name: the key decides. */
bool device_issued_by(const struct cert *cert, const struct cert *issuer)
{
    return kw_span_equal(cert_subject(issuer), cert_issuer(cert)) &&
           (cert_aki(cert).len == 0 || kw_span_equal(cert_ski(issuer), cert_aki(cert)));
}

/* The issuer goes along, so that a server that knows only the root can verify us. */
unsigned server_chain(const struct device *device, struct cert *own, struct cert *chain[2])
{
    unsigned n = 0;

    if (!own) {
        return 0;
    }
    chain[n++] = own;
    for (unsigned i = 0; i < device->n_issuers; i++) {
        if (device_issued_by(own, device->issuers[i])) {
            chain[n++] = device->issuers[i];
            break;
        }
    }
    return n;
}

int64_t server_now_s(void *ctx)
{
    return device_now_s(ctx);
}

kw_status server_connect(struct kw_op *op, struct device *device, enum device_identity as,
                         struct http_client **ret)
{
    AUTO(cert) *own = NULL;
    AUTO(privkey) *key = NULL;
    struct cert *chain[2];

    if (device->client && device->client_as == as) {
        *ret = device->client;
        return KW_OK;
    }
    server_hang_up(device);
    TRY(op, server_identity(op, device, as, &own, &key));
    struct http_client_config config = {
        .base_url = device->config.server,
        .roots = &device->root,
        .n_roots = 1,
        .chain = chain,
        .n_chain = server_chain(device, own, chain),
        .key = key,
        .judge = server_judge,
        .judge_ctx = device,
        .exporter_label = DEVICE_EXPORTER_LABEL,
        .now_s = server_now_s,
        .response_max = ANSWER_MAX,
    };
    TRY(op, http_client_new(op, &config, &device->client));
    device->client_as = as;
    *ret = device->client;
    return KW_OK;
}

/* What the server's refusal is in our terms; what is not listed is "refused" too. Only 403 is
 * KW_E_DENIED; KW_E_AUTH and KW_E_NOT_FOUND would speak of the server's or of our own identity. */
static const struct {
    int http;
    enum kw_code code;
} refusals[] = {
    {400, KW_E_INPUT      },
    {403, KW_E_DENIED     },
    {409, KW_E_CONFLICT   },
    {429, KW_E_LIMIT      },
    {503, KW_E_UNAVAILABLE},
};

static kw_status refuse(struct kw_op *op, const struct http_answer *answer)
{
    enum kw_code code = answer->status >= 500 ? KW_E_UNAVAILABLE : KW_E_STATE;

    for (unsigned i = 0; i < KW_COUNT(refusals); i++) {
        code = refusals[i].http == answer->status ? refusals[i].code : code;
    }
    size_t n = answer->body ? answer->body->len : 0;
    return FAIL(op, code, "the server refused (%d): %.*s", answer->status, (int)(n < 150 ? n : 150),
                n ? (const char *)answer->body->p : "");
}

static kw_status call_once(struct kw_op *op, struct device *device, enum device_identity as,
                           const struct http_call *call, struct kw_bytes **ret)
{
    struct http_client *client = NULL;
    struct http_answer answer = {0};

    TRY(op, server_connect(op, device, as, &client));
    kw_status status = http_client_call(op, client, call, &answer);
    if (!kw_ok(status)) {
        server_hang_up(device);
        TRY(op, status, "server %s", device->config.server);
    }
    status = answer.status >= 300 ? refuse(op, &answer) : KW_OK;
    if (kw_ok(status)) {
        *ret = TAKE(answer.body);
    }
    http_answer_done(&answer);
    return status;
}

/* May a wrong time be why? Then nothing was sent: the handshake did not come that far. */
static bool may_be_the_time(const struct device *device, kw_status status)
{
    return (status.code == KW_E_EXPIRED || status.code == KW_E_AUTH) && device->base_ms == 0;
}

kw_status server_call(struct kw_op *op, struct device *device, enum device_identity as,
                      const struct http_call *call, struct kw_bytes **ret)
{
    kw_status status = call_once(op, device, as, call, ret);
    struct kw_op asking;

    if (kw_ok(status) || !may_be_the_time(device, status)) {
        return status;
    }
    kw_op_init(&asking, op->principal, op->deadline_ms);
    if (!kw_ok(device_ask_time(&asking, device))) {
        return status;
    }
    kw_op_clear(op);
    return call_once(op, device, as, call, ret);
}
