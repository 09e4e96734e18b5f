/* What comes back, as libcurl hands it over. */
#include <stdlib.h>
#include <strings.h>

#include "net/client_internal.h"
#include "net/request.h"

void http_answer_done(struct http_answer *answer)
{
    kw_bytes_free(answer->body);
    answer->body = NULL;
}

CURLcode client_on_ssl_ctx(CURL *curl, void *ssl_ctx, void *arg)
{
    struct http_client *client = arg;

    (void)curl;
    return tls_client_apply(client->tls, ssl_ctx) ? CURLE_OK : CURLE_SSL_CERTPROBLEM;
}

/* libcurl shows the connection only while it is used. */
static void note_exporter(struct http_client *client)
{
    struct curl_tlssessioninfo *session = NULL;

    client->has_exporter =
        client->exporter_label && client->tls &&
        curl_easy_getinfo(client->curl, CURLINFO_TLS_SSL_PTR, &session) == CURLE_OK && session &&
        session->backend == CURLSSLBACKEND_OPENSSL && session->internals &&
        tls_client_export(session->internals, client->exporter_label, client->exporter);
}

/*
 * A request is about to be sent. libcurl sends it again by itself where a kept-alive connection
 * broke before an answer; that may do twice what was asked once (enrol, sign), so only safe methods
 * may.
 */
int client_on_request(void *arg, char *to_ip, char *from_ip, int to_port, int from_port)
{
    struct http_client *client = arg;

    (void)to_ip;
    (void)from_ip;
    (void)to_port;
    (void)from_port;
    note_exporter(client);
    client->moved = client->want_exporter &&
                    (!client->has_exporter ||
                     memcmp(client->want_exporter, client->exporter, HTTP_EXPORTER) != 0);
    if (client->moved && client->n_sent == 0) {
        return CURL_PREREQFUNC_ABORT;
    }
    client->n_sent++;
    return !client->moved && (client->n_sent == 1 || client->safe) ? CURL_PREREQFUNC_OK
                                                                   : CURL_PREREQFUNC_ABORT;
}

size_t client_on_body(char *data, size_t one, size_t n, void *arg)
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

size_t client_on_header(char *data, size_t one, size_t n, void *arg)
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
