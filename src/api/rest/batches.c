#include "api/rest/rest.h"
#include "service/quality/batch.h"

static void view(const struct store_batch *batch, struct batch_view *ret)
{
    memset(ret, 0, sizeof(*ret));
    KW_TEXT_SET(ret->name, batch->name);
    KW_TEXT_SET(ret->product, batch->product);
    KW_TEXT_SET(ret->state, batch_state_text(batch->state));
    KW_TEXT_SET(ret->finding, batch->finding);
    ret->quota = batch->quota;
    ret->units = batch->units;
    ret->checked = batch->checked;
    ret->opened_ms = batch->opened_ms;
    ret->closed_ms = batch->closed_ms;
}

static kw_status answer(struct kw_op *op, const struct store_batch *batch,
                        struct http_response *response)
{
    struct batch_view shown;

    view(batch, &shown);
    return rest_answer(op, &batch_view, &shown, response);
}

static kw_status next_batch(struct kw_op *op, struct service *service, struct rest_page *page)
{
    struct store_batch batch;
    struct batch_view shown;

    TRY(op, store_batch_list(op, service->store, page->after, 0, 1, &batch, &page->n));
    if (page->n == 0) {
        return KW_OK;
    }
    view(&batch, &shown);
    KW_TEXT_SET(page->after, batch.name);
    return rest_item(op, &page->list, &batch_view, &shown);
}

REST_HANDLER(rest_batch_list)
{
    return rest_list_by_name(op, ctx, request, response, next_batch);
}

REST_HANDLER(rest_batch_show)
{
    struct store_batch batch;

    TRY(op, store_batch_get(op, rest_service(ctx)->store, rest_param(request, "id"), &batch));
    return answer(op, &batch, response);
}

struct open_body {
    char name[KW_NAME_MAX], product[KW_NAME_MAX];
    uint32_t quota;
};
static const struct codec_field open_fields[] = {
    FIELD_STRING("name", struct open_body, name, CODEC_REQUIRED, "batch"),
    FIELD_STRING("product", struct open_body, product, CODEC_REQUIRED, "of its units"),
    FIELD_INT("quota", struct open_body, quota, 0, 0, 10000000, "units at most; 0: any number"),
};

REST_HANDLER(rest_batch_open)
{
    struct open_body body = {0};
    struct store_batch batch;

    TRY(op, codec_json_decode(op, request->body, open_fields, KW_COUNT(open_fields), &body));
    TRY(op, batch_open(op, rest_service(ctx), body.name, body.product, body.quota, &batch));
    response->status = 201;
    return answer(op, &batch, response);
}

static kw_status close_batch(struct kw_op *op, struct service *service, const char *name,
                             const char *reason, struct store_batch *ret)
{
    (void)reason;
    return batch_close(op, service, name, ret);
}

static const struct {
    const char *verb;
    kw_status (*run)(struct kw_op *op, struct service *service, const char *name,
                     const char *reason, struct store_batch *ret);
} verbs[] = {
    {"close",      close_batch     },
    {"quarantine", batch_quarantine},
    {"release",    batch_release   },
};

struct reason_body {
    char reason[STORE_REASON_MAX];
};
static const struct codec_field reason_fields[] = {
    FIELD_STRING("reason", struct reason_body, reason, 0, "why"),
};

REST_HANDLER(rest_batch_verb)
{
    struct reason_body body = {.reason = ""};
    const char *verb = rest_param(request, "verb");
    struct store_batch batch;

    TRY(op, codec_json_decode(op, request->body, reason_fields, KW_COUNT(reason_fields), &body));
    for (unsigned i = 0; i < KW_COUNT(verbs); i++) {
        if (strcmp(verbs[i].verb, verb) == 0) {
            TRY(op, verbs[i].run(op, rest_service(ctx), rest_param(request, "id"), body.reason,
                                 &batch));
            return answer(op, &batch, response);
        }
    }
    return FAIL(op, KW_E_NOT_FOUND, "no '%s' of batches", verb);
}
