/* Enrolments that wait for an officer. */
#include "service/registration/requests.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/rest/rest.h"
#include "base/hex.h"
#include "base/pem.h"

static void view(const struct store_ra_request *request, struct request_view *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->id = (uint64_t)request->id;
    KW_TEXT_SET(ret->state, ra_state_text(request->state));
    KW_TEXT_SET(ret->owner, request->owner);
    KW_TEXT_SET(ret->profile, request->profile);
    KW_TEXT_SET(ret->via, request->via);
    KW_TEXT_SET(ret->subject, request->subject);
    kw_hex(KW_SPAN_ARRAY(request->key), ret->key, sizeof(ret->key));
    uint8_t sha256[KW_HASH_BYTES];
    requests_sha256(request, sha256);
    kw_hex(KW_SPAN_ARRAY(sha256), ret->sha256, sizeof(ret->sha256));
    KW_TEXT_SET(ret->decided_by, request->decided_by);
    KW_TEXT_SET(ret->reason, request->reason);
    ret->opened_ms = request->opened_ms;
    ret->lapses_ms = request->lapses_ms;
    ret->decided_ms = request->decided_ms;
}

static kw_status put_csr(struct kw_op *op, const struct store_ra_request *request,
                         struct request_view *ret)
{
    AUTO(kw_bytes) *pem = NULL;

    if (request->csr_len == 0) {
        return KW_OK;
    }
    TRY(op, kw_bytes_new(sizeof(ret->csr), &pem));
    TRY(op, kw_pem_encode("CERTIFICATE REQUEST", KW_SPAN(request->csr, request->csr_len), pem));
    ENSURE(op, pem->len < sizeof(ret->csr), KW_E_TOO_LARGE, "a request of %u octets",
           request->csr_len);
    memcpy(ret->csr, pem->p, pem->len);
    ret->csr[pem->len] = 0;
    return KW_OK;
}

static kw_status read_filter(struct kw_op *op, const struct http_request *request,
                             char owner[KW_NAME_MAX], struct store_ra_filter *ret)
{
    char text[24];
    const char *state = NULL;
    uint64_t after = 0;

    TRY(op, rest_query_text(op, request, "owner", owner, KW_NAME_MAX, &ret->owner));
    TRY(op, rest_query_text(op, request, "state", text, sizeof(text), &state));
    TRY(op, rest_query_u64(op, request, "after", 0, INT64_MAX, &after));
    ret->after = (int64_t)after;
    ret->state = state ? ra_state_from_text(state) : RA_NONE;
    ENSURE(op, ret->state != RA_STATE_MAX, KW_E_INPUT, "'%s' is no state of requests", state);
    return KW_OK;
}

REST_HANDLER(rest_request_list)
{
    char owner[KW_NAME_MAX], next[24] = "";
    struct store_ra_filter filter = {0};
    struct store_ra_request found;
    struct request_view shown;
    struct codec_list list;
    uint64_t max = 0;
    unsigned n = 1;

    TRY(op, read_filter(op, request, owner, &filter));
    TRY(op, rest_query_u64(op, request, "max", VIEW_PAGE, REST_PAGE_MAX, &max));
    TRY(op, rest_list(op, response, &list));
    for (uint64_t i = 0; i < max; i++) {
        TRY(op, store_ra_request_list(op, rest_service(ctx)->store, &filter, 1, &found, &n));
        if (n == 0) {
            break;
        }
        view(&found, &shown);
        TRY(op, rest_item(op, &list, &request_view, &shown));
        filter.after = found.id;
        (void)snprintf(next, sizeof(next), "%lld", (long long)found.id);
    }
    return codec_json_list_end(op, &list, n && *next ? next : NULL);
}

static kw_status number(struct kw_op *op, const struct http_request *request, int64_t *ret)
{
    const char *text = rest_param(request, "id");

    ENSURE(op, *text && strspn(text, "0123456789") == strlen(text) && strlen(text) < 19,
           KW_E_NOT_FOUND, "no request '%s'", text);
    *ret = strtoll(text, NULL, 10);
    return KW_OK;
}

REST_HANDLER(rest_request_show)
{
    struct store_ra_request found;
    struct request_view shown;
    int64_t id = 0;

    TRY(op, number(op, request, &id));
    TRY(op, store_ra_request_get(op, rest_service(ctx)->store, id, &found));
    view(&found, &shown);
    TRY(op, put_csr(op, &found, &shown));
    return rest_answer(op, &request_view, &shown, response);
}

struct decision_body {
    char reason[STORE_REASON_MAX];
};
static const struct codec_field decision_fields[] = {
    FIELD_STRING("reason", struct decision_body, reason, 0, "why; needed to refuse"),
};

static kw_status decide(struct kw_op *op, void *ctx, const struct http_request *request,
                        enum ra_event event, struct http_response *response)
{
    struct decision_body body = {0};
    struct store_ra_request decided;
    struct request_view shown;
    int64_t id = 0;

    TRY(op, number(op, request, &id));
    TRY(op,
        codec_json_decode(op, request->body, decision_fields, KW_COUNT(decision_fields), &body));
    TRY(op, requests_decide(op, rest_service(ctx), id, event, body.reason, &decided));
    view(&decided, &shown);
    return rest_answer(op, &request_view, &shown, response);
}

REST_HANDLER(rest_request_approve)
{
    return decide(op, ctx, request, RA_APPROVE, response);
}

REST_HANDLER(rest_request_refuse)
{
    return decide(op, ctx, request, RA_REFUSE, response);
}
