#include "model/event.h"

#include "base/bytes.h"

static const struct {
    const char *text;
    const char *category;
} types[] = {
#define X(name, text, category) [EVENT_##name] = {text, category},
    EVENT_LIST(X)
#undef X
};
_Static_assert(KW_COUNT(types) == EVENT_MAX, "every event has a row");

const char *event_type_text(enum event_type type)
{
    return (unsigned)type < EVENT_MAX ? types[type].text : "unknown";
}

const char *event_type_category(enum event_type type)
{
    return (unsigned)type < EVENT_MAX ? types[type].category : "unknown";
}
