/* The device API: who is where, and receipts. */
#include "api/device/broker.h"
#include "api/device/device_api.h"
#include "base/time.h"
#include "codec/json.h"
#include "service/registration/receipt.h"

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
    {HTTP_POST, "/device/v1/hello",    AUTH_DEVICE, "application/json", 4096, DEVICE_DEADLINE_MS, 0, device_api_hello, &http_errors_json, "a device says that it is alive"},
    {HTTP_POST, "/device/v1/attest/enrol",     AUTH_DEVICE, "application/json", 16384, DEVICE_DEADLINE_MS, ROUTE_ATTEST, device_api_attest_enrol,     &http_errors_json, "begin to bind an attestation key (docs/protocol/attest.md)"},
    {HTTP_POST, "/device/v1/attest/activate",  AUTH_DEVICE, "application/json", 16384, DEVICE_DEADLINE_MS, ROUTE_ATTEST, device_api_attest_activate,  &http_errors_json, "bind it"},
    {HTTP_GET,  "/device/v1/attest/challenge", AUTH_DEVICE, NULL, 0, DEVICE_DEADLINE_MS, 0, device_api_attest_challenge, &http_errors_json, "a nonce for one round of attestation"},
    {HTTP_POST, "/device/v1/attest/evidence",  AUTH_DEVICE, "application/json", 98304, DEVICE_DEADLINE_MS, ROUTE_ATTEST, device_api_attest_evidence,  &http_errors_json, "the evidence of one round"},
    {HTTP_POST, "/device/v1/time",     AUTH_NONE,   "application/json", 1024, DEVICE_DEADLINE_MS, 0, device_api_time, &http_errors_json, "the time, signed, for a device that has none"},
    {HTTP_POST, "/device/v1/wipe",     AUTH_DEVICE, "application/json", 1024, DEVICE_DEADLINE_MS, 0, device_api_wipe, &http_errors_json, "the order to wipe itself, signed (docs/protocol/device-wipe.md)"},
    {HTTP_POST, "/device/v1/events",   AUTH_DEVICE, "application/octet-stream", 32768, DEVICE_DEADLINE_MS, 0, device_api_events, &http_errors_json, "security events that a device recorded (docs/protocol/device-events.md)"},
    {HTTP_POST, "/device/v1/receipts", AUTH_NONE,   "application/json", 8192, DEVICE_DEADLINE_MS, 0, receipts, &http_errors_json, "a signed receipt of a key's destruction"},
    {HTTP_GET,  "/broker/v1/snapshot", AUTH_BROKER, NULL, 0, 15000, 0, broker_get_snapshot, &http_errors_json, "who may connect to a broker; after"},
    {HTTP_GET,  "/broker/v1/changes",  AUTH_BROKER, NULL, 0, 15000, 0, broker_get_changes,  &http_errors_json, "what changed of that; since, wait"},
    {HTTP_GET,  "/broker/v1/trust",    AUTH_BROKER, NULL, 0, 15000, 0, broker_get_trust,    &http_errors_json, "certificates of the CAs (PEM)"},
};
/* clang-format on */
const unsigned device_routes_n = KW_COUNT(device_routes);
