#include "net/client.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/b64.h"
#include "base/secret.h"
#include "net/request.h"
#include "net/tls_client.h"
#include "os/clock.h"

enum {
    CONNECT_TIMEOUT_MS = 5000,
    TOTAL_TIMEOUT_MS = 15000,
    RESPONSE_MAX = 1 << 20,
    IDLE_MAX_S = 30, /* half of what our servers grant: no request meets a closing connection */
    SLOW_BYTES_PER_S = 1024,
    SLOW_FOR_S = 60,
    HEADER_MAX = 2048,
};

struct http_client {
    CURL *curl;
    struct tls_client *tls; /* NULL: plain HTTP */
    char *base_url;
    struct http_client_config config; /* numbers only, defaults filled in */
    bool forget;                      /* the next call makes a new connection */
    /* Of the call at work: */
    bool safe;       /* GET, HEAD: to send it twice does no harm */
    unsigned n_sent; /* connections on which it was begun */
    bool too_large, no_memory;
    bool whole_head; /* libcurl takes headers that break off for whole ones */
    struct http_answer answer;
    struct curl_slist *headers;
    char error[CURL_ERROR_SIZE];
};

KW_OWNED(curlu, CURLU, curl_url_cleanup)

static pthread_once_t once = PTHREAD_ONCE_INIT;
static CURLcode global = CURLE_FAILED_INIT;

static void init_global(void)
{
    global = curl_global_init(CURL_GLOBAL_DEFAULT);
}

void http_answer_done(struct http_answer *answer)
{
    kw_bytes_free(answer->body);
    answer->body = NULL;
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
    }
    tls_client_free(client->tls);
    free(client->base_url);
    free(client);
}

void http_client_disconnect(struct http_client *client)
{
    client->forget = true;
}

/* libcurl's callbacks. */

static CURLcode on_ssl_ctx(CURL *curl, void *ssl_ctx, void *arg)
{
    struct http_client *client = arg;

    (void)curl;
    return tls_client_apply(client->tls, ssl_ctx) ? CURLE_OK : CURLE_SSL_CERTPROBLEM;
}

/*
 * A request is about to be sent. libcurl sends it again by itself where a kept-alive connection
 * broke before an answer; that may do twice what was asked once (enrol, sign), so only safe methods
 * may.
 */
static int on_request(void *arg, char *to_ip, char *from_ip, int to_port, int from_port)
{
    struct http_client *client = arg;

    (void)to_ip;
    (void)from_ip;
    (void)to_port;
    (void)from_port;
    client->n_sent++;
    return client->n_sent == 1 || client->safe ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

static size_t on_body(char *data, size_t one, size_t n, void *arg)
{
    struct http_client *client = arg;
    struct kw_bytes *body = client->answer.body;

    (void)one; /* always 1 */
    client->too_large = n > client->config.response_max - body->len;
    if (client->too_large) {
        return 0;
    }
    client->no_memory = !kw_ok(kw_bytes_append(body, KW_SPAN(data, n)));
    return client->no_memory ? 0 : n;
}

/* The value of header `name`, if line is that header; NUL-terminated into text. */
static bool header_value(struct kw_span line, const char *name, char *text, size_t cap)
{
    size_t n = strlen(name);

    if (line.len <= n || line.p[n] != ':' || strncasecmp((const char *)line.p, name, n) != 0) {
        return false;
    }
    struct kw_span value = kw_span_sub(line, n + 1, line.len);
    while (value.len > 0 && (value.p[0] == ' ' || value.p[0] == '\t')) {
        value = kw_span_sub(value, 1, value.len);
    }
    while (value.len > 0 && value.p[value.len - 1] <= ' ') {
        value.len--;
    }
    if (value.len >= cap) {
        return false;
    }
    memcpy(text, value.p, value.len);
    text[value.len] = '\0';
    return true;
}

/* Seconds only; a date (RFC 9110 section 10.2.3) is as good as absent. */
static uint32_t retry_after_of(const char *value)
{
    char *end = NULL;
    unsigned long seconds = strtoul(value, &end, 10);

    bool is_number = value[0] >= '0' && value[0] <= '9' && *end == '\0';
    return is_number && seconds <= UINT32_MAX ? (uint32_t)seconds : 0;
}

static size_t on_header(char *data, size_t one, size_t n, void *arg)
{
    struct http_client *client = arg;
    struct http_answer *answer = &client->answer;
    struct kw_span line = KW_SPAN(data, n);
    char value[256];

    (void)one;                                    /* always 1 */
    if (n > 5 && memcmp(data, "HTTP/", 5) == 0) { /* a 100 came before */
        answer->content_type[0] = '\0';
        answer->retry_after_s = 0;
        client->whole_head = false;
    } else if (data[0] == '\r' || data[0] == '\n') {
        client->whole_head = true;
    } else if (header_value(line, "Content-Type", value, sizeof(value))) {
        request_media_type(value, answer->content_type, sizeof(answer->content_type));
    } else if (header_value(line, "Retry-After", value, sizeof(value))) {
        answer->retry_after_s = retry_after_of(value);
    }
    return n;
}

/* Preparing a call. */

static kw_status add_header(struct kw_op *op, struct http_client *client, const char *line)
{
    for (const char *c = line; *c; c++) {
        ENSURE(op, (unsigned char)*c >= ' ' && *c != 0x7f, KW_E_INPUT,
               "a control character in a request header");
    }
    struct curl_slist *longer = curl_slist_append(client->headers, line);
    ENSURE(op, longer, KW_E_MEMORY, "request headers");
    client->headers = longer;
    return KW_OK;
}

static kw_status add_named(struct kw_op *op, struct http_client *client, const char *name,
                           const char *value)
{
    char line[HEADER_MAX];

    int n = snprintf(line, sizeof(line), "%s: %s", name, value);
    ENSURE(op, n > 0 && (size_t)n < sizeof(line), KW_E_TOO_LARGE, "request header '%s'", name);
    return add_header(op, client, line);
}

/* Not by CURLOPT_PASSWORD: of our own header we know where it lies, and wipe it. */
static kw_status add_basic(struct kw_op *op, struct http_client *client,
                           const struct http_call *call)
{
    AUTO(kw_bytes) *plain = NULL;
    AUTO(kw_bytes) *line = NULL;
    const char *password = call->password ? call->password : "";
    size_t room = strlen(call->user) + strlen(password) + 2;

    ENSURE(op, !strchr(call->user, ':'), KW_E_INPUT, "a user name with a colon"); /* RFC 7617 */
    TRY(op, kw_bytes_new(room, &plain), "request headers");
    TRY(op, kw_bytes_new(room * 2 + 64, &line), "request headers"); /* never grows: no stray copy */
    kw_status status = kw_bytes_printf(plain, "%s:%s", call->user, password);
    if (kw_ok(status)) {
        status = kw_bytes_append_text(line, "Authorization: Basic ");
    }
    if (kw_ok(status)) {
        status = kw_b64_encode(kw_bytes_span(plain), 0, line);
    }
    if (kw_ok(status)) {
        status = kw_bytes_append(line, KW_SPAN("", 1));
    }
    if (kw_ok(status)) {
        status = add_header(op, client, (const char *)line->p);
    }
    kw_wipe(plain->p, plain->cap);
    kw_wipe(line->p, line->cap);
    return status;
}

static kw_status add_headers(struct kw_op *op, struct http_client *client,
                             const struct http_call *call)
{
    TRY(op, add_header(op, client, "Expect:")); /* never wait for a 100 */
    if (call->content_type) {
        TRY(op, add_named(op, client, "Content-Type", call->content_type));
    } else {
        TRY(op, add_header(op, client, "Content-Type:")); /* libcurl's own guess would be a form */
    }
    TRY(op, add_named(op, client, "Accept", call->accept ? call->accept : "*/*"));
    if (call->user) {
        TRY(op, add_basic(op, client, call));
    }
    for (unsigned i = 0; i < KW_COUNT(call->headers) && call->headers[i]; i++) {
        TRY(op, add_header(op, client, call->headers[i]));
    }
    return KW_OK;
}

/* Milliseconds left for the call; 0 = none. */
static long time_left_ms(const struct kw_op *op, const struct http_client *client)
{
    int64_t left = client->config.total_timeout_ms;

    if (op->deadline_ms != 0) {
        int64_t until = op->deadline_ms - os_clock_mono_ms();
        left = until < left ? until : left;
    }
    return left > 0 ? (long)left : 0;
}

/* For options whose arguments are constants or ours: libcurl refuses only what it was built
 * without. */
#define SET(curl, option, value)                                                                   \
    do {                                                                                           \
        CURLcode set_code_ = curl_easy_setopt((curl), (option), (value));                          \
        ENSURE(op, set_code_ == CURLE_OK, KW_E_UNSUPPORTED, "libcurl: " #option ": %s",            \
               curl_easy_strerror(set_code_));                                                     \
    } while (0)

static kw_status set_transport(struct kw_op *op, struct http_client *client)
{
    CURL *curl = client->curl;

    SET(curl, CURLOPT_NOSIGNAL, 1L);
    SET(curl, CURLOPT_PROTOCOLS_STR, "https,http");
    SET(curl, CURLOPT_PROXY, "");
    SET(curl, CURLOPT_FOLLOWLOCATION, 0L);
    SET(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(curl, CURLOPT_TCP_NODELAY, 1L);
    SET(curl, CURLOPT_MAXCONNECTS, 1L);
    SET(curl, CURLOPT_MAXAGE_CONN, (long)IDLE_MAX_S);
    SET(curl, CURLOPT_FRESH_CONNECT, client->forget ? 1L : 0L);
    SET(curl, CURLOPT_LOW_SPEED_LIMIT, (long)SLOW_BYTES_PER_S);
    SET(curl, CURLOPT_LOW_SPEED_TIME, (long)SLOW_FOR_S);
    SET(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)client->config.connect_timeout_ms);
    SET(curl, CURLOPT_USERAGENT, "keywright/" KW_VERSION);
    SET(curl, CURLOPT_ERRORBUFFER, client->error);
    SET(curl, CURLOPT_PREREQFUNCTION, on_request);
    SET(curl, CURLOPT_PREREQDATA, client);
    SET(curl, CURLOPT_WRITEFUNCTION, on_body);
    SET(curl, CURLOPT_WRITEDATA, client);
    SET(curl, CURLOPT_HEADERFUNCTION, on_header);
    SET(curl, CURLOPT_HEADERDATA, client);
    return KW_OK;
}

/* No CA of libcurl's or the system's: our verification (tls_trust.c) takes the roots of the
 * configuration only. */
static kw_status set_tls(struct kw_op *op, struct http_client *client)
{
    CURL *curl = client->curl;

    SET(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_3);
    SET(curl, CURLOPT_SSL_VERIFYPEER, 1L);
    SET(curl, CURLOPT_SSL_VERIFYHOST, 2L);
    SET(curl, CURLOPT_CAINFO, NULL);
    SET(curl, CURLOPT_CAPATH, NULL);
    SET(curl, CURLOPT_SSL_ENABLE_ALPN, 0L);
    SET(curl, CURLOPT_SSL_SESSIONID_CACHE, 0L);
    SET(curl, CURLOPT_SSL_CTX_FUNCTION, on_ssl_ctx);
    SET(curl, CURLOPT_SSL_CTX_DATA, client);
    return KW_OK;
}

static const char *method_text(enum http_method method)
{
    switch (method) {
    case HTTP_PUT:
        return "PUT";
    case HTTP_DELETE:
        return "DELETE";
    default:
        return "POST";
    }
}

static kw_status set_message(struct kw_op *op, struct http_client *client,
                             const struct http_call *call)
{
    CURL *curl = client->curl;

    if (call->method == HTTP_HEAD) {
        SET(curl, CURLOPT_NOBODY, 1L);
    } else if (call->method != HTTP_GET) {
        SET(curl, CURLOPT_POST, 1L);
        SET(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.len);
        SET(curl, CURLOPT_POSTFIELDS, call->body.len > 0 ? (const char *)call->body.p : "");
        SET(curl, CURLOPT_CUSTOMREQUEST, method_text(call->method));
    }
    SET(curl, CURLOPT_HTTPHEADER, client->headers);
    return KW_OK;
}

static kw_status set_url(struct kw_op *op, struct http_client *client, const char *path)
{
    AUTO(kw_bytes) *url = NULL;

    ENSURE(op, path[0] == '/', KW_E_INPUT, "a path begins with a slash");
    for (const char *c = path; *c; c++) {
        ENSURE(op, *c > ' ' && *c < 0x7f, KW_E_INPUT,
               "a path with characters that are not encoded");
    }
    TRY(op, kw_bytes_new(KW_URI_MAX, &url), "HTTP client");
    TRY(op, kw_bytes_printf(url, "%s%s", client->base_url, path), "HTTP client");
    TRY(op, kw_bytes_append(url, KW_SPAN("", 1)), "HTTP client");
    SET(client->curl, CURLOPT_PATH_AS_IS, 1L);
    SET(client->curl, CURLOPT_URL, (const char *)url->p); /* copied */
    return KW_OK;
}

static kw_status prepare(struct kw_op *op, struct http_client *client, const struct http_call *call)
{
    long left_ms = time_left_ms(op, client);

    ENSURE(op, left_ms > 0, KW_E_TIMEOUT, "no time is left to ask %s", client->base_url);
    curl_easy_reset(client->curl); /* keeps the connection */
    TRY(op, set_transport(op, client));
    SET(client->curl, CURLOPT_TIMEOUT_MS, left_ms);
    if (client->tls) {
        TRY(op, set_tls(op, client));
    }
    TRY(op, set_url(op, client, call->path));
    TRY(op, add_headers(op, client, call));
    TRY(op, set_message(op, client, call));
    return kw_bytes_new(0, &client->answer.body);
}

/* What a failure of libcurl means where nothing was sent, or nothing is changed by sending it
 * twice. */
static const struct {
    CURLcode curl;
    enum kw_code code;
    bool final; /* it means that also where the request was sent */
} outcomes[] = {
    {CURLE_OPERATION_TIMEDOUT,       KW_E_TIMEOUT, false},
    {CURLE_PEER_FAILED_VERIFICATION, KW_E_AUTH,
     true                                               }, /* the host's name is not in its certificate */
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
    }
    result = result == CURLE_OK && !client->whole_head ? CURLE_RECV_ERROR : result;
    TRY(op, outcome(op, client, result));
    client->forget = false;
    ENSURE(op,
           curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK &&
               status >= 200 && status < 600,
           KW_E_DEVICE, "%s answers with status %ld", client->base_url, status);
    client->answer.status = (int)status;
    return KW_OK;
}

/* The list holds the Authorization header. */
static void wipe_headers(struct http_client *client)
{
    for (struct curl_slist *h = client->headers; h; h = h->next) {
        kw_wipe(h->data, strlen(h->data));
    }
    curl_slist_free_all(client->headers);
    client->headers = NULL;
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
    client->error[0] = '\0';
    kw_status status = prepare(op, client, call);
    if (kw_ok(status)) {
        status = perform(op, client);
    }
    wipe_headers(client);
    if (kw_ok(status)) {
        *ret = client->answer;
    } else {
        http_answer_done(&client->answer);
    }
    client->answer.body = NULL;
    return status;
}
