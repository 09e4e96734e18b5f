/* The connection to the gate. Its certificate must lead to the pinned root, name the host, and be
 * good by OCSP, or we hang up. */
#include "codec/json.h"
#include "device/device.h"
#include "device/events.h"

enum { ANSWER_MAX = 65536 };

void server_hang_up(struct device *device)
{
    http_client_free(device->client);
    device->client = NULL;
    device->client_as = DEVICE_NONE;
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
        .roots = device->roots,
        .n_roots = device->n_roots,
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

/*
 * What the server's refusal is in our terms; what is not listed is "refused" too. KW_E_AUTH,
 * KW_E_NOT_FOUND and KW_E_INTEGRITY would speak of the server's identity or of our own keys.
 * KW_E_REVOKED, KW_E_EXPIRED: of our certificate. KW_E_CONFLICT: this key and request are not
 * taken, another key may be; KW_E_STATE: no key helps.
 */
static const struct {
    int http;
    const char *code; /* the server's own word; NULL: any */
    enum kw_code is;
} refusals[] = {
    {202, NULL,        KW_E_UNAVAILABLE}, /* an officer decides; the same request again */
    {400, NULL,        KW_E_INPUT      },
    {403, "revoked",   KW_E_REVOKED    },
    {403, "expired",   KW_E_EXPIRED    },
    {403, NULL,        KW_E_DENIED     },
    {409, "bad_state", KW_E_STATE      },
    {409, NULL,        KW_E_CONFLICT   },
    {429, NULL,        KW_E_LIMIT      },
    {503, NULL,        KW_E_UNAVAILABLE},
};

struct problem {
    char title[64], code[32], detail[KW_OP_TEXT_MAX], request_id[KW_REQUEST_ID];
    int64_t status;
};
static const struct codec_field problem_fields[] = {
    FIELD_STRING("title", struct problem, title, 0, "what kind of failure"),
    FIELD_INT("status", struct problem, status, 0, 0, 599, "HTTP status"),
    FIELD_STRING("code", struct problem, code, 0, "the same for programs"),
    FIELD_STRING("detail", struct problem, detail, 0, "what is wrong with this request"),
    FIELD_STRING("request_id", struct problem, request_id, 0, "finds the request in the log"),
};

/* An RFC 9457 problem. False: the answer is none. */
static bool read_problem(const struct http_answer *answer, struct kw_span body, struct problem *ret)
{
    struct kw_op quiet;

    kw_op_init(&quiet, NULL, 0);
    return strcmp(answer->content_type, "application/problem+json") == 0 &&
           kw_ok(codec_json_decode(&quiet, body, problem_fields, KW_COUNT(problem_fields), ret));
}

/* "conflict: this public key…" (EST). */
static void read_text(struct kw_span body, struct problem *ret)
{
    size_t n = 0;

    while (n < body.len && n < sizeof(ret->code) - 1 && body.p[n] != ':') {
        n++;
    }
    memcpy(ret->code, body.p, n);
    ret->code[n] = 0;
    while (body.len > 0 && body.p[body.len - 1] <= ' ') { /* it goes into a sentence */
        body = kw_span_sub(body, 0, body.len - 1);
    }
    n = body.len < sizeof(ret->detail) ? body.len : sizeof(ret->detail) - 1;
    memcpy(ret->detail, body.p, n);
    ret->detail[n] = 0;
}

static enum kw_code refusal_of(int http, const char *code)
{
    for (unsigned i = 0; i < KW_COUNT(refusals); i++) {
        if (refusals[i].http == http &&
            (!refusals[i].code || strcmp(refusals[i].code, code) == 0)) {
            return refusals[i].is;
        }
    }
    return http >= 500 ? KW_E_UNAVAILABLE : KW_E_STATE;
}

static kw_status refuse(struct kw_op *op, const struct http_answer *answer)
{
    struct kw_span body = answer->body ? kw_bytes_span(answer->body) : KW_SPAN(NULL, 0);
    struct problem problem = {0};

    if (body.len > 0 && !read_problem(answer, body, &problem)) {
        problem = (struct problem){0};
        read_text(body, &problem);
    }
    bool numbered = *problem.request_id != '\0';
    return FAIL(op, refusal_of(answer->status, problem.code), "the server refused (%d): %.*s%s%s%s",
                answer->status, numbered ? 110 : 150,
                *problem.detail ? problem.detail : problem.title, numbered ? " (request " : "",
                problem.request_id, numbered ? ")" : "");
}

/* The server's alert about our certificate is its refusal, not a reason to distrust it. */
static kw_status explain(struct kw_op *op, const struct http_client *client, kw_status status)
{
    static const enum kw_code codes[] = {[HTTP_REFUSAL_REVOKED] = KW_E_REVOKED,
                                         [HTTP_REFUSAL_EXPIRED] = KW_E_EXPIRED,
                                         [HTTP_REFUSAL_OTHER] = KW_E_DENIED};
    enum http_refusal refusal = http_client_refusal(client);
    char why[KW_OP_TEXT_MAX];

    if (status.code != KW_E_AUTH || refusal == HTTP_REFUSAL_NONE) {
        return status;
    }
    (void)kw_text_copy(why, sizeof(why), kw_op_cause(op));
    kw_op_clear(op);
    return FAIL(op, codes[refusal], "%s", why);
}

static kw_status call_once(struct kw_op *op, struct device *device, enum device_identity as,
                           const struct http_call *call, struct kw_bytes **ret)
{
    struct http_client *client = NULL;
    struct http_answer answer = {0};

    device->retry_after_s = 0;
    device->refused = false;
    TRY(op, server_connect(op, device, as, &client));
    kw_status status = http_client_call(op, client, call, &answer);
    if (!kw_ok(status)) {
        device->refused = http_client_refusal(client) != HTTP_REFUSAL_NONE;
        status = explain(op, client, status);
        server_hang_up(device);
        TRY(op, status, "server %s", device->config.server);
    }
    device->retry_after_s = answer.retry_after_s;
    status = answer.status >= 300 || answer.status == 202 ? refuse(op, &answer) : KW_OK;
    device->refused = !kw_ok(status);
    if (kw_ok(status)) {
        roots_note_use(device);
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

/* Lines that are down are no event; who may not be trusted is one, and who does not trust us. */
static void note(struct device *device, const struct kw_op *op, kw_status status)
{
    bool trust = status.code == KW_E_AUTH || status.code == KW_E_REVOKED;
    bool access = status.code == KW_E_DENIED || status.code == KW_E_REVOKED;

    if (device->refused ? access : trust) {
        events_note_failed(device, device->refused ? DEVICE_EVENT_ACCESS : DEVICE_EVENT_SERVER, op,
                           status);
    }
}

/* Who may be trusted is judged by a time: where the clock is not believed, the signed one comes
 * first. A server that tells none is judged by the floor. */
static void settle_time(const struct kw_op *op, struct device *device)
{
    struct kw_op asking;

    if (device->base_ms == 0 && !device_believes_clock(device)) {
        kw_op_init(&asking, op->principal, op->deadline_ms);
        (void)kw_ok(device_ask_time(&asking, device));
    }
}

static kw_status call_in_time(struct kw_op *op, struct device *device, enum device_identity as,
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

kw_status server_call(struct kw_op *op, struct device *device, enum device_identity as,
                      const struct http_call *call, struct kw_bytes **ret)
{
    settle_time(op, device);
    kw_status status = call_in_time(op, device, as, call, ret);
    note(device, op, status);
    return status;
}
