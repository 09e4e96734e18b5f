/* What a device recorded, as operators see it. */
#include "service/fleet/events.h"

#include <inttypes.h>
#include <stdio.h>

#include "api/rest/rest.h"
#include "base/hex.h"

static kw_status view(struct kw_op *op, const struct store_device_event *row,
                      struct device_event_view *ret)
{
    struct device_event event;
    struct kw_reader r = kw_reader_of(KW_SPAN(row->record, row->len));
    struct kw_span hashed;

    ENSURE(op, kw_ok(device_event_read(&r, &event, &hashed)), KW_E_INTEGRITY,
           "a stored event is damaged");
    memset(ret, 0, sizeof(*ret));
    ret->id = event.id;
    ret->time_ms = event.unix_ms;
    ret->received_ms = row->came_ms;
    KW_TEXT_SET(ret->clock, device_event_clock_text(event.clock));
    KW_TEXT_SET(ret->source, event.source);
    KW_TEXT_SET(ret->category, event.category);
    KW_TEXT_SET(ret->type, event.type);
    KW_TEXT_SET(ret->result, event.result);
    KW_TEXT_SET(ret->detail, event.detail);
    kw_hex(KW_SPAN_ARRAY(event.hash), ret->hash, sizeof(ret->hash));
    return KW_OK;
}

REST_HANDLER(rest_device_events)
{
    struct codec_list list;
    struct store_device device;
    struct store_device_event row = {0};
    struct device_event_view shown;
    struct store *store = rest_service(ctx)->store;
    const char *id = rest_param(request, "id");
    uint64_t after = 0, max = 0;
    char next[24] = "";
    unsigned n = 1;

    TRY(op, rest_query_u64(op, request, "after", 0, INT64_MAX, &after));
    TRY(op, rest_query_u64(op, request, "max", VIEW_PAGE, REST_PAGE_MAX, &max));
    TRY(op, store_device_get(op, store, id, &device), "device '%s'", id);
    TRY(op, rest_list(op, response, &list));
    row.id = (int64_t)after;
    for (uint64_t i = 0; i < max; i++) {
        TRY(op, store_device_event_list(op, store, id, row.id, 1, &row, &n));
        if (n == 0) {
            break;
        }
        TRY(op, view(op, &row, &shown));
        TRY(op, rest_item(op, &list, &device_event_view, &shown));
    }
    (void)snprintf(next, sizeof(next), "%" PRId64, row.id);
    return codec_json_list_end(op, &list, n ? next : NULL);
}
