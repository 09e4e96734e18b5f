/* POST /device/v1/events: docs/protocol/device-events.md. */
#include "service/fleet/events.h"
#include "api/device/device_api.h"
#include "codec/json.h"

struct answer {
    uint64_t next;
};
static const struct codec_field answer_fields[] = {
    FIELD_INT("next", struct answer, next, 0, 0, 0, "the id that is wanted next"),
};

DEVICE_HANDLER(device_api_events)
{
    struct answer answer = {0};

    TRY(op, fleet_events_take(op, ((struct api *)ctx)->service, request->who.id, request->body,
                              &answer.next));
    TRY(op, kw_bytes_new(64, &response->body));
    response->content_type = "application/json";
    return codec_json_encode(op, answer_fields, KW_COUNT(answer_fields), &answer, response->body);
}
