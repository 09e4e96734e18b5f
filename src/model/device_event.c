#include "model/device_event.h"

#include <stddef.h>
#include <string.h>

#include "base/utf8.h"
#include "base/writer.h"

static const uint8_t MAGIC[4] = {'k', 'w', 'e', '1'};

static const struct {
    const char *text, *category;
} types[] = {
#define X(name, text, category) [DEVICE_EVENT_##name] = {text, category},
    DEVICE_EVENT_LIST(X)
#undef X
};
_Static_assert(KW_COUNT(types) == DEVICE_EVENT_MAX, "every event has a row");

const char *device_event_type_text(enum device_event_type type)
{
    return (unsigned)type < DEVICE_EVENT_MAX ? types[type].text : "unknown";
}

const char *device_event_type_category(enum device_event_type type)
{
    return (unsigned)type < DEVICE_EVENT_MAX ? types[type].category : "unknown";
}

const char *device_event_clock_text(enum device_event_clock clock)
{
    static const char *const texts[] = {[DEVICE_EVENT_CLOCK_PLAIN] = "clock",
                                        [DEVICE_EVENT_CLOCK_SIGNED] = "signed",
                                        [DEVICE_EVENT_CLOCK_FLOOR] = "not before"};

    return (unsigned)clock < DEVICE_EVENT_CLOCK_MAX ? texts[clock] : "unknown";
}

/* --- the record ------------------------------------------------------------------------------- */

#define TEXT(member, optional_)                                                                    \
    {offsetof(struct device_event, member), sizeof(((struct device_event *)0)->member), optional_}
static const struct {
    size_t offset, size;
    bool optional;
} texts[] = {
    TEXT(source, false), TEXT(category, false), TEXT(type, false),
    TEXT(result, false), TEXT(detail, true),
};

static void put_texts(struct kw_writer *w, const struct device_event *event)
{
    for (unsigned i = 0; i < KW_COUNT(texts); i++) {
        const char *text = (const char *)event + texts[i].offset;
        w->failed |= !texts[i].optional && !*text;
        w->failed |= !kw_utf8_is_plain(kw_span_text(text));
        kw_writer_text(w, text);
    }
}

static void take_texts(struct kw_reader *r, struct device_event *event)
{
    for (unsigned i = 0; i < KW_COUNT(texts); i++) {
        char *text = (char *)event + texts[i].offset;
        kw_reader_text(r, text, texts[i].size);
        if (!texts[i].optional && !*text) {
            kw_reader_reject(r);
        }
    }
}

kw_status device_event_write(const struct device_event *event, struct kw_out *out)
{
    uint8_t room[DEVICE_EVENT_RECORD_MAX];
    struct kw_out body = KW_OUT_ARRAY(room);
    struct kw_writer w = kw_writer_of(&body);
    struct kw_writer whole = kw_writer_of(out);

    if (event->id == 0 || event->id > INT64_MAX || event->unix_ms < 0) {
        return KW_FAIL(KW_E_INPUT);
    }
    kw_writer_put(&w, KW_SPAN_ARRAY(MAGIC));
    kw_writer_u64(&w, event->id);
    kw_writer_u64(&w, (uint64_t)event->unix_ms);
    kw_writer_u8(&w, (uint8_t)event->clock);
    kw_writer_put(&w, KW_SPAN_ARRAY(event->boot));
    put_texts(&w, event);
    kw_writer_put(&w, KW_SPAN_ARRAY(event->previous));
    if (!kw_ok(kw_writer_end(&w))) {
        return KW_FAIL(KW_E_INPUT);
    }
    kw_writer_u16(&whole, (uint16_t)(body.len + KW_HASH_BYTES));
    kw_writer_put(&whole, kw_out_span(&body));
    return kw_writer_end(&whole);
}

static void take_numbers(struct kw_reader *r, struct device_event *event)
{
    uint8_t magic[sizeof(MAGIC)];

    kw_reader_copy(r, magic, sizeof(magic));
    event->id = kw_reader_u64(r);
    event->unix_ms = (int64_t)kw_reader_u64(r);
    event->clock = (enum device_event_clock)kw_reader_u8(r);
    kw_reader_copy(r, event->boot, sizeof(event->boot));
    if (memcmp(magic, MAGIC, sizeof(magic)) != 0 || event->id == 0 || event->id > INT64_MAX ||
        event->unix_ms < 0 || event->clock >= DEVICE_EVENT_CLOCK_MAX) {
        kw_reader_reject(r);
    }
}

kw_status device_event_read(struct kw_reader *r, struct device_event *ret,
                            struct kw_span *ret_hashed)
{
    const uint8_t *begin = r->rest.p;
    struct device_event event = {0};
    struct kw_span body = kw_reader_span16(r, DEVICE_EVENT_RECORD_MAX);
    struct kw_reader in = kw_reader_of(body);

    if (r->failed || body.len < KW_HASH_BYTES) {
        return KW_FAIL(KW_E_INPUT);
    }
    take_numbers(&in, &event);
    take_texts(&in, &event);
    kw_reader_copy(&in, event.previous, sizeof(event.previous));
    kw_reader_copy(&in, event.hash, sizeof(event.hash));
    if (!kw_ok(kw_reader_end(&in))) {
        return KW_FAIL(KW_E_INPUT);
    }
    *ret = event;
    *ret_hashed = KW_SPAN(begin, sizeof(uint16_t) + body.len - KW_HASH_BYTES);
    return KW_OK;
}

/* --- what a server makes of it ---------------------------------------------------------------- */

enum device_event_verdict device_event_judge(const struct device_event_head *known,
                                             const struct device_event *event, uint64_t *ret_lost)
{
    bool follows =
        !known->known || memcmp(known->hash, event->previous, sizeof(event->previous)) == 0;

    *ret_lost = 0;
    if (event->id > known->id && event->id - known->id > 1) {
        *ret_lost = event->id - known->id - 1;
        return DEVICE_EVENT_LOST;
    }
    if (known->known && event->id <= known->id) {
        return DEVICE_EVENT_AGAIN;
    }
    return follows ? DEVICE_EVENT_NEXT : DEVICE_EVENT_BROKEN;
}

bool device_event_diverged(const struct device_event_head *known,
                           const struct device_log_said *said)
{
    return known->known && known->id > 0 && said->last == known->id &&
           memcmp(known->hash, said->head, KW_HASH_BYTES) != 0;
}
