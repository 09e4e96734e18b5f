/* For relying parties, plain HTTP: OCSP (RFC 6960, RFC 9919), CRLs, CA certificates, the public
 * half of the log. */
#include <stdio.h>
#include <stdlib.h>

#include "api/api.h"
#include "base/b64.h"
#include "service/authorities.h"
#include "service/log/keys.h"
#include "service/log/log.h"
#include "service/validation/crl_maker.h"
#include "service/validation/filter_maker.h"
#include "service/validation/ocsp_responder.h"

enum { RELYING_DEADLINE_MS = 5000, CRL_MAX_AGE_S = 60 };

/* Errors of the responder go as OCSP answers with HTTP 200. */
static void render_ocsp(enum kw_code code, const char *public_text, const char *request_id,
                        struct http_response *response)
{
    struct kw_span der = ocsp_reply_failed(kw_code_may_retry(code));

    (void)public_text;
    (void)request_id;
    response->status = code == KW_E_NOT_FOUND ? 404 : 200;
    response->content_type = "application/ocsp-response";
    response->keep_shared = true;
    response->shared_body = der;
}
static const struct http_error_style ocsp_errors = {.render = render_ocsp};

static void release_reply(void *shared)
{
    ocsp_entry_unref(shared);
}

/* Has the asker this very version? If-Modified-Since counts only without If-None-Match (RFC 9110
 * section 13.2.2); a date other than the one we gave is not ours. */
static bool is_fresh(const struct http_request *request, const char *etag,
                     const char *last_modified)
{
    const char *has = request->header(request, "If-None-Match");
    const char *since = request->header(request, "If-Modified-Since");

    if (has) {
        return strcmp(has, "*") == 0 || strstr(has, etag) != NULL;
    }
    return since && strcmp(since, last_modified) == 0;
}

/* RFC 9919 section 7.2: a cache of HTTP knows what it may do with the answer to a GET. */
static kw_status describe_get(struct kw_op *op, const struct http_request *request,
                              const struct ocsp_reply *reply, struct http_response *response)
{
    const struct ocsp_entry *entry = reply->entry;

    ENSURE(op, entry, KW_E_INTERNAL, "an answer without its texts");
    TRY(op, http_response_header(op, response, "ETag", entry->etag));
    TRY(op, http_response_header(op, response, "Last-Modified", entry->last_modified));
    TRY(op, http_response_header(op, response, "Expires", entry->expires));
    if (is_fresh(request, entry->etag, entry->last_modified)) {
        response->status = 304;
    }
    return KW_OK;
}

static kw_status lend_reply(struct kw_op *op, const struct http_request *request,
                            const struct ocsp_reply *reply, struct http_response *response)
{
    char value[64];

    response->content_type = "application/ocsp-response";
    response->keep_shared = true;
    response->shared_body = reply->der;
    response->shared = reply->entry;
    response->shared_release = reply->entry ? release_reply : NULL;
    if (reply->max_age_s <= 0) {
        return http_response_header(op, response, "Cache-Control", "no-store");
    }
    if (request->method != HTTP_POST) {
        TRY(op, describe_get(op, request, reply, response));
    }
    (void)snprintf(value, sizeof(value), "max-age=%lld, public, no-transform, must-revalidate",
                   (long long)reply->max_age_s);
    return http_response_header(op, response, "Cache-Control", value);
}

/* On the loop thread: from memory or not at all (KW_E_STATE sends the request to the pool, where it
 * comes in again). */
static kw_status respond(struct kw_op *op, struct api *api, const struct http_request *request,
                         struct kw_span der, struct http_response *response)
{
    const char *ca = kw_uri_param(&request->params, "ca");
    struct ocsp_reply reply = {0};

    if (!ocsp_respond_cached(api->service, ca, der, &reply)) {
        ENSURE(op, !request->on_loop, KW_E_STATE, "not in memory");
        TRY(op, ocsp_respond(op, api->service, ca, der, &reply));
    }
    return lend_reply(op, request, &reply, response);
}

static kw_status ocsp_post(struct kw_op *op, void *ctx, const struct http_request *request,
                           struct http_response *response)
{
    return respond(op, ctx, request, request->body, response);
}

/* Some clients write the other alphabet (RFC 4648 section 5), or leave the padding out: nothing
 * else can be meant. ret has room for 3 more. */
static void to_standard_base64(char *text)
{
    size_t len = strlen(text);
    bool padded = strchr(text, '=') != NULL;

    for (size_t i = 0; i < len; i++) {
        text[i] = (char)(text[i] == '-' ? '+' : text[i] == '_' ? '/' : text[i]);
    }
    while (!padded && len % 4 > 1) {
        text[len++] = '=';
    }
    text[len] = 0;
}

/* GET /ocsp/CA/{base64}: percent-encoded or not, with slashes of the alphabet in the path (FACTS
 * 21). */
static kw_status ocsp_get(struct kw_op *op, void *ctx, const struct http_request *request,
                          struct http_response *response)
{
    const char *encoded = kw_uri_param(&request->params, "request");
    char text[KW_URI_MAX + 4] = "";
    AUTO(kw_bytes) *der = NULL;

    bool decoded = kw_ok(kw_uri_decode(kw_span_text(encoded), text, KW_URI_MAX));
    to_standard_base64(text);
    if (!decoded || !kw_ok(kw_b64_decode(kw_span_text(text), KW_OCSP_REQ_MAX, &der))) {
        TRY(op, kw_bytes_new(0, &der)); /* answered as malformedRequest */
    }
    return respond(op, ctx, request, kw_bytes_span(der), response);
}

/* "devices.crl" → "devices". */
static kw_status stem(struct kw_op *op, const char *file, const char *suffix, char *name,
                      size_t cap)
{
    size_t n = strlen(file), m = strlen(suffix);

    ENSURE(op, n > m && n - m < cap && strcmp(file + n - m, suffix) == 0, KW_E_NOT_FOUND, "no '%s'",
           file);
    memcpy(name, file, n - m);
    name[n - m] = 0;
    return KW_OK;
}

static void release_crl(void *shared)
{
    crl_doc_unref(shared);
}

/* The reference goes with the answer. */
static void lend_doc(struct crl_doc *doc, struct http_response *response)
{
    response->keep_shared = true;
    response->shared_body = kw_bytes_span(doc->der);
    response->shared = doc;
    response->shared_release = release_crl;
}

/* A cache asks again soon, for something may be revoked at any time; mostly it hears that nothing
 * was. */
static kw_status describe_crl(struct kw_op *op, const struct http_request *request,
                              const struct crl_doc *doc, struct http_response *response)
{
    int64_t left_s = doc->next_update - service_now_ms() / 1000;
    char age[48];

    (void)snprintf(age, sizeof(age), "max-age=%lld, public",
                   (long long)(left_s < 0               ? 0
                               : left_s < CRL_MAX_AGE_S ? left_s
                                                        : CRL_MAX_AGE_S));
    TRY(op, http_response_header(op, response, "Cache-Control", age));
    TRY(op, http_response_header(op, response, "ETag", doc->etag));
    TRY(op, http_response_header(op, response, "Last-Modified", doc->last_modified));
    if (is_fresh(request, doc->etag, doc->last_modified)) {
        response->status = 304;
    }
    return KW_OK;
}

static kw_status crl(struct kw_op *op, void *ctx, const struct http_request *request,
                     struct http_response *response)
{
    char name[KW_NAME_MAX];
    struct crl_doc *doc = NULL;

    TRY(op, stem(op, kw_uri_param(&request->params, "file"), ".crl", name, sizeof(name)));
    TRY(op, crl_lend(op, ((struct api *)ctx)->service, name, &doc));
    ENSURE(op, doc, KW_E_INTERNAL, "no list");
    response->content_type = "application/pkix-crl";
    lend_doc(doc, response);
    return describe_crl(op, request, doc, response);
}

static kw_status filter(struct kw_op *op, void *ctx, const struct http_request *request,
                        struct http_response *response)
{
    char name[KW_NAME_MAX];
    struct crl_doc *doc = NULL;

    TRY(op, stem(op, kw_uri_param(&request->params, "file"), ".filter", name, sizeof(name)));
    TRY(op, filter_lend(op, ((struct api *)ctx)->service, name, &doc));
    ENSURE(op, doc, KW_E_INTERNAL, "no filter");
    response->content_type = "application/octet-stream";
    lend_doc(doc, response);
    return describe_crl(op, request, doc, response);
}

static kw_status ca_cert(struct kw_op *op, void *ctx, const struct http_request *request,
                         struct http_response *response)
{
    AUTO(authorities) *all = service_authorities(((struct api *)ctx)->service);
    char name[KW_NAME_MAX];
    const struct ca *ca = NULL;

    TRY(op, stem(op, kw_uri_param(&request->params, "file"), ".cer", name, sizeof(name)));
    response->content_type = "application/pkix-cert";
    const struct cert *above = authorities_above(all, name);
    if (above) {
        return kw_bytes_copy(cert_der(above), &response->body);
    }
    for (unsigned i = 0; i < all->n_cross; i++) {
        if (strcmp(all->cross[i].name, name) == 0) {
            return kw_bytes_copy(cert_der(all->cross[i].cert), &response->body);
        }
    }
    for (unsigned i = 0; i < all->n_links; i++) {
        if (strcmp(all->links[i].name, name) == 0) {
            return kw_bytes_copy(cert_der(all->links[i].cert), &response->body);
        }
    }
    TRY(op, authorities_find(op, all, name, &ca));
    return kw_bytes_copy(cert_der(ca->cert), &response->body);
}

static kw_status checkpoint(struct kw_op *op, void *ctx, const struct http_request *request,
                            struct http_response *response)
{
    (void)request;
    TRY(op, log_checkpoint(op, ((struct api *)ctx)->service, &response->body));
    response->content_type = "text/plain; charset=utf-8";
    return http_response_header(op, response, "Cache-Control", "no-cache");
}

/* Of a line of the log that was ended: what it covers, it still proves. */
static kw_status old_checkpoint(struct kw_op *op, void *ctx, const struct http_request *request,
                                struct http_response *response)
{
    const char *n = kw_uri_param(&request->params, "n");

    ENSURE(op, strspn(n, "0123456789") == strlen(n) && strlen(n) < 6, KW_E_NOT_FOUND, "no '%s'", n);
    TRY(op, log_checkpoint_of(op, ((struct api *)ctx)->service, (unsigned)strtoul(n, NULL, 10),
                              &response->body));
    response->content_type = "text/plain; charset=utf-8";
    return http_response_header(op, response, "Cache-Control", "max-age=3600");
}

static kw_status successor(struct kw_op *op, void *ctx, const struct http_request *request,
                           struct http_response *response)
{
    const char *n = kw_uri_param(&request->params, "n");

    ENSURE(op, strspn(n, "0123456789") == strlen(n) && strlen(n) < 6, KW_E_NOT_FOUND, "no '%s'", n);
    TRY(op, log_successor(op, ((struct api *)ctx)->service, (unsigned)strtoul(n, NULL, 10),
                          &response->body));
    response->content_type = "text/plain; charset=utf-8";
    return http_response_header(op, response, "Cache-Control", "max-age=3600");
}

/* Hashes are public; entries name devices and people and are for operators (api/rest/log.c). */
static kw_status tile(struct kw_op *op, void *ctx, const struct http_request *request,
                      struct http_response *response)
{
    char path[KW_PATH_BYTES];
    const char *rest = kw_uri_param(&request->params, "path");

    ENSURE(op, strncmp(rest, "entries/", 8) != 0, KW_E_DENIED, "log entries are for operators");
    (void)snprintf(path, sizeof(path), "tile/%s", rest);
    TRY(op, log_tile(op, ((struct api *)ctx)->service, path, &response->body));
    response->content_type = "application/octet-stream";
    return http_response_header(op, response, "Cache-Control", "max-age=31536000, immutable");
}

/* clang-format off */
const struct route relying_routes[] = {
    {HTTP_POST, "/ocsp/{ca}",              AUTH_NONE, "application/ocsp-request", KW_OCSP_REQ_MAX, RELYING_DEADLINE_MS, ROUTE_FAST, ocsp_post,  &ocsp_errors,      "OCSP"},
    {HTTP_GET,  "/ocsp/{ca}/{request...}", AUTH_NONE, NULL,                       0,               RELYING_DEADLINE_MS, ROUTE_FAST, ocsp_get,   &ocsp_errors,      "OCSP, request in the path"},
    {HTTP_GET,  "/crl/{file}",             AUTH_NONE, NULL,                       0,               RELYING_DEADLINE_MS, 0,          crl,        &http_errors_text, "CRL of a CA, DER"},
    {HTTP_GET,  "/filter/{file}",          AUTH_NONE, NULL,                       0,               RELYING_DEADLINE_MS, 0,          filter,     &http_errors_text, "revocation filter of a CA (docs/protocol/filter.md)"},
    {HTTP_GET,  "/ca/{file}",              AUTH_NONE, NULL,                       0,               RELYING_DEADLINE_MS, 0,          ca_cert,    &http_errors_text, "certificate of a CA, DER"},
    {HTTP_GET,  "/log/checkpoint",         AUTH_NONE, NULL,                       0,               RELYING_DEADLINE_MS, 0,          checkpoint, &http_errors_text, "newest signed head of the log"},
    {HTTP_GET,  "/log/checkpoint/{n}",     AUTH_NONE, NULL,                       0,               RELYING_DEADLINE_MS, 0,          old_checkpoint, &http_errors_text, "last head of the log's n-th line, which an accepted loss has ended"},
    {HTTP_GET,  "/log/successor/{n}",      AUTH_NONE, NULL,                       0,               RELYING_DEADLINE_MS, 0,          successor,  &http_errors_text, "announcement of the log's n-th key"},
    {HTTP_GET,  "/log/tile/{path...}",     AUTH_NONE, NULL,                       0,               RELYING_DEADLINE_MS, 0,          tile,       &http_errors_text, "hashes of the log"},
};
/* clang-format on */
const unsigned relying_routes_n = KW_COUNT(relying_routes);
