#include "api/rest/rest.h"
#include "service/fleet/wipe.h"
#include "service/registration/device.h"

/* --- as shown --------------------------------------------------------------------------------- */

static void view_attest(const struct store_device_attest *attest, struct device_view *ret)
{
    const struct attest_standing standing = {.verdict = attest->verdict,
                                             .valid_until_ms = attest->valid_until_ms};
    enum attest_verdict now = attest_verdict_now(&standing, service_now_ms());
    enum attest_reason reason = now == attest->verdict ? attest->reason : ATTEST_R_OVERDUE;

    KW_TEXT_SET(ret->attestation, attest_verdict_text(now));
    KW_TEXT_SET(ret->attestation_reason, attest_reason_text(reason));
    attest_level_text(attest->level, attest->simulated, ret->assurance_level);
    ret->attested_until_ms = attest->valid_until_ms;
}

static void view(const struct store_device *device, struct device_view *ret)
{
    memset(ret, 0, sizeof(*ret));
    KW_TEXT_SET(ret->id, device->id);
    KW_TEXT_SET(ret->product, device->product);
    KW_TEXT_SET(ret->serial, device->serial);
    KW_TEXT_SET(ret->hw_type, device->hw_type);
    KW_TEXT_SET(ret->state, device_state_text(device->state));
    ret->registered_ms = device->registered_ms;
    ret->last_seen_ms = device->last_seen_ms;
    KW_TEXT_SET(ret->agent, device->agent);
    KW_TEXT_SET(ret->root_of_trust, device->root_of_trust);
    KW_TEXT_SET(ret->batch, device->batch);
    KW_TEXT_SET(ret->firmware, device->firmware);
    ret->simulated = device->simulated;
    if (device->barred_ms != 0) {
        KW_TEXT_SET(ret->barred, revoke_reason_text(device->barred_reason));
        ret->barred_ms = device->barred_ms;
    }
    view_attest(&device->attest, ret);
}

static kw_status next_device(struct kw_op *op, struct service *service, struct rest_page *page)
{
    struct store_device device;
    struct device_view shown;

    TRY(op, store_device_list(op, service->store, page->after, 1, &device, &page->n));
    if (page->n == 0) {
        return KW_OK;
    }
    view(&device, &shown);
    KW_TEXT_SET(page->after, device.id);
    return rest_item(op, &page->list, &device_view, &shown);
}

REST_HANDLER(rest_device_list)
{
    return rest_list_by_name(op, ctx, request, response, next_device);
}

static kw_status show_wipe(struct kw_op *op, struct service *service, const char *id,
                           struct device_view *shown)
{
    struct wipe_order order;

    TRY(op, wipe_get(op, service, id, &order));
    KW_TEXT_SET(shown->wipe, wipe_state_text(&order, service_now_ms()));
    shown->wipe_until_ms = order.state == WIPE_ORDERED ? order.until_ms : 0;
    return KW_OK;
}

REST_HANDLER(rest_device_show)
{
    struct store_device device;
    struct device_view shown;
    const char *id = rest_param(request, "id");

    TRY(op, store_device_get(op, rest_service(ctx)->store, id, &device), "device '%s'", id);
    view(&device, &shown);
    TRY(op, show_wipe(op, rest_service(ctx), id, &shown));
    return rest_answer(op, &device_view, &shown, response);
}

/* --- as made ---------------------------------------------------------------------------------- */

struct register_body {
    char id[KW_NAME_MAX], product[KW_NAME_MAX], serial[KW_NAME_MAX], hw_type[64];
    char batch[KW_NAME_MAX];
    uint32_t secret_hours;
    bool cmp;
};
static const struct codec_field register_fields[] = {
    FIELD_STRING("id", struct register_body, id, CODEC_REQUIRED, "device id, unique for all time"),
    FIELD_STRING("product", struct register_body, product, CODEC_REQUIRED, "product"),
    FIELD_STRING("serial", struct register_body, serial, 0,
                 "manufacturer's serial number; the id where absent"),
    FIELD_STRING("hw_type", struct register_body, hw_type, 0, "OID of the hardware type"),
    FIELD_STRING("batch", struct register_body, batch, 0, "batch that it was made in"),
    FIELD_INT("secret_hours", struct register_body, secret_hours, 0, 1, 87600,
              "life of the registration secret"),
    FIELD_BOOL("cmp", struct register_body, cmp, 0, "the secret is for CMP too (docs/CMP.md)"),
};

static const char *or_null(const char *text)
{
    return *text ? text : NULL;
}

static kw_status answer_secret(struct kw_op *op, struct secret_view *answer,
                               struct http_response *response)
{
    kw_status status = rest_answer(op, &secret_view, answer, response);

    kw_wipe(answer->secret, sizeof(answer->secret));
    return status;
}

REST_HANDLER(rest_device_register)
{
    struct register_body body = {0};
    struct secret_view answer = {0};

    TRY(op,
        codec_json_decode(op, request->body, register_fields, KW_COUNT(register_fields), &body));
    struct device_request wanted = {.id = body.id,
                                    .product = body.product,
                                    .serial = or_null(body.serial),
                                    .hw_type = or_null(body.hw_type),
                                    .batch = or_null(body.batch),
                                    .secret_hours = body.secret_hours,
                                    .cmp = body.cmp};
    TRY(op, device_register(op, rest_service(ctx), &wanted, answer.secret));
    KW_TEXT_SET(answer.id, body.id);
    response->status = 201;
    return answer_secret(op, &answer, response);
}

REST_HANDLER(rest_device_secret)
{
    struct secret_view answer = {0};
    uint64_t hours = 0, cmp = 0;

    TRY(op, rest_no_body(op, request));
    TRY(op, rest_query_u64(op, request, "hours", 0, 87600, &hours));
    TRY(op, rest_query_u64(op, request, "cmp", 0, 1, &cmp));
    KW_TEXT_SET(answer.id, rest_param(request, "id"));
    TRY(op, device_new_secret(op, rest_service(ctx), answer.id, (uint32_t)hours, cmp == 1,
                              answer.secret));
    return answer_secret(op, &answer, response);
}

struct reason_body {
    char reason[32];
};
static const struct codec_field reason_fields[] = {
    FIELD_STRING("reason", struct reason_body, reason, 0, "CRLReason, RFC 5280 section 5.3.1"),
};

REST_HANDLER(rest_device_retire)
{
    struct reason_body body = {.reason = "cessationOfOperation"};

    TRY(op, codec_json_decode(op, request->body, reason_fields, KW_COUNT(reason_fields), &body));
    int reason = revoke_reason_from_text(body.reason);
    ENSURE(op, reason >= 0 && reason != REVOKE_CERTIFICATE_HOLD, KW_E_INPUT,
           "'%s' is no reason for a final revocation", body.reason);
    TRY(op, device_retire(op, rest_service(ctx), rest_param(request, "id"), reason));
    response->status = 204;
    return KW_OK;
}
