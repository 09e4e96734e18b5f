/* What is sent, and how. */
#include <stdio.h>
#include <string.h>

#include "base/b64.h"
#include "base/secret.h"
#include "net/client_internal.h"
#include "os/clock.h"

enum {
    IDLE_MAX_S = 30, /* half of what our servers grant: no request meets a closing connection */
    SLOW_BYTES_PER_S = 1024,
    SLOW_FOR_S = 60,
    HEADER_MAX = 2048,
};

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
    SET(curl, CURLOPT_LOW_SPEED_LIMIT, (long)SLOW_BYTES_PER_S);
    SET(curl, CURLOPT_LOW_SPEED_TIME, (long)SLOW_FOR_S);
    SET(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)client->config.connect_timeout_ms);
    SET(curl, CURLOPT_USERAGENT, "keywright/" KW_VERSION);
    SET(curl, CURLOPT_ERRORBUFFER, client->error);
    SET(curl, CURLOPT_PREREQFUNCTION, client_on_request);
    SET(curl, CURLOPT_PREREQDATA, client);
    SET(curl, CURLOPT_WRITEFUNCTION, client_on_body);
    SET(curl, CURLOPT_WRITEDATA, client);
    SET(curl, CURLOPT_HEADERFUNCTION, client_on_header);
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
    SET(curl, CURLOPT_SSL_CTX_FUNCTION, client_on_ssl_ctx);
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

kw_status client_prepare(struct kw_op *op, struct http_client *client, const struct http_call *call)
{
    long left_ms = time_left_ms(op, client);

    ENSURE(op, left_ms > 0, KW_E_TIMEOUT, "no time is left to ask %s", client->base_url);
    ENSURE(op, client->curl, KW_E_MEMORY, "HTTP client");
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

/* The list holds the Authorization header. */
void client_wipe_request(struct http_client *client)
{
    for (struct curl_slist *h = client->headers; h; h = h->next) {
        kw_wipe(h->data, strlen(h->data));
    }
    curl_slist_free_all(client->headers);
    client->headers = NULL;
}
