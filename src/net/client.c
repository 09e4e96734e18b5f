#include "net/client.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "net/client_internal.h"
#include "net/client_parse.h"
#include "os/clock.h"

enum {
    CONNECT_TIMEOUT_MS = 5000,
    TOTAL_TIMEOUT_MS = 15000,
    RESPONSE_MAX = 1 << 20,
    PORT_HTTP = 80,
    PORT_HTTPS = 443,
};

static uint32_t or_default(uint32_t value, uint32_t fallback)
{
    return value > 0 ? value : fallback;
}

static bool is_scheme(struct kw_span scheme, const char *name)
{
    return scheme.len == strlen(name) && strncasecmp((const char *)scheme.p, name, scheme.len) == 0;
}

static kw_status read_url(struct kw_op *op, struct http_client *client, const char *url,
                          bool *ret_tls)
{
    struct url_parts parts = {0};

    client->base_url = strdup(url);
    ENSURE(op, client->base_url, KW_E_MEMORY, "HTTP client");
    size_t len = strlen(client->base_url);
    while (len > 0 && client->base_url[len - 1] == '/') {
        client->base_url[--len] = '\0'; /* paths begin with one */
    }
    ENSURE(op, url_split(client->base_url, &parts), KW_E_INPUT, "'%s' is no URL", url);
    *ret_tls = is_scheme(parts.scheme, "https");
    ENSURE(op, *ret_tls || is_scheme(parts.scheme, "http"), KW_E_INPUT,
           "'%s' is neither https nor http", url);
    client->authority = parts.authority;
    client->path = parts.path;
    client->port = or_default(parts.port, *ret_tls ? PORT_HTTPS : PORT_HTTP);
    client->host = strndup((const char *)parts.host.p, parts.host.len);
    ENSURE(op, client->host, KW_E_MEMORY, "HTTP client");
    return KW_OK;
}

kw_status http_client_new(struct kw_op *op, const struct http_client_config *config,
                          struct http_client **ret)
{
    AUTO(http_client) *client = calloc(1, sizeof(*client));
    bool is_tls = false;

    ENSURE(op, client, KW_E_MEMORY, "HTTP client");
    client->link.fd = -1;
    TRY(op, read_url(op, client, config->base_url, &is_tls));
    client->config = (struct http_client_config){
        .connect_timeout_ms = or_default(config->connect_timeout_ms, CONNECT_TIMEOUT_MS),
        .total_timeout_ms = or_default(config->total_timeout_ms, TOTAL_TIMEOUT_MS),
        .response_max = config->response_max > 0 ? config->response_max : RESPONSE_MAX,
    };
    client->exporter_label = config->exporter_label;
    if (is_tls) {
        TRY(op, tls_client_new(op, config, &client->tls), "HTTP client");
    }
    *ret = TAKE(client);
    return KW_OK;
}

void http_client_free(struct http_client *client)
{
    if (!client) {
        return;
    }
    http_client_disconnect(client);
    tls_client_free(client->tls);
    free(client->base_url);
    free(client->host);
    free(client);
}

bool http_client_exporter(const struct http_client *client, uint8_t ret[HTTP_EXPORTER])
{
    if (client->has_exporter) {
        memcpy(ret, client->exporter, HTTP_EXPORTER);
    }
    return client->has_exporter;
}

enum http_refusal http_client_refusal(const struct http_client *client)
{
    return client->tls ? tls_client_refusal(client->tls) : HTTP_REFUSAL_NONE;
}

/*
 * OpenSSL writes to sockets without a word to the kernel about SIGPIPE, and the handler is the
 * program's. So, for this thread: a signal that comes while it is blocked is taken from the queue
 * before it is let through again.
 */
struct quiet {
    bool was_pending;
    sigset_t before;
};

static sigset_t broken_pipe(void)
{
    sigset_t set;

    (void)sigemptyset(&set); /* neither fails with valid arguments */
    (void)sigaddset(&set, SIGPIPE);
    return set;
}

static struct quiet quiet_begin(void)
{
    struct quiet quiet = {0};
    sigset_t pending;
    const sigset_t set = broken_pipe();

    (void)sigemptyset(&pending); /* none fails with valid arguments */
    (void)sigpending(&pending);
    quiet.was_pending = sigismember(&pending, SIGPIPE) == 1;
    (void)pthread_sigmask(SIG_BLOCK, &set, &quiet.before);
    return quiet;
}

static void quiet_end(struct quiet *quiet)
{
    static const struct timespec at_once;
    const sigset_t set = broken_pipe();

    if (!quiet->was_pending) {
        while (sigtimedwait(&set, NULL, &at_once) < 0 && errno == EINTR) {
        }
    }
    (void)pthread_sigmask(SIG_SETMASK, &quiet->before, NULL);
}

void http_client_disconnect(struct http_client *client)
{
    struct quiet quiet = quiet_begin();

    client_link_close(&client->link);
    quiet_end(&quiet);
}

static kw_status connect_within(struct kw_op *op, struct http_client *client, int64_t until_ms)
{
    int64_t limit_ms = os_clock_mono_ms() + client->config.connect_timeout_ms;

    client_link_close(&client->link);
    TRY(op, client_link_open(op, client, limit_ms < until_ms ? limit_ms : until_ms));
    client->has_exporter =
        client->exporter_label && client->link.tls &&
        tls_link_export(client->link.tls, client->exporter_label, client->exporter);
    return KW_OK;
}

static bool is_wanted(const struct http_client *client, const uint8_t *exporter)
{
    return client->has_exporter && memcmp(exporter, client->exporter, HTTP_EXPORTER) == 0;
}

/* A server may answer without having read everything, and go: what it said counts. */
static kw_status converse(struct kw_op *op, struct http_client *client, struct kw_span request,
                          bool no_body, int64_t until_ms)
{
    bool keep = false;

    client->n_sent++;
    kw_status sent = client_link_send(op, client, request, until_ms);
    if (!kw_ok(sent) && sent.code != KW_E_UNAVAILABLE) {
        return sent;
    }
    TRY(op, client_read_answer(op, client, no_body, until_ms, &keep));
    kw_op_clear(op); /* of sending, where the answer came all the same */
    if (!keep || !kw_ok(sent)) {
        client_link_close(&client->link);
    }
    client->link.idle_ms = os_clock_mono_ms();
    return KW_OK;
}

/*
 * A kept-alive connection may break before an answer, as the server had ended it already. To send
 * it again may do twice what was asked once (enrol, sign), so only safe methods may, and only where
 * any connection will do.
 */
static kw_status exchange(struct kw_op *op, struct http_client *client,
                          const struct http_call *call, struct kw_span request, int64_t until_ms)
{
    bool kept = client_link_is_alive(&client->link);
    bool safe = call->method == HTTP_GET || call->method == HTTP_HEAD;
    bool no_body = call->method == HTTP_HEAD;

    ENSURE(op, !call->exporter || (kept && is_wanted(client, call->exporter)), KW_E_UNAVAILABLE,
           "the connection that this was made for has ended; retry");
    if (!kept) {
        TRY(op, connect_within(op, client, until_ms));
    }
    kw_status status = converse(op, client, request, no_body, until_ms);
    if (status.code == KW_E_UNAVAILABLE && kept && safe && !client->answered && !call->exporter) {
        kw_op_clear(op);
        TRY(op, connect_within(op, client, until_ms));
        status = converse(op, client, request, no_body, until_ms);
    }
    return status;
}

/* Codes that say that an answer did not arrive. */
static bool is_loss(enum kw_code code)
{
    return code == KW_E_UNAVAILABLE || code == KW_E_TIMEOUT || code == KW_E_DEVICE;
}

/* What a failure means where the request was sent, and to send it again would do harm. */
static kw_status unsure(struct kw_op *op, const struct http_client *client)
{
    char text[KW_OP_TEXT_MAX];

    kw_op_message(op, text, sizeof(text));
    kw_op_clear(op);
    return FAIL(op, KW_E_UNSURE, "%s got the request, but its answer did not arrive: %.100s",
                client->base_url, text);
}

static kw_status outcome(struct kw_op *op, const struct http_client *client,
                         const struct http_call *call, kw_status status)
{
    bool safe = call->method == HTTP_GET || call->method == HTTP_HEAD;
    struct kw_op told = *op;

    if (kw_ok(status)) {
        return KW_OK;
    }
    kw_op_clear(op);
    if (client->tls) {
        TRY(op, tls_client_failure(op, client->tls), "%s", client->base_url);
    }
    *op = told;
    if (client->n_sent > 0 && !safe && is_loss(status.code)) {
        return unsure(op, client);
    }
    TRY(op, status, "%s", client->base_url);
    return KW_OK;
}

static kw_status perform(struct kw_op *op, struct http_client *client, const struct http_call *call,
                         int64_t until_ms)
{
    AUTO(kw_bytes) *request = NULL;

    TRY(op, client_request(op, client, call, &request));
    TRY(op, kw_bytes_new(0, &client->answer.body), "HTTP client");
    if (client->tls) {
        tls_client_begin(client->tls, op);
    }
    kw_status status = KW_OK;
    struct quiet quiet = quiet_begin();
    {
        struct kw_op *signing = client->tls ? tls_client_op(client->tls) : op;
        PRIVKEY_SCOPE(signing);
        status = exchange(op, client, call, kw_bytes_span(request), until_ms);
    }
    if (!kw_ok(status)) {
        client_link_close(&client->link);
    }
    quiet_end(&quiet);
    client_wipe(request);
    TRY(op, outcome(op, client, call, status));
    ENSURE(op, client->answer.status >= 200 && client->answer.status < 600, KW_E_DEVICE,
           "%s answers with status %d", client->base_url, client->answer.status);
    return KW_OK;
}

/* Milliseconds left for the call; 0 = none. */
static int64_t time_left_ms(const struct kw_op *op, const struct http_client *client,
                            int64_t now_ms)
{
    int64_t left = client->config.total_timeout_ms;

    if (op->deadline_ms != 0 && op->deadline_ms - now_ms < left) {
        left = op->deadline_ms - now_ms;
    }
    return left > 0 ? left : 0;
}

kw_status http_client_call(struct kw_op *op, struct http_client *client,
                           const struct http_call *call, struct http_answer *ret)
{
    int64_t now_ms = os_clock_mono_ms();
    int64_t left_ms = time_left_ms(op, client, now_ms);

    ENSURE(op, left_ms > 0, KW_E_TIMEOUT, "no time is left to ask %s", client->base_url);
    client->answer = (struct http_answer){0};
    client->n_sent = 0;
    client->answered = false;
    client->too_large = false;
    client->no_memory = false;
    kw_status status = perform(op, client, call, now_ms + left_ms);
    if (kw_ok(status)) {
        *ret = client->answer;
    } else {
        http_answer_done(&client->answer);
    }
    client->answer.body = NULL;
    return status;
}
