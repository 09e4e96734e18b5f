#include "model/device_event.h"

#include "base/op.h"
#include "base/reader.h"
#include "base/utf8.h"
#include "base/writer.h"

enum { VERSION = 1, FIXED = 1 + 8 + 8 + 1 + 4 + 4, LENGTHS = 5 * 2 };

#define TEXT_ROOM(member) (sizeof(((struct device_event *)0)->member) - 1)
_Static_assert(FIXED + LENGTHS + TEXT_ROOM(category) + TEXT_ROOM(type) + TEXT_ROOM(source) +
                       TEXT_ROOM(result) + TEXT_ROOM(detail) <=
                   DEVICE_EVENT_MAX,
               "the longest record fits");

const char device_log_domain[] = "keywright-device-log-v1";
const char device_event_domain[] = "keywright-device-event-v1";
const char heartbeat_domain[] = "keywright-heartbeat-v1";

static const char *const worths[] = {
    [DEVICE_TIME_FLOOR] = "floor", [DEVICE_TIME_CLOCK] = "clock", [DEVICE_TIME_SIGNED] = "signed"};

const char *device_time_worth_text(enum device_time_worth worth)
{
    return (unsigned)worth < KW_COUNT(worths) ? worths[worth] : "unknown";
}

static bool is_sound(const struct device_event *event)
{
    const char *const texts[] = {event->category, event->type, event->source, event->result};

    for (unsigned i = 0; i < KW_COUNT(texts); i++) {
        if (texts[i][0] == '\0' || !kw_utf8_is_plain(kw_span_text(texts[i]))) {
            return false;
        }
    }
    return kw_utf8_is_plain(kw_span_text(event->detail)) && event->number > 0 &&
           event->time_ms >= 0 && (unsigned)event->worth < KW_COUNT(worths);
}

kw_status device_event_write(const struct device_event *event, struct kw_out *out)
{
    struct kw_writer w = kw_writer_of(out);

    ENSURE(NULL, is_sound(event), KW_E_INPUT);
    kw_writer_u8(&w, VERSION);
    kw_writer_u64(&w, event->number);
    kw_writer_u64(&w, (uint64_t)event->time_ms);
    kw_writer_u8(&w, (uint8_t)event->worth);
    kw_writer_u32(&w, event->boot);
    kw_writer_u32(&w, event->uptime_s);
    kw_writer_text(&w, event->category);
    kw_writer_text(&w, event->type);
    kw_writer_text(&w, event->source);
    kw_writer_text(&w, event->result);
    kw_writer_text(&w, event->detail);
    return kw_writer_end(&w);
}

kw_status device_event_parse(struct kw_span record, struct device_event *ret)
{
    struct device_event event = {0};
    struct kw_reader r = kw_reader_of(record);

    if (kw_reader_u8(&r) != VERSION) {
        kw_reader_reject(&r);
    }
    event.number = kw_reader_u64(&r);
    event.time_ms = (int64_t)kw_reader_u64(&r);
    event.worth = (enum device_time_worth)kw_reader_u8(&r);
    event.boot = kw_reader_u32(&r);
    event.uptime_s = kw_reader_u32(&r);
    kw_reader_text(&r, event.category, sizeof(event.category));
    kw_reader_text(&r, event.type, sizeof(event.type));
    kw_reader_text(&r, event.source, sizeof(event.source));
    kw_reader_text(&r, event.result, sizeof(event.result));
    kw_reader_text(&r, event.detail, sizeof(event.detail));
    TRY(NULL, kw_reader_end(&r));
    ENSURE(NULL, is_sound(&event), KW_E_INPUT);
    *ret = event;
    return KW_OK;
}
