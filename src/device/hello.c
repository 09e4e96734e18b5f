#include <stdio.h>

#include "base/hex.h"
#include "codec/json.h"
#include "device/device.h"
#include "device/events.h"
#include "os/clock.h"
#include "os/files.h"

struct hello {
    char agent[KW_NAME_MAX], root_of_trust[KW_NAME_MAX], certificate[2 * KW_HASH_BYTES + 1];
    char firmware[FIRMWARE_MAX];
    bool simulated;
    struct heartbeat beat;
    struct events_state events;
};
static const struct codec_field hello_fields[] = {
    FIELD_STRING("agent", struct hello, agent, 0, "program and version"),
    FIELD_STRING("root_of_trust", struct hello, root_of_trust, 0, "what holds the key"),
    FIELD_BOOL("simulated", struct hello, simulated, 0, "it stands in for hardware"),
    FIELD_STRING("firmware", struct hello, firmware, CODEC_OMIT_EMPTY, "version that runs here"),
    FIELD_STRING("certificate", struct hello, certificate, 0, "SHA-256 of the current certificate"),
    FIELD_INT("counter", struct hello, beat.counter, 0, 0, 0, "number of this heartbeat"),
    FIELD_HEX_FIXED("link", struct hello, beat.link, 0, "its link"),
    FIELD_HEX_FIXED("previous", struct hello, beat.previous, 0, "the one before"),
    FIELD_INT("events", struct hello, events.last, 0, 0, 0, "its log's last event"),
    FIELD_HEX_FIXED("events_head", struct hello, events.head, 0, "hash of that"),
    FIELD_INT("events_lost", struct hello, events.lost, CODEC_OMIT_EMPTY, 0, 0, "not written yet"),
};

enum { ACTIONS_MAX = 8, ACTION_MAX = 24 };

struct welcome {
    char device[KW_NAME_MAX];
    int64_t time_ms;
    bool renew;
    unsigned n_actions;
    char actions[ACTIONS_MAX][ACTION_MAX];
    uint64_t events_from;
};
static const struct codec_field welcome_fields[] = {
    FIELD_STRING("device", struct welcome, device, CODEC_REQUIRED, "who the server takes us for"),
    FIELD_TIME("time", struct welcome, time_ms, CODEC_REQUIRED, "the server's clock"),
    FIELD_BOOL("renew", struct welcome, renew, 0, "renew now"),
    FIELD_STRINGS("actions", struct welcome, actions, n_actions, 0, "what else to do now"),
    FIELD_INT("events_from", struct welcome, events_from, 0, 0, 0, "the event that is wanted next"),
};

static void fill(struct device *device, const struct cert *cert, struct hello *hello)
{
    struct rot_info info = rot_info(device->rot);
    struct kw_op own; /* a log that cannot be read is told as an empty one */

    kw_op_init(&own, NULL, 0);
    (void)kw_ok(events_state(&own, device, &hello->events));

    KW_TEXT_SET(hello->agent, "keywright-agent " KW_VERSION);
    (void)snprintf(hello->root_of_trust, sizeof(hello->root_of_trust), "%s %s", info.scheme,
                   info.vendor);
    KW_TEXT_SET(hello->firmware, device->config.firmware);
    hello->simulated = info.caps & ROT_CAP_SIMULATED;
    kw_hex(KW_SPAN(cert_sha256(cert), KW_HASH_BYTES), hello->certificate,
           sizeof(hello->certificate));
}

/* A heartbeat is one whatever becomes of the events: they are sent with the next. */
static void deliver(const struct kw_op *op, struct device *device, enum device_identity as,
                    const struct welcome *welcome)
{
    struct kw_op own;

    kw_op_init(&own, op->principal, op->deadline_ms);
    if (welcome->events_from > 0) {
        (void)kw_ok(events_deliver(&own, device, as, welcome->events_from));
    }
}

/* The floor is only written when it moved by an hour: flash wears. */
static kw_status remember(struct kw_op *op, struct device *device, const struct welcome *welcome)
{
    enum { FLOOR_STEP_MS = 3600000 };
    bool same = device->config.renew_asked == welcome->renew;

    device_take_time(device, welcome->time_ms);
    bool moved = device->config.floor_ms >= device->kept_floor_ms + FLOOR_STEP_MS;

    if (same && !moved) {
        return KW_OK;
    }
    device->config.renew_asked = welcome->renew;
    return state_save_config(op, device);
}

/* A clock that somebody set, or that runs wrong: once, until it changes. */
static void judge_clock(struct device *device, int64_t told_ms)
{
    enum { STEP_MS = 300000 };
    int64_t off_ms = os_clock_unix_ms() - told_ms;
    const char *how = off_ms > STEP_MS ? "ahead" : off_ms < -STEP_MS ? "behind" : "success";

    events_note_change(device, DEVICE_EVENT_TIME_STEP, how,
                       "the clock, against the time that the server told");
}

static kw_status greet(struct kw_op *op, struct device *device, enum device_identity as,
                       struct welcome *ret)
{
    struct hello hello = {0};
    struct welcome welcome = {0};
    AUTO(cert) *cert = NULL;
    AUTO(kw_bytes) *json = NULL;
    AUTO(kw_bytes) *answer = NULL;
    DEVICE_TURN_AUTO turn = {0};

    TRY(op, state_take_turn(op, device, &turn)); /* two at once would send the same heartbeat */
    TRY(op, state_read_cert(op, device, as, &cert));
    TRY(op, heartbeat_get(op, device, &hello.beat));
    fill(device, cert, &hello);
    TRY(op, kw_bytes_new(512, &json));
    TRY(op, codec_json_encode(op, hello_fields, KW_COUNT(hello_fields), &hello, json));
    struct http_call call = {.method = HTTP_POST,
                             .path = "/device/v1/hello",
                             .content_type = "application/json",
                             .body = kw_bytes_span(json)};
    TRY(op, server_call(op, device, as, &call, &answer), "hello");
    TRY(op,
        codec_json_decode(op, kw_bytes_span(answer), welcome_fields, KW_COUNT(welcome_fields),
                          &welcome),
        "hello");
    ENSURE(op, strcmp(welcome.device, device->config.device_id) == 0, KW_E_AUTH,
           "the server takes us for '%.60s'", welcome.device);
    heartbeat_taken(device, &hello.beat);
    judge_clock(device, welcome.time_ms);
    deliver(op, device, as, &welcome);
    *ret = welcome;
    return remember(op, device, &welcome);
}

static bool asks_for(const struct welcome *welcome, const char *action)
{
    for (unsigned i = 0; i < welcome->n_actions; i++) {
        if (strcmp(welcome->actions[i], action) == 0) {
            return true;
        }
    }
    return false;
}

kw_status device_hello(struct kw_op *op, struct device *device, enum device_identity as)
{
    struct welcome welcome = {0};

    TRY(op, greet(op, device, as, &welcome));
    return as == DEVICE_LDEVID && asks_for(&welcome, "wipe") ? device_obey_wipe(op, device) : KW_OK;
}
