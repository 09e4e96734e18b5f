#include "api/rest/rest.h"
#include "base/hex.h"
#include "service/approvals/keys.h"
#include "service/authorities.h"
#include "service/keys/ca.h"
#include "service/keys/ca_birth.h"
#include "service/keys/root.h"
#include "service/keys/root_crl.h"

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

static void view_root(const struct root *root, struct ca_view *ret)
{
    view(root->id, "", root->subject, root->cert, NULL, ret);
    KW_TEXT_SET(ret->state, root->retired ? "retired" : "");
}

static void view_ca(const struct ca *ca, struct ca_view *ret)
{
    view(ca->id, ca->key_id, ca->subject, ca->cert, ca->ocsp_cert, ret);
    KW_TEXT_SET(ret->state, ca_is_taken_back(ca) ? "taken back" : "");
}

REST_HANDLER(rest_ca_list)
{
    AUTO(authorities) *all = service_authorities(rest_service(ctx));
    struct codec_list list;
    struct ca_view shown;

    (void)request;
    TRY(op, rest_list(op, response, &list));
    for (unsigned i = 0; i < all->n_roots; i++) {
        view_root(&all->roots[i], &shown);
        TRY(op, rest_item(op, &list, &ca_view, &shown));
    }
    for (unsigned i = 0; i < all->n_above; i++) {
        view(all->above[i].name, "", all->above[i].subject, all->above[i].cert, NULL, &shown);
        TRY(op, rest_item(op, &list, &ca_view, &shown));
    }
    for (unsigned i = 0; i < all->n; i++) {
        view_ca(&all->at[i], &shown);
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

/* --- another key ------------------------------------------------------------------------------ */

struct rotate_body {
    char reason[KEEPER_REASON_MAX];
    uint64_t approval;
};
static const struct codec_field rotate_fields[] = {
    FIELD_STRING("reason", struct rotate_body, reason, 0, "why"),
    FIELD_INT("approval", struct rotate_body, approval, 0, 0, INT64_MAX, "number of its approval"),
};

/* Approved, the new key is made; the same request then answers with what the root is to sign. */
static kw_status ask_rotation(struct kw_op *op, struct service *service, const char *ca,
                              const char *reason, struct http_response *response)
{
    struct key_wish wish = {.verb = KEY_VERB_ROTATE};
    struct keeper_key_info key;
    struct keeper_approval pending = {0};

    TRY(op, ca_newest_key(op, service, ca, &key), "CA '%s'", ca);
    memcpy(wish.key_id, key.key_id, sizeof(wish.key_id));
    ENSURE(op, KW_TEXT_SET(wish.reason, reason), KW_E_INPUT, "the reason is too long");
    TRY(op, approval_ask_key(op, service, &wish, &pending));
    return rest_pending(op, service, KW_FAIL(KW_E_APPROVAL), &pending, response);
}

REST_HANDLER(rest_ca_rotate)
{
    struct rotate_body body = {0};

    TRY(op, codec_json_decode(op, request->body, rotate_fields, KW_COUNT(rotate_fields), &body));
    const char *ca = rest_param(request, "ca");
    if (strcmp(ca, "root") == 0) {
        response->content_type = "application/x-pem-file";
        return root_request(op, rest_service(ctx), &response->body);
    }
    kw_status status = ca_request(op, rest_service(ctx), ca, body.reason,
                                  approval_local(body.approval), &response->body);
    if (status.code == KW_E_APPROVAL && body.approval == 0) {
        kw_op_clear(op);
        return ask_rotation(op, rest_service(ctx), ca, body.reason, response);
    }
    TRY(op, status, "CA '%s'", ca);
    response->content_type = "application/x-pem-file";
    return KW_OK;
}

/* --- a CA more ----------------------------------------------------------------------------------
 */

/* Approved, the key is made; the same request then goes on where it ended. */
REST_HANDLER(rest_ca_create)
{
    struct service *service = rest_service(ctx);
    struct rotate_body body = {0};
    struct keeper_approval pending = {0};
    struct key_policy wanted = {0};

    TRY(op, codec_json_decode(op, request->body, rotate_fields, KW_COUNT(rotate_fields), &body));
    const char *ca = rest_param(request, "ca");
    kw_status status =
        ca_birth_request(op, service, ca, approval_local(body.approval), &wanted, &response->body);
    if (status.code == KW_E_APPROVAL && body.approval == 0) {
        kw_op_clear(op);
        TRY(op, approval_ask_birth(op, service, &wanted, &pending));
        return rest_pending(op, service, status, &pending, response);
    }
    TRY(op, status, "CA '%s'", ca);
    response->content_type = "application/x-pem-file";
    return KW_OK;
}

struct install_body {
    char pem[KW_CERT_MAX];
};
static const struct codec_field install_fields[] = {
    FIELD_STRING("pem", struct install_body, pem, CODEC_REQUIRED | CODEC_LINES,
                 "certificate by the root, PEM"),
};

REST_HANDLER(rest_ca_install)
{
    AUTO(authorities) *all = NULL;
    struct install_body body = {0};
    char id[KW_NAME_MAX];
    const struct ca *ca = NULL;
    struct ca_view shown;

    TRY(op, codec_json_decode(op, request->body, install_fields, KW_COUNT(install_fields), &body));
    TRY(op, ca_install(op, rest_service(ctx), kw_span_text(body.pem), id));
    all = service_authorities(rest_service(ctx));
    TRY(op, authorities_find(op, all, id, &ca));
    view_ca(ca, &shown);
    response->status = 201;
    return rest_answer(op, &ca_view, &shown, response);
}

/* --- the root ------------------------------------------------------------------------------------
 */

static kw_status answer_root(struct kw_op *op, void *ctx, const char *id,
                             struct http_response *response)
{
    AUTO(authorities) *all = service_authorities(rest_service(ctx));
    const struct root *root = authorities_root_find(all, id);
    struct ca_view shown;

    ENSURE(op, root, KW_E_INTERNAL, "no root '%s'", id);
    view_root(root, &shown);
    return rest_answer(op, &ca_view, &shown, response);
}

static kw_status install_crl(struct kw_op *op, void *ctx, struct kw_span pem,
                             struct http_response *response)
{
    struct root_crl_view shown = {0};
    struct root_crl it;

    TRY(op, root_crl_install(op, rest_service(ctx), pem, &it), "the CRL of an offline CA");
    KW_TEXT_SET(shown.id, it.id);
    shown.number = it.number;
    shown.entries = it.entries;
    shown.this_update = it.this_update;
    shown.next_update = it.next_update;
    response->status = 201;
    return rest_answer(op, &root_crl_view, &shown, response);
}

/* A root with what goes with it; or, without any certificate, a list alone. */
REST_HANDLER(rest_root_install)
{
    char id[KW_NAME_MAX];

    if (!memmem(request->body.p, request->body.len, "BEGIN CERTIFICATE",
                strlen("BEGIN CERTIFICATE")) &&
        memmem(request->body.p, request->body.len, "BEGIN X509 CRL", strlen("BEGIN X509 CRL"))) {
        return install_crl(op, ctx, request->body, response);
    }

    TRY(op, root_install(op, rest_service(ctx), request->body, id), "the next root");
    response->status = 201;
    return answer_root(op, ctx, id, response);
}

REST_HANDLER(rest_root_retire)
{
    struct rotate_body body = {0};

    TRY(op, codec_json_decode(op, request->body, rotate_fields, KW_COUNT(rotate_fields), &body));
    const char *id = rest_param(request, "ca");
    TRY(op, root_retire(op, rest_service(ctx), id));
    return answer_root(op, ctx, id, response);
}
