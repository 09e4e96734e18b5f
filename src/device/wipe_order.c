/* A wipe that the server orders: docs/protocol/device-wipe.md. The word in its welcome is nothing
 * but a hint; what counts is a statement by a key that leads to the root, for this device, this key
 * of it, and a nonce that was drawn now. So no order can be kept, replayed, or sent to another. */
#include "base/hex.h"
#include "codec/json.h"
#include "device/device.h"
#include "device/events.h"
#include "os/rng.h"

struct question {
    char nonce[2 * KW_HASH_BYTES + 1];
};
static const struct codec_field question_fields[] = {
    FIELD_STRING("nonce", struct question, nonce, 0, ""),
};

static kw_status draw(struct kw_op *op, struct question *ret)
{
    uint8_t random[KW_HASH_BYTES];

    TRY(op, os_random(op, random, sizeof(random)));
    kw_hex(KW_SPAN_ARRAY(random), ret->nonce, sizeof(ret->nonce));
    return KW_OK;
}

static kw_status fetch(struct kw_op *op, struct device *device, const struct question *question,
                       struct device_stated *ret)
{
    AUTO(kw_bytes) *json = NULL;
    AUTO(kw_bytes) *answer = NULL;

    TRY(op, kw_bytes_new(128, &json));
    TRY(op, codec_json_encode(op, question_fields, KW_COUNT(question_fields), question, json));
    struct http_call call = {.method = HTTP_POST,
                             .path = "/device/v1/wipe",
                             .content_type = "application/json",
                             .body = kw_bytes_span(json)};
    TRY(op, server_call(op, device, DEVICE_LDEVID, &call, &answer), "fetching the order");
    return device_stated_read(op, kw_bytes_span(answer), ret);
}

/* Our nonce says that it was signed now; so who states a time that is over has a key whose
 * certificate has ended since, and no server has one in use. */
static bool is_over(const struct device *device, const struct statement *statement)
{
    enum { CLOCKS_DIFFER_S = 300 };

    return statement_time(statement, "time") < device_floor_ms(device) / 1000 - CLOCKS_DIFFER_S;
}

static kw_status check(struct kw_op *op, const struct device *device, const char *nonce,
                       const struct device_stated *stated)
{
    struct statement statement;
    char key[2 * KW_HASH_BYTES + 1];
    AUTO(cert) *own = NULL;

    TRY(op, device_stated_check(op, device, stated, STATEMENT_DEVICE_WIPE, nonce, &statement));
    TRY(op, state_read_cert(op, device, DEVICE_LDEVID, &own));
    kw_hex(KW_SPAN(pubkey_id(cert_public(own)), KW_HASH_BYTES), key, sizeof(key));
    ENSURE(op,
           statement_is(&statement, "device", device->config.device_id) &&
               statement_is(&statement, "key-sha256", key),
           KW_E_AUTH, "the order is another device's");
    ENSURE(op, !is_over(device, &statement), KW_E_AUTH, "the order states a time that is over");
    return KW_OK;
}

static kw_status prove(struct kw_op *op, struct device *device)
{
    struct question question = {0};
    struct device_stated stated = {0};

    TRY(op, draw(op, &question));
    TRY(op, fetch(op, device, &question, &stated));
    return check(op, device, question.nonce, &stated);
}

kw_status device_obey_wipe(struct kw_op *op, struct device *device)
{
    if (!device->config.obey_wipe) {
        events_note_change(device, DEVICE_EVENT_WIPE_ORDER, "ignored",
                           "the server orders a wipe; obey_wipe is not set");
        return KW_OK;
    }
    kw_status status = prove(op, device);
    if (!kw_ok(status)) {
        if (status.code != KW_E_UNAVAILABLE) {
            events_note_failed(device, DEVICE_EVENT_WIPE_ORDER, op, status);
        }
        return status;
    }
    events_note(device, DEVICE_EVENT_WIPE_ORDER, "success", "the server's order is obeyed");
    return events_note_outcome(device, DEVICE_EVENT_WIPE, op, device_wipe(op, device),
                               "every key is destroyed");
}
