/* The device API: signs of life and receipts. */
#include "service/registration/device.h"
#include "api/api.h"
#include "base/time.h"
#include "codec/json.h"

enum { DEVICE_DEADLINE_MS = 10000 };

static const struct codec_field hello_fields[] = {
    FIELD_STRING("agent", struct device_hello, agent, CODEC_REQUIRED, "program and version"),
    FIELD_STRING("root_of_trust", struct device_hello, root_of_trust, CODEC_REQUIRED,
                 "what holds the key"),
    FIELD_BOOL("simulated", struct device_hello, simulated, 0, "it stands in for hardware"),
    FIELD_STRING("firmware", struct device_hello, firmware, 0, "version that it runs"),
    FIELD_STRING("certificate", struct device_hello, certificate, 0,
                 "SHA-256 of the current certificate"),
};

struct hello_answer {
    char device[KW_NAME_MAX];
    int64_t time_ms;
    bool renew;
};
static const struct codec_field hello_answer_fields[] = {
    FIELD_STRING("device", struct hello_answer, device, 0, "who the server takes you for"),
    FIELD_TIME("time", struct hello_answer, time_ms, 0, "the server's clock"),
    FIELD_BOOL("renew", struct hello_answer, renew, CODEC_OMIT_EMPTY,
               "renew now: the certificate is about to be revoked"),
};

static kw_status hello(struct kw_op *op, void *ctx, const struct http_request *request,
                       struct http_response *response)
{
    struct api *api = ctx;
    struct device_hello said = {0};
    struct hello_answer answer = {.time_ms = service_now_ms()};

    TRY(op, codec_json_decode(op, request->body, hello_fields, KW_COUNT(hello_fields), &said),
        "hello");
    TRY(op,
        device_seen(op, api->service, request->who.id, request->peer_cert, &said, &answer.renew));
    KW_TEXT_SET(answer.device, request->who.id);
    TRY(op, kw_bytes_new(256, &response->body));
    response->content_type = "application/json";
    return codec_json_encode(op, hello_answer_fields, KW_COUNT(hello_answer_fields), &answer,
                             response->body);
}

struct receipt_message {
    char device[KW_NAME_MAX];
    struct device_receipt receipt;
};
static const struct codec_field receipt_fields[] = {
    FIELD_STRING("device", struct receipt_message, device, CODEC_REQUIRED, "device id"),
    FIELD_STRING("action", struct receipt_message, receipt.action, CODEC_REQUIRED, "wipe"),
    FIELD_STRING("key", struct receipt_message, receipt.key_id, CODEC_REQUIRED,
                 "SHA-256 of the key's SubjectPublicKeyInfo"),
    FIELD_TIME("time", struct receipt_message, receipt.unix_ms, CODEC_REQUIRED,
               "the device's clock"),
    FIELD_STRING("proof", struct receipt_message, receipt.proof, 0,
                 "signed: what was known at the last signature"),
    FIELD_STRING("readback", struct receipt_message, receipt.readback, 0,
                 "what the root of trust reported afterwards"),
    FIELD_STRING("signature", struct receipt_message, receipt.signature, CODEC_REQUIRED,
                 "base64, by the key itself"),
};

/* No client certificate: the key that would make one is gone. The receipt's own signature proves
 * who sends it. */
static kw_status receipts(struct kw_op *op, void *ctx, const struct http_request *request,
                          struct http_response *response)
{
    struct receipt_message message = {0};

    TRY(op,
        codec_json_decode(op, request->body, receipt_fields, KW_COUNT(receipt_fields), &message),
        "receipt");
    TRY(op,
        device_take_receipt(op, ((struct api *)ctx)->service, message.device, &message.receipt));
    response->status = 204;
    return KW_OK;
}

/* clang-format off */
const struct route device_routes[] = {
    {HTTP_POST, "/device/v1/hello",    AUTH_DEVICE, "application/json", 4096, DEVICE_DEADLINE_MS, 0, hello,    &http_errors_json, "a device says that it is alive"},
    {HTTP_POST, "/device/v1/receipts", AUTH_NONE,   "application/json", 8192, DEVICE_DEADLINE_MS, 0, receipts, &http_errors_json, "a signed receipt of a key's destruction"},
};
/* clang-format on */
const unsigned device_routes_n = KW_COUNT(device_routes);
