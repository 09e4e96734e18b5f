/* POST /device/v1/hello: docs/protocol/device-events.md. */
#include "api/device/device_api.h"
#include "base/time.h"
#include "codec/json.h"
#include "service/registration/device.h"

#define REPORT(member) report.member
static const struct codec_field hello_fields[] = {
    FIELD_STRING("agent", struct device_hello, agent, CODEC_REQUIRED, "program and version"),
    FIELD_STRING("root_of_trust", struct device_hello, root_of_trust, CODEC_REQUIRED,
                 "what holds the key"),
    FIELD_BOOL("simulated", struct device_hello, simulated, 0, "it stands in for hardware"),
    FIELD_STRING("firmware", struct device_hello, firmware, 0, "version that it runs"),
    FIELD_STRING("certificate", struct device_hello, certificate, 0,
                 "SHA-256 of the current certificate"),
    FIELD_INT("counter", struct device_hello, REPORT(beat.counter), 0, 0, 0,
              "number of this heartbeat"),
    FIELD_HEX_FIXED("link", struct device_hello, REPORT(beat.link), 0, "its link"),
    FIELD_HEX_FIXED("previous", struct device_hello, REPORT(beat.previous), 0, "the one before"),
    FIELD_HEX_FIXED("log", struct device_hello, REPORT(log), 0, "id of the event log"),
    FIELD_INT("log_count", struct device_hello, REPORT(log_count), 0, 0, 0,
              "number of its newest record"),
    FIELD_HEX_FIXED("log_head", struct device_hello, REPORT(log_head), 0, "head of its chain"),
    FIELD_INT("lost", struct device_hello, REPORT(lost), 0, 0, 0,
              "events that never reached the log"),
    FIELD_INT("boot", struct device_hello, REPORT(boot), 0, 0, 0, "which start of the device"),
    FIELD_INT("uptime_s", struct device_hello, REPORT(uptime_s), 0, 0, 0, "since that start"),
    FIELD_TIME("time", struct device_hello, REPORT(time_ms), 0, "what it judges by"),
    FIELD_TIME("time_floor", struct device_hello, REPORT(floor_ms), 0, "never before this"),
    FIELD_TIME("clock", struct device_hello, REPORT(clock_ms), 0, "its plain clock"),
};

struct answer {
    char device[KW_NAME_MAX];
    int64_t time_ms;
    struct device_welcome welcome;
};
static const struct codec_field answer_fields[] = {
    FIELD_STRING("device", struct answer, device, 0, "who the server takes you for"),
    FIELD_TIME("time", struct answer, time_ms, 0, "the server's clock"),
    FIELD_BOOL("renew", struct answer, welcome.renew, CODEC_OMIT_EMPTY,
               "renew now: the certificate is about to be revoked"),
    FIELD_INT("events_next", struct answer, welcome.events_next, CODEC_OMIT_EMPTY, 0, 0,
              "number of the event that the server wants next"),
    FIELD_STRINGS("actions", struct answer, welcome.actions, welcome.n_actions, CODEC_OMIT_EMPTY,
                  "what else to do now"),
};

DEVICE_HANDLER(device_api_hello)
{
    struct api *api = ctx;
    struct device_hello said = {0};
    struct answer answer = {.time_ms = service_now_ms()};

    TRY(op, codec_json_decode(op, request->body, hello_fields, KW_COUNT(hello_fields), &said),
        "hello");
    TRY(op,
        device_seen(op, api->service, request->who.id, request->peer_cert, &said, &answer.welcome));
    KW_TEXT_SET(answer.device, request->who.id);
    TRY(op, kw_bytes_new(256, &response->body));
    response->content_type = "application/json";
    return codec_json_encode(op, answer_fields, KW_COUNT(answer_fields), &answer, response->body);
}
