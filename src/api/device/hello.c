/* POST /device/v1/hello: docs/protocol/heartbeat.md. */
#include "service/registration/hello.h"
#include "api/device/device_api.h"
#include "base/time.h"
#include "codec/json.h"

static const struct codec_field hello_fields[] = {
    FIELD_STRING("agent", struct device_hello, agent, CODEC_REQUIRED, "program and version"),
    FIELD_STRING("root_of_trust", struct device_hello, root_of_trust, CODEC_REQUIRED,
                 "what holds the key"),
    FIELD_BOOL("simulated", struct device_hello, simulated, 0, "it stands in for hardware"),
    FIELD_STRING("firmware", struct device_hello, firmware, 0, "version that it runs"),
    FIELD_STRING("certificate", struct device_hello, certificate, 0,
                 "SHA-256 of the current certificate"),
    FIELD_INT("counter", struct device_hello, beat.counter, 0, 0, 0, "number of this heartbeat"),
    FIELD_HEX_FIXED("link", struct device_hello, beat.link, 0, "its link"),
    FIELD_HEX_FIXED("previous", struct device_hello, beat.previous, 0, "the one before"),
    FIELD_INT("events", struct device_hello, events.last, 0, 0, 0, "its log's last event"),
    FIELD_HEX_FIXED("events_head", struct device_hello, events.head, 0, "hash of that"),
    FIELD_INT("events_lost", struct device_hello, events.lost, 0, 0, 0, "not written yet"),
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
    FIELD_STRINGS("actions", struct answer, welcome.actions, welcome.n_actions, CODEC_OMIT_EMPTY,
                  "what else to do now"),
    FIELD_INT("events_from", struct answer, welcome.events_from, CODEC_OMIT_EMPTY, 0, 0,
              "the event that is wanted next"),
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
