/* The device's security events, as they stand here. */
#include "base/time.h"
#include "cmd/keywright-agent/agent.h"

enum { PAGE = 64 };

static const char *clock_text(int clock)
{
    static const char *const texts[] = {"clock", "signed", "not before"};

    return clock >= 0 && clock < 3 ? texts[clock] : "?";
}

/* A JSON text; control characters are in no event. */
static void print_json_text(const char *name, const char *text)
{
    (void)printf(",\"%s\":\"", name);
    for (const char *c = text; *c; c++) {
        (void)printf(*c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
    }
    (void)printf("\"");
}

static void print_json(const struct keywright_event *event)
{
    char when[KW_TIME_TEXT];

    (void)printf("{\"id\":%llu,\"time\":\"%s\"", (unsigned long long)event->id,
                 kw_time_text_ms(event->unix_ms, when));
    print_json_text("clock", clock_text(event->clock));
    print_json_text("source", event->source);
    print_json_text("category", event->category);
    print_json_text("type", event->type);
    print_json_text("result", event->result);
    print_json_text("detail", event->detail);
    (void)printf("}\n");
}

static void print_line(const struct keywright_event *event)
{
    char when[KW_TIME_TEXT];

    (void)printf("%6llu  %s  %-16s %-10s %s\n", (unsigned long long)event->id,
                 kw_time_text_ms(event->unix_ms, when), event->type, event->result, event->detail);
}

enum keywright_result verb_events(struct keywright *kw, const struct options *options)
{
    struct keywright_event page[PAGE];
    struct keywright_events_info info;
    uint64_t after = 0;

    for (size_t n = PAGE; n == PAGE;) {
        enum keywright_result result = keywright_events_read(kw, after, page, &n);
        if (result != KEYWRIGHT_OK) {
            return conclude("events", kw, result);
        }
        for (size_t i = 0; i < n; i++) {
            (options->json ? print_json : print_line)(&page[i]);
            after = page[i].id;
        }
    }
    enum keywright_result result = keywright_events_get_info(kw, &info);
    if (result == KEYWRIGHT_OK && !options->json) {
        (void)printf("events %llu to %llu; the server has them up to %llu\n",
                     (unsigned long long)info.first, (unsigned long long)info.last,
                     (unsigned long long)info.sent);
    }
    return conclude("events", kw, result);
}

enum keywright_result verb_record(struct keywright *kw, const struct options *options)
{
    return conclude("record", kw,
                    keywright_event_record(kw, options->arg, "success", options->name));
}
