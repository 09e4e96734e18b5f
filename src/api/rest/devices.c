#include "api/rest/rest.h"
#include "service/registration/device.h"

/* --- as shown ----------------------------------------------------------------------------------------------------- */

struct device_view {
    struct store_device device;
    char state[24];
};

static const struct codec_field view_fields[] = {
    FIELD_STRING("id", struct device_view, device.id, 0, "device id"),
    FIELD_STRING("product", struct device_view, device.product, 0, "product"),
    FIELD_STRING("serial", struct device_view, device.serial, 0, "manufacturer's serial number"),
    FIELD_STRING("hw_type", struct device_view, device.hw_type, 0, "OID of the hardware type"),
    FIELD_STRING("state", struct device_view, state, 0, "registered, active, suspended, retired"),
    FIELD_TIME("registered", struct device_view, device.registered_ms, 0, "when it was registered"),
    FIELD_TIME("last_seen", struct device_view, device.last_seen_ms, CODEC_OMIT_EMPTY, "last sign of life"),
    FIELD_STRING("agent", struct device_view, device.agent, CODEC_OMIT_EMPTY, "its program"),
    FIELD_STRING("root_of_trust", struct device_view, device.root_of_trust, CODEC_OMIT_EMPTY, "what holds its keys"),
    FIELD_BOOL("simulated", struct device_view, device.simulated, 0, "its root of trust stands in for hardware"),
};

static void view(const struct store_device *device, struct device_view *ret)
{
    ret->device = *device;
    KW_TEXT_SET(ret->state, device_state_text(device->state));
}

REST_HANDLER(rest_device_list)
{
    struct codec_list list;
    struct store_device device;
    struct device_view shown;
    char after[KW_NAME_MAX];
    const char *from = NULL;
    uint64_t max = 0;
    unsigned n = 1;

    TRY(op, rest_query_text(op, request, "after", after, sizeof(after), &from));
    TRY(op, rest_query_u64(op, request, "max", REST_PAGE_DEFAULT, REST_PAGE_MAX, &max));
    TRY(op, rest_list(op, response, &list));
    if (!from) {
        after[0] = 0;
    }
    for (uint64_t i = 0; i < max; i++) {
        TRY(op, store_device_list(op, rest_service(ctx)->store, after, 1, &device, &n));
        if (n == 0) {
            break;
        }
        view(&device, &shown);
        TRY(op, codec_json_list_item(op, &list, view_fields, KW_COUNT(view_fields), &shown));
        KW_TEXT_SET(after, device.id);
    }
    return codec_json_list_end(op, &list, n && *after ? after : NULL);
}

REST_HANDLER(rest_device_show)
{
    struct store_device device;
    struct device_view shown;
    const char *id = rest_param(request, "id");

    TRY(op, store_device_get(op, rest_service(ctx)->store, id, &device), "device '%s'", id);
    view(&device, &shown);
    return rest_answer(op, view_fields, KW_COUNT(view_fields), &shown, response);
}

/* --- as made ------------------------------------------------------------------------------------------------------ */

struct register_body {
    char id[KW_NAME_MAX], product[KW_NAME_MAX], serial[KW_NAME_MAX], hw_type[64];
    uint32_t secret_hours;
};
static const struct codec_field register_fields[] = {
    FIELD_STRING("id", struct register_body, id, CODEC_REQUIRED, "device id, unique for all time"),
    FIELD_STRING("product", struct register_body, product, CODEC_REQUIRED, "product"),
    FIELD_STRING("serial", struct register_body, serial, 0, "manufacturer's serial number; the id where absent"),
    FIELD_STRING("hw_type", struct register_body, hw_type, 0, "OID of the hardware type"),
    FIELD_INT("secret_hours", struct register_body, secret_hours, 0, 1, 87600, "life of the registration secret"),
};

struct secret_answer {
    char id[KW_NAME_MAX];
    char secret[DEVICE_SECRET_TEXT];
};
static const struct codec_field secret_fields[] = {
    FIELD_STRING("id", struct secret_answer, id, 0, "device id"),
    FIELD_STRING("secret", struct secret_answer, secret, 0, "one-time registration secret; told only here"),
};

static const char *or_null(const char *text)
{
    return *text ? text : NULL;
}

static kw_status answer_secret(struct kw_op *op, struct secret_answer *answer, struct http_response *response)
{
    kw_status status = rest_answer(op, secret_fields, KW_COUNT(secret_fields), answer, response);

    kw_wipe(answer->secret, sizeof(answer->secret));
    return status;
}

REST_HANDLER(rest_device_register)
{
    struct register_body body = {0};
    struct secret_answer answer = {0};

    TRY(op, codec_json_decode(op, request->body, register_fields, KW_COUNT(register_fields), &body));
    struct device_request wanted = {.id = body.id,
                                    .product = body.product,
                                    .serial = or_null(body.serial),
                                    .hw_type = or_null(body.hw_type),
                                    .secret_hours = body.secret_hours};
    TRY(op, device_register(op, rest_service(ctx), &wanted, answer.secret));
    KW_TEXT_SET(answer.id, body.id);
    response->status = 201;
    return answer_secret(op, &answer, response);
}

REST_HANDLER(rest_device_secret)
{
    struct secret_answer answer = {0};
    uint64_t hours = 0;

    TRY(op, rest_query_u64(op, request, "hours", 0, 87600, &hours));
    KW_TEXT_SET(answer.id, rest_param(request, "id"));
    TRY(op, device_new_secret(op, rest_service(ctx), answer.id, (uint32_t)hours, answer.secret));
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
    ENSURE(op, reason >= 0, KW_E_INPUT, "'%s' is no reason for a revocation", body.reason);
    TRY(op, device_retire(op, rest_service(ctx), rest_param(request, "id"), reason));
    response->status = 204;
    return KW_OK;
}
