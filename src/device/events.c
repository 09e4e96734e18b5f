#include "device/events.h"

#include "base/utf8.h"
#include "os/clock.h"

static const char SOURCE[] = "libkeywright";
enum { PATIENCE_MS = 2000, REPEAT_MS = 3600000, WARN_PERCENT = 80, SENT_MAX = 32 };

/* --- one event -------------------------------------------------------------------------------- */

/* Whole characters, as many as fit; a control or what is no character becomes '?'. */
static void fit(char *to, size_t cap, const char *from)
{
    struct kw_span rest = kw_span_text(from);
    size_t n = 0;

    while (rest.len > 0) {
        unsigned one = kw_utf8_next(rest);
        bool bad = one == 0 || kw_utf8_is_control(rest.p, one);
        one = one ? one : 1;
        if (n + one >= cap) {
            break;
        }
        memcpy(to + n, bad ? (const uint8_t *)"????" : rest.p, bad ? 1 : one);
        n += bad ? 1 : one;
        rest = kw_span_sub(rest, one, rest.len);
    }
    to[n] = '\0';
}

static enum device_event_clock clock_kind(const struct device *device)
{
    if (device->base_ms) {
        return DEVICE_EVENT_CLOCK_SIGNED;
    }
    bool plain = device_believes_clock(device) && os_clock_unix_ms() >= device_floor_ms(device);
    return plain ? DEVICE_EVENT_CLOCK_PLAIN : DEVICE_EVENT_CLOCK_FLOOR;
}

static void stamp(const struct device *device, struct device_event *event)
{
    uint8_t boot[OS_BOOT_ID_BYTES];

    os_clock_boot_id(boot);
    memcpy(event->boot, boot, sizeof(event->boot));
    event->unix_ms = device_now_s(device) * 1000;
    event->clock = clock_kind(device);
}

static void describe(struct device_event *event, enum device_event_type type, const char *result,
                     const char *detail)
{
    KW_TEXT_SET(event->source, SOURCE);
    KW_TEXT_SET(event->category, device_event_type_category(type));
    KW_TEXT_SET(event->type, device_event_type_text(type));
    fit(event->result, sizeof(event->result), result);
    fit(event->detail, sizeof(event->detail), detail);
}

/* --- into the log ----------------------------------------------------------------------------- */

/* Ids that were taken by events that could not be written are passed over: that shows the loss. */
static kw_status append(struct kw_op *op, struct device *device, struct events_file *file,
                        struct device_event *event)
{
    uint64_t next = events_file_end(file)->id + 1 + device->events_lost;

    event->id = event->id > next ? event->id : next;
    TRY(op, events_file_append(op, file, event));
    device->events_lost = 0;
    return KW_OK;
}

static kw_status append_start(struct kw_op *op, struct device *device, struct events_file *file,
                              const struct device_event *cause)
{
    const struct events_end *end = events_file_end(file);
    struct device_event event = {0};

    if (end->any && memcmp(end->last.boot, cause->boot, sizeof(cause->boot)) == 0) {
        return KW_OK;
    }
    stamp(device, &event);
    describe(&event, DEVICE_EVENT_START, "success", "the machine was started");
    return append(op, device, file, &event);
}

static bool is_repeat(const struct events_end *end, const struct device_event *event)
{
    const struct device_event *last = &end->last;

    return end->any && strcmp(event->result, "success") != 0 &&
           strcmp(last->type, event->type) == 0 && strcmp(last->result, event->result) == 0 &&
           strcmp(last->detail, event->detail) == 0 && event->unix_ms >= last->unix_ms &&
           event->unix_ms - last->unix_ms < REPEAT_MS;
}

struct unsent {
    size_t octets;
    bool warned;
};
static bool count_unsent(void *ctx, const struct device_event *event, struct kw_span record)
{
    struct unsent *it = ctx;

    it->octets += record.len;
    it->warned |= strcmp(event->type, device_event_type_text(DEVICE_EVENT_LOG_WARNING)) == 0;
    return true;
}

static uint64_t read_sent(const struct device *device)
{
    AUTO(kw_bytes) *text = NULL;
    struct kw_op own;
    uint64_t sent = 0;

    kw_op_init(&own, NULL, 0);
    if (!kw_ok(state_read(&own, device, EVENTS_SENT_FILE, SENT_MAX, &text))) {
        return 0;
    }
    for (size_t i = 0; i < text->len && text->p[i] >= '0' && text->p[i] <= '9' && i < 18; i++) {
        sent = sent * 10 + (uint64_t)(text->p[i] - '0');
    }
    return sent;
}

static kw_status warn_if_full(struct kw_op *op, struct device *device, struct events_file *file)
{
    struct unsent unsent = {0};
    struct device_event event = {0};

    events_file_each(file, read_sent(device) + 1, count_unsent, &unsent);
    if (unsent.warned ||
        unsent.octets < (size_t)EVENTS_FILES * EVENTS_FILE_BYTES / 100 * WARN_PERCENT) {
        return KW_OK;
    }
    stamp(device, &event);
    describe(&event, DEVICE_EVENT_LOG_WARNING, "full",
             "four fifths of the log are events that the server does not have");
    return append(op, device, file, &event);
}

static kw_status record(struct kw_op *op, struct device *device, struct device_event *event)
{
    AUTO(events_file) *file = NULL;

    stamp(device, event);
    TRY(op, events_file_open(op, device->dir, &file));
    if (is_repeat(events_file_end(file), event)) {
        return KW_OK;
    }
    TRY(op, append_start(op, device, file, event));
    TRY(op, append(op, device, file, event));
    (void)kw_ok(warn_if_full(op, device, file)); /* what was to be recorded is */
    return KW_OK;
}

static kw_status record_or_count(struct kw_op *op, struct device *device,
                                 struct device_event *event)
{
    kw_status status = record(op, device, event);

    device->events_lost += kw_ok(status) ? 0 : 1;
    return status;
}

void events_note(struct device *device, enum device_event_type type, const char *result,
                 const char *detail)
{
    struct device_event event = {0};
    struct kw_op own;

    kw_op_init(&own, NULL, os_clock_mono_ms() + PATIENCE_MS);
    describe(&event, type, result, detail);
    (void)kw_ok(record_or_count(&own, device, &event));
}

kw_status events_note_outcome(struct device *device, enum device_event_type type,
                              const struct kw_op *op, kw_status status, const char *done)
{
    static const bool passing[KW_CODE_MAX] = {
        [KW_E_UNAVAILABLE] = true, [KW_E_TIMEOUT] = true, [KW_E_LIMIT] = true,
        [KW_E_UNSURE] = true,      [KW_E_FULL] = true,    [KW_E_MEMORY] = true};

    if (kw_ok(status) && done) {
        events_note(device, type, "success", done);
    } else if (!kw_ok(status) && !passing[status.code]) {
        events_note_failed(device, type, op, status);
    }
    return status;
}

kw_status events_note_data(struct device *device, const struct kw_op *op, kw_status status)
{
    static const bool altered[KW_CODE_MAX] = {
        [KW_E_INPUT] = true,    [KW_E_AUTH] = true,    [KW_E_DENIED] = true,
        [KW_E_REVOKED] = true,  [KW_E_EXPIRED] = true, [KW_E_CONFLICT] = true,
        [KW_E_INTEGRITY] = true};

    if (altered[status.code]) {
        events_note_failed(device, DEVICE_EVENT_DATA, op, status);
    }
    return status;
}

struct last_of {
    const char *type;
    char result[sizeof(((struct device_event *)0)->result)];
    uint8_t boot[8];
    bool any;
};
static bool look_for(void *ctx, const struct device_event *event, struct kw_span record)
{
    struct last_of *it = ctx;

    (void)record;
    if (strcmp(event->type, it->type) == 0) {
        KW_TEXT_SET(it->result, event->result);
        memcpy(it->boot, event->boot, sizeof(it->boot));
        it->any = true;
    }
    return true;
}

static struct last_of find_last(const struct device *device, enum device_event_type type)
{
    struct last_of last = {.type = device_event_type_text(type), .result = "success"};
    AUTO(events_file) *file = NULL;
    struct kw_op own;

    kw_op_init(&own, NULL, os_clock_mono_ms() + PATIENCE_MS);
    if (kw_ok(events_file_open(&own, device->dir, &file))) {
        events_file_each(file, 1, look_for, &last);
    }
    return last;
}

void events_note_change(struct device *device, enum device_event_type type, const char *result,
                        const char *detail)
{
    struct last_of last = find_last(device, type);

    if (strcmp(last.result, result) != 0) {
        events_note(device, type, result, detail);
    }
}

void events_note_once(struct device *device, enum device_event_type type, const char *detail)
{
    struct last_of last = find_last(device, type);
    uint8_t boot[OS_BOOT_ID_BYTES];

    os_clock_boot_id(boot);
    if (!last.any || memcmp(last.boot, boot, sizeof(last.boot)) != 0) {
        events_note(device, type, "success", detail);
    }
}

void events_note_failed(struct device *device, enum device_event_type type, const struct kw_op *op,
                        kw_status status)
{
    char why[512];

    kw_op_message(op, why, sizeof(why));
    events_note(device, type, kw_code_text(status.code), why);
}

kw_status events_note_app(struct kw_op *op, struct device *device, const char *type,
                          const char *result, const char *detail)
{
    struct device_event event = {.source = "application", .category = "application"};

    ENSURE(op, strncmp(type, "app.", 4) == 0 && type[4] && KW_TEXT_SET(event.type, type),
           KW_E_INPUT, "the type of an application's event must begin with 'app.'");
    fit(event.result, sizeof(event.result), result);
    fit(event.detail, sizeof(event.detail), detail);
    ENSURE(op, *event.result && kw_utf8_is_plain(kw_span_text(event.type)), KW_E_INPUT,
           "an event needs a result");
    return record_or_count(op, device, &event);
}

kw_status events_note_damage(struct kw_op *op, struct device *device, uint64_t id,
                             const char *detail)
{
    struct device_event event = {.id = id};

    describe(&event, DEVICE_EVENT_LOG_DAMAGE, "damaged", detail);
    return record_or_count(op, device, &event);
}

/* --- what is in it, and its way to the server --------------------------------------------------
 */

kw_status events_state(struct kw_op *op, struct device *device, struct events_state *ret)
{
    AUTO(events_file) *file = NULL;

    *ret = (struct events_state){.lost = device->events_lost};
    TRY(op, events_file_open(op, device->dir, &file));
    const struct events_end *end = events_file_end(file);
    ret->first = end->first;
    ret->last = end->id;
    ret->sent = read_sent(device);
    if (end->any) {
        memcpy(ret->head, end->last.hash, sizeof(ret->head));
    }
    return KW_OK;
}
