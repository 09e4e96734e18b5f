/* The events on their way to the server, oldest first. */
#include <stdio.h>

#include "codec/json.h"
#include "device/events.h"

static const uint64_t AHEAD_MAX = 1000000; /* so far a server may be ahead of our log */
enum { BATCHES_MAX = 64 };

struct answer {
    uint64_t next;
};
static const struct codec_field answer_fields[] = {
    FIELD_INT("next", struct answer, next, CODEC_REQUIRED, 0, 0, "the id that is wanted next"),
};

struct batch {
    struct kw_bytes *octets;
    bool failed;
};
static bool gather(void *ctx, const struct device_event *event, struct kw_span record)
{
    struct batch *it = ctx;

    (void)event;
    if (it->octets->len + record.len > DEVICE_EVENT_BATCH_MAX) {
        return false;
    }
    it->failed |= !kw_ok(kw_bytes_append(it->octets, record));
    return !it->failed;
}

/* Empty: the server has all. The log is not locked while it travels. */
static kw_status next_batch(struct kw_op *op, const struct device *device, uint64_t from,
                            struct kw_bytes *octets)
{
    struct batch batch = {.octets = octets};
    AUTO(events_file) *file = NULL;

    TRY(op, events_file_open(op, device->dir, &file));
    events_file_each(file, from, gather, &batch);
    ENSURE(op, !batch.failed, KW_E_MEMORY, "events to send");
    return KW_OK;
}

static kw_status send(struct kw_op *op, struct device *device, enum device_identity as,
                      struct kw_span octets, uint64_t *ret_next)
{
    struct answer answer = {0};
    AUTO(kw_bytes) *body = NULL;
    struct http_call call = {.method = HTTP_POST,
                             .path = "/device/v1/events",
                             .content_type = "application/octet-stream",
                             .body = octets};

    TRY(op, server_call(op, device, as, &call, &body), "sending events");
    TRY(op,
        codec_json_decode(op, kw_bytes_span(body), answer_fields, KW_COUNT(answer_fields), &answer),
        "sending events");
    *ret_next = answer.next;
    return KW_OK;
}

/* Ids go on where the server is: it holds events that this log does not. */
static kw_status catch_up(struct kw_op *op, struct device *device, uint64_t from)
{
    struct events_state state;
    char detail[128];

    TRY(op, events_state(op, device, &state));
    if (from <= state.last + 1 || from - state.last > AHEAD_MAX) {
        return KW_OK;
    }
    (void)snprintf(detail, sizeof(detail),
                   "the server holds events up to %llu, this log up to %llu",
                   (unsigned long long)from - 1, (unsigned long long)state.last);
    return events_note_damage(op, device, from, detail);
}

static void keep_sent(const struct device *device, uint64_t sent)
{
    char text[32];
    struct kw_op own; /* only the warning of a full log hangs on it */

    kw_op_init(&own, NULL, 0);
    (void)snprintf(text, sizeof(text), "%llu\n", (unsigned long long)sent);
    (void)kw_ok(state_write(&own, device, EVENTS_SENT_FILE, kw_span_text(text)));
}

kw_status events_deliver(struct kw_op *op, struct device *device, enum device_identity as,
                         uint64_t from)
{
    uint64_t next = from;

    TRY(op, catch_up(op, device, from));
    for (unsigned i = 0; i < BATCHES_MAX; i++) {
        AUTO(kw_bytes) *octets = NULL;
        TRY(op, kw_bytes_new(4096, &octets));
        TRY(op, next_batch(op, device, next, octets));
        if (octets->len == 0) {
            return KW_OK;
        }
        TRY(op, send(op, device, as, kw_bytes_span(octets), &from));
        ENSURE(op, from > next, KW_E_INTERNAL, "the server takes no events");
        next = from;
        keep_sent(device, next - 1);
    }
    return KW_OK;
}
