#include <stdio.h>

#include "api/rest/rest.h"
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

REST_HANDLER(rest_doctor)
{
    struct codec_list list;

    (void)request;
    TRY(op, rest_list(op, response, &list));
    TRY(op, doctor_run(op, rest_service(ctx), put, &list));
    return codec_json_list_end(op, &list, NULL);
}
