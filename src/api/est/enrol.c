/* simpleenroll and simplereenroll (RFC 7030 section 4.2). */
#include <stdio.h>

#include "api/est/est.h"
#include "service/authority/chain.h"

kw_status est_label(struct kw_op *op, struct service *service, const struct http_request *request,
                    const char **ret)
{
    const struct bound_profile *profile = NULL;
    const char *name = kw_uri_param(&request->params, "label");

    *ret = name ? name : "";
    return name ? service_profile(op, service, name, &profile) : KW_OK;
}

struct enrol_asker est_asker(const struct http_request *request)
{
    const struct http_principal *who = &request->who;
    bool station = who->kind == AUTH_STATION;

    return (struct enrol_asker){
        .device_id = station ? NULL : who->id,
        .secret = who->kind == AUTH_SECRET ? who->secret : NULL,
        .fingerprint = request->peer_cert ? cert_sha256(request->peer_cert) : NULL,
        .cert_profile = who->profile,
        .via = station ? who->owner : "",
        .protocol = "est",
        .binding = request->binding,
    };
}

typedef kw_status (*enrol_fn)(struct kw_op *op, struct service *service,
                              const struct enrol_asker *asker, const char *profile,
                              const struct enrol_request *what, struct store_cert *ret);

static kw_status enrol(struct kw_op *op, struct api *api, const struct http_request *request,
                       enrol_fn how, struct http_response *response)
{
    const struct enrol_asker asker = est_asker(request);
    const char *profile = NULL;
    AUTO(kw_bytes) *der = NULL;
    AUTO(csr) *csr = NULL;
    AUTO(kw_bytes) *cms = NULL;
    struct enrol_request what;
    struct store_cert issued;

    TRY(op, est_label(op, api->service, request, &profile));
    TRY(op, est_body(op, request->body, &der));
    TRY(op, enrol_request_from_csr(op, kw_bytes_span(der), &csr, &what));
    TRY(op, how(op, api->service, &asker, profile, &what, &issued));
    TRY(op, chain_of_one(op, &issued, &cms)); /* only the issued one: RFC 7030 section 4.2.3 */
    return est_answer(op, kw_bytes_span(cms), EST_CERTS_ONLY, response);
}

EST_HANDLER(est_simpleenroll)
{
    return enrol(op, ctx, request, enrol_first, response);
}

EST_HANDLER(est_simplereenroll)
{
    return enrol(op, ctx, request, enrol_again, response);
}
