#include "api/rest/rest.h"

#include <errno.h>
#include <stdlib.h>

struct service *rest_service(void *ctx)
{
    return ((struct api *)ctx)->service;
}

const char *rest_param(const struct http_request *request, const char *name)
{
    const char *value = kw_uri_param(&request->params, name);

    return value ? value : "";
}

kw_status rest_query_text(struct kw_op *op, const struct http_request *request, const char *key,
                          char *text, size_t cap, const char **ret)
{
    kw_status status = kw_uri_query(request->query, key, text, cap);

    *ret = NULL;
    if (status.code == KW_E_NOT_FOUND) {
        return KW_OK;
    }
    ENSURE(op, kw_ok(status), KW_E_INPUT, "query '%s' is too long or badly encoded", key);
    *ret = *text ? text : NULL;
    return KW_OK;
}

kw_status rest_query_u64(struct kw_op *op, const struct http_request *request, const char *key,
                         uint64_t default_, uint64_t max, uint64_t *ret)
{
    char text[24], *end = NULL;
    const char *given = NULL;

    TRY(op, rest_query_text(op, request, key, text, sizeof(text), &given));
    if (!given) {
        *ret = default_;
        return KW_OK;
    }
    errno = 0;
    unsigned long long value = strtoull(given, &end, 10);
    ENSURE(op, !errno && *end == 0 && *given >= '0' && *given <= '9' && value <= max, KW_E_INPUT,
           "query '%s' takes a whole number up to %llu", key, (unsigned long long)max);
    *ret = value;
    return KW_OK;
}

kw_status rest_no_body(struct kw_op *op, const struct http_request *request)
{
    static const struct codec_field none = {0};

    return request->body.len == 0 ? KW_OK
                                  : codec_json_decode(op, request->body, &none, 0, &(char){0});
}

kw_status rest_answer(struct kw_op *op, const struct view *view, const void *obj,
                      struct http_response *response)
{
    TRY(op, kw_bytes_new(1024, &response->body));
    response->content_type = "application/json";
    return codec_json_encode(op, view->fields, view->n, obj, response->body);
}

kw_status rest_list(struct kw_op *op, struct http_response *response, struct codec_list *list)
{
    TRY(op, kw_bytes_new(4096, &response->body));
    response->content_type = "application/json";
    return codec_json_list_begin(op, list, response->body);
}

kw_status rest_item(struct kw_op *op, struct codec_list *list, const struct view *view,
                    const void *obj)
{
    return codec_json_list_item(op, list, view->fields, view->n, obj);
}

kw_status rest_list_by_name(struct kw_op *op, void *ctx, const struct http_request *request,
                            struct http_response *response, rest_next *next)
{
    struct rest_page page = {.n = 1};
    const char *from = NULL;
    uint64_t max = 0;

    TRY(op, rest_query_text(op, request, "after", page.after, sizeof(page.after), &from));
    TRY(op, rest_query_u64(op, request, "max", VIEW_PAGE, REST_PAGE_MAX, &max));
    TRY(op, rest_list(op, response, &page.list));
    page.after[from ? strlen(page.after) : 0] = 0;
    for (uint64_t i = 0; i < max && page.n > 0; i++) {
        TRY(op, next(op, rest_service(ctx), &page));
    }
    return codec_json_list_end(op, &page.list, page.n && *page.after ? page.after : NULL);
}
