#include <stdio.h>
#include <stdlib.h>

#include "api/rest/rest.h"
#include "base/hex.h"
#include "base/pem.h"
#include "service/authority/revoke.h"

static void view(const struct store_cert *cert, struct cert_view *ret)
{
    memset(ret, 0, sizeof(*ret));
    KW_TEXT_SET(ret->ca, cert->ca);
    kw_hex(KW_SPAN(cert->serial, cert->serial_len), ret->serial, sizeof(ret->serial));
    kw_hex(KW_SPAN_ARRAY(cert->fingerprint), ret->fingerprint, sizeof(ret->fingerprint));
    KW_TEXT_SET(ret->owner, cert->owner);
    KW_TEXT_SET(ret->profile, cert->profile);
    KW_TEXT_SET(ret->subject, cert->subject);
    kw_hex(KW_SPAN_ARRAY(cert->pubkey), ret->key, sizeof(ret->key));
    ret->not_before = cert->not_before;
    ret->not_after = cert->not_after;
    ret->issued_ms = cert->issued_ms;
    ret->revoked_s = cert->revoked_s;
    KW_TEXT_SET(ret->state, cert_state_text(cert->state));
    if (cert->revoked_s) {
        KW_TEXT_SET(ret->reason, revoke_reason_text(cert->reason));
    }
}

static kw_status state_from_query(struct kw_op *op, const char *text, enum cert_state *ret)
{
    *ret = 0;
    if (!text) {
        return KW_OK;
    }
    for (enum cert_state s = CERT_STATE_VALID; s <= CERT_STATE_REVOKED; s++) {
        if (strcmp(cert_state_text(s), text) == 0) {
            *ret = s;
            return KW_OK;
        }
    }
    return FAIL(op, KW_E_INPUT, "'%s' is no state of certificates", text);
}

struct filter_text {
    char owner[KW_NAME_MAX], ca[KW_NAME_MAX], profile[KW_NAME_MAX], state[24];
};

static kw_status read_filter(struct kw_op *op, const struct http_request *request,
                             struct filter_text *text, struct store_cert_filter *ret)
{
    const char *state = NULL;
    uint64_t after = 0, days = 0;

    TRY(op, rest_query_text(op, request, "owner", text->owner, sizeof(text->owner), &ret->owner));
    TRY(op, rest_query_text(op, request, "ca", text->ca, sizeof(text->ca), &ret->ca));
    TRY(op, rest_query_text(op, request, "profile", text->profile, sizeof(text->profile),
                            &ret->profile));
    TRY(op, rest_query_text(op, request, "state", text->state, sizeof(text->state), &state));
    TRY(op, state_from_query(op, state, &ret->state));
    TRY(op, rest_query_u64(op, request, "after", 0, INT64_MAX, &after));
    TRY(op, rest_query_u64(op, request, "expires_days", 0, 36500, &days));
    ret->after_row = (int64_t)after;
    ret->expires_before = days ? service_now_ms() / 1000 + (int64_t)days * 86400 : 0;
    return KW_OK;
}

REST_HANDLER(rest_cert_list)
{
    struct filter_text text;
    struct store_cert_filter filter = {0};
    struct codec_list list;
    struct store_cert cert;
    struct cert_view shown;
    char next[24] = "";
    uint64_t max = 0;
    unsigned n = 1;

    TRY(op, read_filter(op, request, &text, &filter));
    TRY(op, rest_query_u64(op, request, "max", VIEW_PAGE, REST_PAGE_MAX, &max));
    TRY(op, rest_list(op, response, &list));
    for (uint64_t i = 0; i < max; i++) {
        TRY(op, store_cert_list(op, rest_service(ctx)->store, &filter, 1, &cert, &n));
        if (n == 0) {
            break;
        }
        view(&cert, &shown);
        TRY(op, rest_item(op, &list, &cert_view, &shown));
        filter.after_row = cert.row;
        (void)snprintf(next, sizeof(next), "%lld", (long long)cert.row);
    }
    return codec_json_list_end(op, &list, n && *next ? next : NULL);
}

/* /certs/{id} and /certs/{ca}/{serial} alike. */
static kw_status find(struct kw_op *op, void *ctx, const struct http_request *request,
                      struct store_cert *ret)
{
    char id[2 * KW_NAME_MAX];
    const char *ca = kw_uri_param(&request->params, "ca");

    (void)snprintf(id, sizeof(id), "%.90s%s%.90s", ca ? ca : "", ca ? "/" : "",
                   rest_param(request, "id"));
    TRY(op, authority_find(op, rest_service(ctx), id, ret), "certificate '%s'", id);
    return KW_OK;
}

REST_HANDLER(rest_cert_show)
{
    struct store_cert cert;
    struct cert_view shown;

    TRY(op, find(op, ctx, request, &cert));
    view(&cert, &shown);
    return rest_answer(op, &cert_view, &shown, response);
}

REST_HANDLER(rest_cert_pem)
{
    struct store_cert cert;

    TRY(op, find(op, ctx, request, &cert));
    TRY(op, kw_bytes_new(2 * KW_CERT_MAX, &response->body));
    response->content_type = "application/x-pem-file";
    return kw_pem_encode("CERTIFICATE", KW_SPAN(cert.der, cert.der_len), response->body);
}

struct revoke_body {
    char reason[32];
};
static const struct codec_field revoke_fields[] = {
    FIELD_STRING("reason", struct revoke_body, reason, 0,
                 "CRLReason, RFC 5280 section 5.3.1; unspecified where absent"),
};

REST_HANDLER(rest_cert_revoke)
{
    struct revoke_body body = {.reason = "unspecified"};
    struct store_cert cert;
    struct cert_view shown;

    TRY(op, codec_json_decode(op, request->body, revoke_fields, KW_COUNT(revoke_fields), &body));
    int reason = revoke_reason_from_text(body.reason);
    ENSURE(op, reason >= 0 && reason != REVOKE_CERTIFICATE_HOLD, KW_E_INPUT,
           "'%s' is no reason for a final revocation", body.reason);
    TRY(op, find(op, ctx, request, &cert));
    TRY(op, authority_revoke(op, rest_service(ctx), &cert, reason), "certificate of %s",
        cert.owner);
    TRY(op, store_cert_by_fingerprint(op, rest_service(ctx)->store, cert.fingerprint, &cert));
    view(&cert, &shown);
    return rest_answer(op, &cert_view, &shown, response);
}
