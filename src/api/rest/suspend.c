#include "service/registration/suspend.h"

#include "api/rest/rest.h"
#include "service/registration/device.h"

struct reason_body {
    char reason[STORE_REASON_MAX];
};
static const struct codec_field reason_fields[] = {
    FIELD_STRING("reason", struct reason_body, reason, 0, "why"),
};

REST_HANDLER(rest_device_suspend)
{
    struct reason_body body = {.reason = ""};

    TRY(op, codec_json_decode(op, request->body, reason_fields, KW_COUNT(reason_fields), &body));
    TRY(op, device_suspend(op, rest_service(ctx), rest_param(request, "id"), op->principal,
                           *body.reason ? body.reason : "by an operator's word"));
    response->status = 204;
    return KW_OK;
}

REST_HANDLER(rest_device_resume)
{
    struct reason_body body = {.reason = ""};

    TRY(op, codec_json_decode(op, request->body, reason_fields, KW_COUNT(reason_fields), &body));
    TRY(op, device_resume(op, rest_service(ctx), rest_param(request, "id"), NULL, body.reason));
    response->status = 204;
    return KW_OK;
}

REST_HANDLER(rest_device_readmit)
{
    struct reason_body body = {.reason = ""};

    TRY(op, codec_json_decode(op, request->body, reason_fields, KW_COUNT(reason_fields), &body));
    TRY(op, device_readmit(op, rest_service(ctx), rest_param(request, "id"), body.reason));
    response->status = 204;
    return KW_OK;
}
