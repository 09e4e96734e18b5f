#include "net/client.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "net/client_internal.h"

enum {
    CONNECT_TIMEOUT_MS = 5000,
    TOTAL_TIMEOUT_MS = 15000,
    RESPONSE_MAX = 1 << 20,
};

KW_OWNED(curlu, CURLU, curl_url_cleanup)

static pthread_once_t once = PTHREAD_ONCE_INIT;
static CURLcode global = CURLE_FAILED_INIT;

static void init_global(void)
{
    global = curl_global_init(CURL_GLOBAL_DEFAULT);
}

static uint32_t or_default(uint32_t value, uint32_t fallback)
{
    return value > 0 ? value : fallback;
}

static kw_status check_url(struct kw_op *op, const char *url, bool *ret_tls)
{
    AUTO(curlu) *parts = curl_url();
    char *scheme = NULL;

    ENSURE(op, parts, KW_E_MEMORY, "HTTP client");
    ENSURE(op,
           curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
               curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK,
           KW_E_INPUT, "'%s' is no URL", url);
    *ret_tls = strcmp(scheme, "https") == 0;
    bool is_plain = strcmp(scheme, "http") == 0;
    curl_free(scheme);
    ENSURE(op, *ret_tls || is_plain, KW_E_INPUT, "'%s' is neither https nor http", url);
    return KW_OK;
}

kw_status http_client_new(struct kw_op *op, const struct http_client_config *config,
                          struct http_client **ret)
{
    AUTO(http_client) *client = calloc(1, sizeof(*client));
    bool is_tls = false;

    ENSURE(op, client, KW_E_MEMORY, "HTTP client");
    (void)pthread_once(&once, init_global); /* fails only for a broken once */
    ENSURE(op, global == CURLE_OK, KW_E_MEMORY, "libcurl: %s", curl_easy_strerror(global));
    TRY(op, check_url(op, config->base_url, &is_tls));
    client->config = (struct http_client_config){
        .connect_timeout_ms = or_default(config->connect_timeout_ms, CONNECT_TIMEOUT_MS),
        .total_timeout_ms = or_default(config->total_timeout_ms, TOTAL_TIMEOUT_MS),
        .response_max = config->response_max > 0 ? config->response_max : RESPONSE_MAX,
    };
    client->exporter_label = config->exporter_label;
    client->base_url = strdup(config->base_url);
    client->curl = curl_easy_init();
    ENSURE(op, client->base_url && client->curl, KW_E_MEMORY, "HTTP client");
    size_t len = strlen(client->base_url);
    while (len > 0 && client->base_url[len - 1] == '/') {
        client->base_url[--len] = '\0'; /* paths begin with one */
    }
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
    if (client->curl) {
        curl_easy_cleanup(client->curl);
        tls_client_end();
    }
    tls_client_free(client->tls);
    free(client->base_url);
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

void http_client_disconnect(struct http_client *client)
{
    curl_easy_cleanup(client->curl); /* closes it; NULL does no harm */
    tls_client_end();
    client->curl = curl_easy_init();
}

/* What a failure of libcurl means where nothing was sent, or nothing is changed by sending it
 * twice. */
static const struct {
    CURLcode curl;
    enum kw_code code;
    bool final; /* it means that also where the request was sent */
} outcomes[] = {
    {CURLE_OPERATION_TIMEDOUT,       KW_E_TIMEOUT, false},
    {CURLE_PEER_FAILED_VERIFICATION, KW_E_AUTH,    true }, /* not the name in its certificate */
    {CURLE_OUT_OF_MEMORY,            KW_E_MEMORY,  false},
    {CURLE_URL_MALFORMAT,            KW_E_INPUT,   true },
    {CURLE_WEIRD_SERVER_REPLY,       KW_E_DEVICE,  false},
};

static kw_status explain(struct kw_op *op, const struct http_client *client, CURLcode result)
{
    const char *text = client->error[0] != '\0' ? client->error : curl_easy_strerror(result);
    enum kw_code code = KW_E_UNAVAILABLE;
    bool final = false;

    for (unsigned i = 0; i < KW_COUNT(outcomes); i++) {
        if (outcomes[i].curl == result) {
            code = outcomes[i].code;
            final = outcomes[i].final;
        }
    }
    ENSURE(op, client->n_sent == 0 || client->safe || final, KW_E_UNSURE,
           "%s got the request, but its answer did not arrive: %.100s", client->base_url, text);
    return FAIL(op, code, "%s: %.120s", client->base_url, text);
}

static kw_status outcome(struct kw_op *op, const struct http_client *client, CURLcode result)
{
    if (result == CURLE_OK) {
        return KW_OK;
    }
    if (client->tls) {
        TRY(op, tls_client_failure(op, client->tls), "%s", client->base_url);
    }
    ENSURE(op, !client->too_large, KW_E_TOO_LARGE, "the answer of %s has more than %zu octets",
           client->base_url, client->config.response_max);
    ENSURE(op, !client->no_memory, KW_E_MEMORY, "the answer of %s", client->base_url);
    ENSURE(op, !client->moved || client->n_sent > 0, KW_E_UNAVAILABLE,
           "the connection to %s that this was made for has ended; retry", client->base_url);
    return explain(op, client, result);
}

/*
 * libcurl's own guard against SIGPIPE is off with CURLOPT_NOSIGNAL, as it is process-wide. This one
 * holds for the thread: a signal that comes while it is blocked is taken from the queue before it
 * is let through again.
 */
static CURLcode perform_quietly(CURL *curl)
{
    static const struct timespec at_once;
    sigset_t pending;
    sigset_t broken_pipe;
    sigset_t before;

    /* None of these fails with valid arguments. */
    (void)sigemptyset(&pending);
    (void)sigpending(&pending);
    (void)sigemptyset(&broken_pipe);
    (void)sigaddset(&broken_pipe, SIGPIPE);
    (void)pthread_sigmask(SIG_BLOCK, &broken_pipe, &before);
    CURLcode result = curl_easy_perform(curl);
    if (!sigismember(&pending, SIGPIPE)) {
        while (sigtimedwait(&broken_pipe, NULL, &at_once) < 0 && errno == EINTR) {
        }
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return result;
}

static kw_status perform(struct kw_op *op, struct http_client *client)
{
    long status = 0;

    if (client->tls) {
        tls_client_begin(client->tls, op);
    }
    CURLcode result = CURLE_OK;
    {
        struct kw_op *signing = client->tls ? tls_client_op(client->tls) : op;
        PRIVKEY_SCOPE(signing);
        result = perform_quietly(client->curl);
        tls_client_end();
    }
    result = result == CURLE_OK && !client->whole_head ? CURLE_RECV_ERROR : result;
    TRY(op, outcome(op, client, result));
    ENSURE(op,
           curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK &&
               status >= 200 && status < 600,
           KW_E_DEVICE, "%s answers with status %ld", client->base_url, status);
    client->answer.status = (int)status;
    return KW_OK;
}

kw_status http_client_call(struct kw_op *op, struct http_client *client,
                           const struct http_call *call, struct http_answer *ret)
{
    client->answer = (struct http_answer){0};
    client->safe = call->method == HTTP_GET || call->method == HTTP_HEAD;
    client->n_sent = 0;
    client->too_large = false;
    client->no_memory = false;
    client->whole_head = false;
    client->want_exporter = call->exporter;
    client->moved = false;
    client->error[0] = '\0';
    kw_status status = client_prepare(op, client, call);
    if (kw_ok(status)) {
        status = perform(op, client);
    }
    client_wipe_request(client);
    if (kw_ok(status)) {
        *ret = client->answer;
    } else {
        http_answer_done(&client->answer);
    }
    client->answer.body = NULL;
    return status;
}
