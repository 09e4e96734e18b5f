/* keywright/events.h */
#include <keywright/events.h>

#include "device/api_internal.h"
#include "device/events.h"

enum keywright_result keywright_event_record(struct keywright *kw, const char *type,
                                             const char *result, const char *detail)
{
    struct kw_op op;

    return API_CALL(kw, op,
                    events_note_app(&op, &kw->device, type ? type : "", result ? result : "",
                                    detail ? detail : ""));
}

static kw_status get_info(struct kw_op *op, struct device *device,
                          struct keywright_events_info *ret)
{
    struct events_state state;

    TRY(op, events_state(op, device, &state));
    *ret = (struct keywright_events_info){
        .first = state.first, .last = state.last, .sent = state.sent, .lost = state.lost};
    return KW_OK;
}

enum keywright_result keywright_events_get_info(struct keywright *kw,
                                                struct keywright_events_info *ret)
{
    struct kw_op op;

    return API_CALL(kw, op, get_info(&op, &kw->device, ret));
}

struct room {
    struct keywright_event *at;
    size_t n, cap;
};

static bool show(void *ctx, const struct device_event *event, struct kw_span record)
{
    struct room *room = ctx;

    (void)record;
    if (room->n == room->cap) {
        return false;
    }
    struct keywright_event *to = &room->at[room->n++];
    memset(to, 0, sizeof(*to));
    to->id = event->id;
    to->unix_ms = event->unix_ms;
    to->clock = (int)event->clock;
    KW_TEXT_SET(to->source, event->source);
    KW_TEXT_SET(to->category, event->category);
    KW_TEXT_SET(to->type, event->type);
    KW_TEXT_SET(to->result, event->result);
    KW_TEXT_SET(to->detail, event->detail);
    memcpy(to->hash, event->hash, sizeof(to->hash));
    return true;
}

static kw_status read_events(struct kw_op *op, const struct device *device, uint64_t after,
                             struct room *room)
{
    AUTO(events_file) *file = NULL;

    TRY(op, events_file_open(op, device->dir, &file));
    events_file_each(file, after + 1, show, room);
    return KW_OK;
}

enum keywright_result keywright_events_read(struct keywright *kw, uint64_t after,
                                            struct keywright_event *ret, size_t *n)
{
    struct kw_op op;
    struct room room = {.at = ret, .cap = *n};
    enum keywright_result result = API_CALL(kw, op, read_events(&op, &kw->device, after, &room));

    *n = room.n;
    return result;
}
