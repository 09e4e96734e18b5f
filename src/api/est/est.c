/* Enrolment over Secure Transport (RFC 7030, RFC 8951): translation only. */
#include "api/api.h"
#include "base/b64.h"
#include "service/authority/chain.h"
#include "service/registration/enrol.h"

enum { EST_LINE = 76, EST_DEADLINE_MS = 10000 };

static kw_status answer(struct kw_op *op, struct kw_span der, struct http_response *response)
{
    AUTO(kw_bytes) *body = NULL;

    /* "The Content-Transfer-Encoding … base64" (RFC 7030 section 4.1.3); RFC 8951 lets clients
     * ignore the header. */
    TRY(op, kw_bytes_new(der.len * 3 / 2 + 64, &body));
    TRY(op, kw_b64_encode(der, EST_LINE, body));
    TRY(op, http_response_header(op, response, "Content-Transfer-Encoding", "base64"));
    response->content_type = "application/pkcs7-mime; smime-type=certs-only";
    response->body = TAKE(body);
    return KW_OK;
}

/* A label that is no profile is a wrong address (404), before anything else. */
static kw_status label(struct kw_op *op, struct service *service,
                       const struct http_request *request, const char **ret)
{
    const struct bound_profile *profile = NULL;
    const char *name = kw_uri_param(&request->params, "label");

    *ret = name ? name : "";
    return name ? service_profile(op, service, name, &profile) : KW_OK;
}

/* GET cacerts (RFC 7030 section 4.1): every issuing CA of ours, then the root. */
static kw_status cacerts(struct kw_op *op, void *ctx, const struct http_request *request,
                         struct http_response *response)
{
    struct service *service = ((struct api *)ctx)->service;
    const char *name = NULL;
    AUTO(kw_bytes) *cms = NULL;

    TRY(op, label(op, service, request, &name));
    TRY(op, chain_of_cas(op, service, &cms));
    return answer(op, kw_bytes_span(cms), response);
}

/* GET csrattrs: nothing is asked for, "204 or 404" (RFC 8951 section 4). */
static kw_status csrattrs(struct kw_op *op, void *ctx, const struct http_request *request,
                          struct http_response *response)
{
    const char *name = NULL;

    TRY(op, label(op, ((struct api *)ctx)->service, request, &name));
    response->status = 204;
    return KW_OK;
}

typedef kw_status (*enrol_fn)(struct kw_op *op, struct service *service,
                              const struct enrol_asker *asker, const char *profile,
                              const struct enrol_request *what, struct store_cert *ret);

static kw_status enrol(struct kw_op *op, struct api *api, const struct http_request *request,
                       enrol_fn how, struct http_response *response)
{
    const struct http_principal *who = &request->who;
    const char *profile = NULL;
    AUTO(kw_bytes) *der = NULL;
    AUTO(csr) *csr = NULL;
    AUTO(kw_bytes) *cms = NULL;
    struct enrol_request what;
    struct store_cert issued;
    struct enrol_asker asker = {
        .device_id = who->id,
        .secret = who->kind == AUTH_SECRET ? who->secret : NULL,
        .fingerprint = request->peer_cert ? cert_sha256(request->peer_cert) : NULL,
        .cert_profile = who->profile,
    };

    TRY(op, label(op, api->service, request, &profile));
    kw_status decoded = kw_b64_decode(request->body, KW_CSR_MAX, &der);
    if (!kw_ok(decoded)) {
        return FAIL(op, decoded.code, "the body is not base64 of a certification request");
    }
    TRY(op, enrol_request_from_csr(op, kw_bytes_span(der), &csr, &what));
    TRY(op, how(op, api->service, &asker, profile, &what, &issued));
    TRY(op, chain_of_one(op, &issued, &cms)); /* only the issued one: RFC 7030 section 4.2.3 */
    return answer(op, kw_bytes_span(cms), response);
}

static kw_status simpleenroll(struct kw_op *op, void *ctx, const struct http_request *request,
                              struct http_response *response)
{
    return enrol(op, ctx, request, enrol_first, response);
}

static kw_status simplereenroll(struct kw_op *op, void *ctx, const struct http_request *request,
                                struct http_response *response)
{
    return enrol(op, ctx, request, enrol_again, response);
}

#define EST "/.well-known/est"
#define PKCS10 "application/pkcs10"

/* clang-format off */
const struct route est_routes[] = {
    {HTTP_GET,  EST "/cacerts",                AUTH_NONE,                 NULL,   0,                EST_DEADLINE_MS, 0, cacerts,        &http_errors_text, "CA certificates"},
    {HTTP_GET,  EST "/{label}/cacerts",        AUTH_NONE,                 NULL,   0,                EST_DEADLINE_MS, 0, cacerts,        &http_errors_text, "CA certificates"},
    {HTTP_GET,  EST "/csrattrs",               AUTH_NONE,                 NULL,   0,                EST_DEADLINE_MS, 0, csrattrs,       &http_errors_text, "attributes wanted in requests: none"},
    {HTTP_GET,  EST "/{label}/csrattrs",       AUTH_NONE,                 NULL,   0,                EST_DEADLINE_MS, 0, csrattrs,       &http_errors_text, "attributes wanted in requests: none"},
    {HTTP_POST, EST "/simpleenroll",           AUTH_SECRET | AUTH_DEVICE, PKCS10, KW_EST_BODY_MAX,  EST_DEADLINE_MS, 0, simpleenroll,   &http_errors_text, "first certificate, profile by the proof"},
    {HTTP_POST, EST "/{label}/simpleenroll",   AUTH_SECRET | AUTH_DEVICE, PKCS10, KW_EST_BODY_MAX,  EST_DEADLINE_MS, 0, simpleenroll,   &http_errors_text, "first certificate of a profile"},
    {HTTP_POST, EST "/simplereenroll",         AUTH_DEVICE,               PKCS10, KW_EST_BODY_MAX,  EST_DEADLINE_MS, 0, simplereenroll, &http_errors_text, "renewal of the connection's certificate"},
    {HTTP_POST, EST "/{label}/simplereenroll", AUTH_DEVICE,               PKCS10, KW_EST_BODY_MAX,  EST_DEADLINE_MS, 0, simplereenroll, &http_errors_text, "renewal of the connection's certificate"},
};
/* clang-format on */
const unsigned est_routes_n = KW_COUNT(est_routes);
