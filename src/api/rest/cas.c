#include "api/rest/rest.h"
#include "base/hex.h"
#include "service/authorities.h"

static void view(const char *id, const char *key_id, const char *subject, const struct cert *cert,
                 const struct cert *ocsp, struct ca_view *ret)
{
    memset(ret, 0, sizeof(*ret));
    KW_TEXT_SET(ret->id, id);
    KW_TEXT_SET(ret->key_id, key_id);
    KW_TEXT_SET(ret->subject, subject);
    kw_hex(KW_SPAN(cert_sha256(cert), KW_HASH_BYTES), ret->fingerprint, sizeof(ret->fingerprint));
    ret->not_before = cert_not_before(cert);
    ret->not_after = cert_not_after(cert);
    ret->ocsp_not_after = ocsp ? cert_not_after(ocsp) : 0;
}

REST_HANDLER(rest_ca_list)
{
    AUTO(authorities) *all = service_authorities(rest_service(ctx));
    struct codec_list list;
    struct ca_view shown;

    (void)request;
    TRY(op, rest_list(op, response, &list));
    view("root", "", all->root_subject, all->root, NULL, &shown);
    TRY(op, rest_item(op, &list, &ca_view, &shown));
    for (unsigned i = 0; i < all->n; i++) {
        const struct ca *ca = &all->at[i];
        view(ca->id, ca->key_id, ca->subject, ca->cert, ca->ocsp_cert, &shown);
        TRY(op, rest_item(op, &list, &ca_view, &shown));
    }
    return codec_json_list_end(op, &list, NULL);
}

REST_HANDLER(rest_profile_list)
{
    struct service *service = rest_service(ctx);
    struct codec_list list;

    (void)request;
    TRY(op, rest_list(op, response, &list));
    for (unsigned i = 0; i < service->n_profiles; i++) {
        TRY(op, rest_item(op, &list, &profile_view, &service->profiles[i].data));
    }
    return codec_json_list_end(op, &list, NULL);
}
