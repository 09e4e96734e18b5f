#include <stdio.h>

#include "api/rest/rest.h"
#include "base/hex.h"
#include "service/doctor/doctor.h"

static kw_status put(struct kw_op *op, void *ctx, const struct finding *finding)
{
    struct finding_view shown = {.time_ms = finding->time_ms};

    KW_TEXT_SET(shown.level, finding_level_text(finding->level));
    KW_TEXT_SET(shown.check, finding->check);
    KW_TEXT_SET(shown.object, finding->object);
    KW_TEXT_SET(shown.text, finding->text);
    KW_TEXT_SET(shown.digest, finding->digest);
    KW_TEXT_SET(shown.request_id, finding->request_id);
    return rest_item(op, ctx, &finding_view, &shown);
}

struct acknowledge_body {
    char digest[2 * KW_HASH_BYTES + 1];
    char reason[256];
};
static const struct codec_field acknowledge_fields[] = {
    FIELD_STRING("digest", struct acknowledge_body, digest, CODEC_REQUIRED,
                 "SHA-256 of what was signed, hex"),
    FIELD_STRING("reason", struct acknowledge_body, reason, CODEC_REQUIRED,
                 "what it was, and how that was found out"),
};

REST_HANDLER(rest_doctor_acknowledge)
{
    struct acknowledge_body body = {0};
    uint8_t digest[KW_HASH_BYTES];
    struct kw_out out = KW_OUT_ARRAY(digest);

    TRY(op, codec_json_decode(op, request->body, acknowledge_fields, KW_COUNT(acknowledge_fields),
                              &body));
    ENSURE(op, kw_ok(kw_unhex(body.digest, &out)) && out.len == sizeof(digest), KW_E_INPUT,
           "a digest has 32 octets");
    TRY(op, reconcile_acknowledge(op, rest_service(ctx), digest, body.reason));
    response->status = 204;
    return KW_OK;
}

REST_HANDLER(rest_doctor)
{
    struct codec_list list;

    (void)request;
    TRY(op, rest_list(op, response, &list));
    TRY(op, doctor_run(op, rest_service(ctx), put, &list));
    return codec_json_list_end(op, &list, NULL);
}
