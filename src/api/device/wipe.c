/* POST /device/v1/wipe: docs/protocol/device-wipe.md. */
#include "service/fleet/wipe.h"
#include "api/device/device_api.h"
#include "codec/json.h"

struct question {
    char nonce[2 * KW_HASH_BYTES + 1];
};
static const struct codec_field question_fields[] = {
    FIELD_STRING("nonce", struct question, nonce, CODEC_REQUIRED, "64 lower-case hex digits"),
};
static const struct codec_field answer_fields[] = {
    FIELD_STRING("statement", struct fleet_time, statement, CODEC_LINES, "kind device-wipe"),
    FIELD_B64("signature", struct fleet_time, signature, signature_len, 0, "over the statement"),
    FIELD_STRING("chain", struct fleet_time, chain, CODEC_LINES, "PEM: the signer, then its CA"),
};

DEVICE_HANDLER(device_api_wipe)
{
    struct question question = {0};
    struct fleet_time answer = {0};

    TRY(op, codec_json_decode(op, request->body, question_fields, KW_COUNT(question_fields),
                              &question));
    TRY(op, wipe_sign(op, ((struct api *)ctx)->service, request->who.id, request->peer_cert,
                      question.nonce, &answer));
    TRY(op, kw_bytes_new(4096, &response->body));
    response->content_type = "application/json";
    return codec_json_encode(op, answer_fields, KW_COUNT(answer_fields), &answer, response->body);
}
