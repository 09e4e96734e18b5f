/* Stations, and whose devices they may enrol. */
#include "service/registration/station.h"

#include <stdio.h>

#include "api/rest/rest.h"

/* A page goes on behind "STATION/PRODUCT"; neither has a slash in it. */
static kw_status read_after(struct kw_op *op, const struct http_request *request,
                            struct store_grant *ret)
{
    char text[2 * KW_NAME_MAX];
    const char *after = NULL;

    TRY(op, rest_query_text(op, request, "after", text, sizeof(text), &after));
    const char *slash = after ? strchr(after, '/') : NULL;
    ENSURE(op, !after || slash, KW_E_INPUT, "'after' is what the page before gave as 'next'");
    if (slash) {
        (void)snprintf(ret->station, sizeof(ret->station), "%.*s", (int)(slash - after), after);
        KW_TEXT_SET(ret->product, slash + 1);
    }
    return KW_OK;
}

static void view(const struct store_grant *grant, struct station_view *ret)
{
    memset(ret, 0, sizeof(*ret));
    KW_TEXT_SET(ret->station, grant->station);
    KW_TEXT_SET(ret->product, grant->product);
    ret->granted_ms = grant->granted_ms;
}

REST_HANDLER(rest_station_list)
{
    struct store_grant grant = {0};
    struct station_view shown;
    struct codec_list list;
    char next[2 * KW_NAME_MAX] = "";
    uint64_t max = 0;
    unsigned n = 1;

    TRY(op, read_after(op, request, &grant));
    TRY(op, rest_query_u64(op, request, "max", VIEW_PAGE, REST_PAGE_MAX, &max));
    TRY(op, rest_list(op, response, &list));
    for (uint64_t i = 0; i < max; i++) {
        struct store_grant after = grant;
        TRY(op, store_station_list(op, rest_service(ctx)->store, &after, 1, &grant, &n));
        if (n == 0) {
            break;
        }
        view(&grant, &shown);
        TRY(op, rest_item(op, &list, &station_view, &shown));
        (void)snprintf(next, sizeof(next), "%s/%s", grant.station, grant.product);
    }
    return codec_json_list_end(op, &list, n && *next ? next : NULL);
}

struct product_body {
    char product[KW_NAME_MAX];
};
static const struct codec_field product_fields[] = {
    FIELD_STRING("product", struct product_body, product, CODEC_REQUIRED, "whose devices"),
};

static kw_status change(struct kw_op *op, void *ctx, const struct http_request *request,
                        kw_status (*how)(struct kw_op *op, struct service *service,
                                         const char *station, const char *product),
                        struct http_response *response)
{
    struct product_body body = {0};

    TRY(op, codec_json_decode(op, request->body, product_fields, KW_COUNT(product_fields), &body));
    TRY(op, how(op, rest_service(ctx), rest_param(request, "id"), body.product));
    response->status = 204;
    return KW_OK;
}

REST_HANDLER(rest_station_grant)
{
    return change(op, ctx, request, station_grant, response);
}

REST_HANDLER(rest_station_end)
{
    return change(op, ctx, request, station_end, response);
}
