/* The Certificate Management Protocol over HTTP (RFC 9811): translation only. */
#include "service/cmp/cmp.h"

#include "api/api.h"

enum { CMP_DEADLINE_MS = 10000 };

static const char *param(const struct http_request *request, const char *name)
{
    const char *value = kw_uri_param(&request->params, name);

    return value ? value : "";
}

/* RFC 9811 section 3.1: what is a PKIMessage is answered with 200, whatever it says. */
static kw_status serve(struct kw_op *op, void *ctx, const struct http_request *request,
                       struct http_response *response)
{
    struct service *service = ((struct api *)ctx)->service;

    TRY(op, cmp_serve(op, service, param(request, "profile"), param(request, "operation"),
                      request->body, &response->body));
    response->content_type = "application/pkixcmp";
    return KW_OK;
}

#define CMP "/.well-known/cmp"
#define PKIXCMP "application/pkixcmp"

/* Messages protect themselves, so nobody is asked who he is: docs/CMP.md. */
/* clang-format off */
const struct route cmp_routes[] = {
    {HTTP_POST, CMP,                             AUTH_NONE, PKIXCMP, KW_CMP_BODY_MAX, CMP_DEADLINE_MS, 0, serve, &http_errors_text, "CMP, profile by the proof"},
    {HTTP_POST, CMP "/{operation}",              AUTH_NONE, PKIXCMP, KW_CMP_BODY_MAX, CMP_DEADLINE_MS, 0, serve, &http_errors_text, "CMP, one operation of RFC 9483 section 6.1"},
    {HTTP_POST, CMP "/p/{profile}",              AUTH_NONE, PKIXCMP, KW_CMP_BODY_MAX, CMP_DEADLINE_MS, 0, serve, &http_errors_text, "CMP for a profile"},
    {HTTP_POST, CMP "/p/{profile}/{operation}",  AUTH_NONE, PKIXCMP, KW_CMP_BODY_MAX, CMP_DEADLINE_MS, 0, serve, &http_errors_text, "CMP for a profile, one operation"},
};
/* clang-format on */
const unsigned cmp_routes_n = KW_COUNT(cmp_routes);
