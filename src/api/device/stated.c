/* What the server states over a device's own nonce, signed: POST /device/v1/time
 * (docs/protocol/device-time.md), POST /device/v1/wipe (docs/protocol/device-wipe.md). */
#include "api/device/device_api.h"
#include "codec/json.h"
#include "service/fleet/wipe.h"

struct question {
    char nonce[2 * KW_HASH_BYTES + 1];
};
static const struct codec_field question_fields[] = {
    FIELD_STRING("nonce", struct question, nonce, CODEC_REQUIRED, "64 lower-case hex digits"),
};
static const struct codec_field answer_fields[] = {
    FIELD_STRING("statement", struct fleet_time, statement, CODEC_LINES, "of the route's kind"),
    FIELD_B64("signature", struct fleet_time, signature, signature_len, 0, "over the statement"),
    FIELD_STRING("chain", struct fleet_time, chain, CODEC_LINES, "PEM: the signer, then its CA"),
};

static kw_status read_question(struct kw_op *op, const struct http_request *request,
                               struct question *ret)
{
    return codec_json_decode(op, request->body, question_fields, KW_COUNT(question_fields), ret);
}

static kw_status answer(struct kw_op *op, const struct fleet_time *stated,
                        struct http_response *response)
{
    TRY(op, kw_bytes_new(4096, &response->body));
    response->content_type = "application/json";
    return codec_json_encode(op, answer_fields, KW_COUNT(answer_fields), stated, response->body);
}

DEVICE_HANDLER(device_api_time)
{
    struct question question = {0};
    struct fleet_time stated = {0};

    TRY(op, read_question(op, request, &question));
    TRY(op, fleet_time(op, ((struct api *)ctx)->service, question.nonce, &stated));
    return answer(op, &stated, response);
}

DEVICE_HANDLER(device_api_wipe)
{
    struct question question = {0};
    struct fleet_time stated = {0};

    TRY(op, read_question(op, request, &question));
    TRY(op, wipe_sign(op, ((struct api *)ctx)->service, request->who.id, request->peer_cert,
                      question.nonce, &stated));
    return answer(op, &stated, response);
}
