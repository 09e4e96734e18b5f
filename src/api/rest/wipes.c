/* A wipe that an operator orders: service/fleet/wipe.h. */
#include "service/fleet/wipe.h"

#include "api/rest/rest.h"

struct wipe_body {
    char reason[WIPE_REASON_MAX];
    uint32_t hours;
};
static const struct codec_field wipe_fields[] = {
    FIELD_STRING("reason", struct wipe_body, reason, 0, "why"),
    FIELD_INT("hours", struct wipe_body, hours, 0, 1, WIPE_HOURS_MAX,
              "how long the order waits for the device; a year where absent"),
};

REST_HANDLER(rest_device_wipe)
{
    struct wipe_body body = {.hours = WIPE_HOURS_DEFAULT};
    struct keeper_approval pending = {0};

    TRY(op, codec_json_decode(op, request->body, wipe_fields, KW_COUNT(wipe_fields), &body));
    kw_status status = wipe_order(op, rest_service(ctx), rest_param(request, "id"), body.hours,
                                  body.reason, &pending);
    if (status.code == KW_E_APPROVAL) {
        return rest_pending(op, rest_service(ctx), status, &pending, response);
    }
    TRY(op, status);
    response->status = 204;
    return KW_OK;
}

REST_HANDLER(rest_device_wipe_cancel)
{
    struct wipe_body body = {0};

    TRY(op, codec_json_decode(op, request->body, wipe_fields, KW_COUNT(wipe_fields), &body));
    TRY(op, wipe_cancel(op, rest_service(ctx), rest_param(request, "id"), body.reason));
    response->status = 204;
    return KW_OK;
}
