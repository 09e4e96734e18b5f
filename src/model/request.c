#include "model/request.h"

#include <string.h>

#include "base/bytes.h"

static const struct {
    const char *text;
    bool open;
} states[] = {
    [RA_NONE] = {"none",     false},
      [RA_WAITING] = {"waiting",  true },
    [RA_APPROVED] = {"approved", true },
      [RA_REFUSED] = {"refused",  false},
    [RA_ISSUED] = {"issued",   false},
      [RA_LAPSED] = {"lapsed",   false},
};
_Static_assert(KW_COUNT(states) == RA_STATE_MAX, "every state has a row");

static const char *const events[] = {
    [RA_OPEN] = "open",   [RA_APPROVE] = "approve", [RA_REFUSE] = "refuse",
    [RA_ISSUE] = "issue", [RA_LAPSE] = "lapse",
};
_Static_assert(KW_COUNT(events) == RA_EVENT_MAX, "every event has a text");

/* Nothing returns to RA_NONE, so an empty cell refuses. An approval can be taken back (refuse)
 * until the certificate is issued. */
enum { NO = RA_NONE };

/* clang-format off */
static const uint8_t edges[RA_STATE_MAX][RA_EVENT_MAX] = {
    /*             open        approve      refuse      issue      lapse */
    [RA_NONE]     = {RA_WAITING, NO,          NO,         NO,        NO},
    [RA_WAITING]  = {NO,         RA_APPROVED, RA_REFUSED, NO,        RA_LAPSED},
    [RA_APPROVED] = {NO,         NO,          RA_REFUSED, RA_ISSUED, RA_LAPSED},
    [RA_REFUSED]  = {NO,         NO,          NO,         NO,        NO},
    [RA_ISSUED]   = {NO,         NO,          NO,         NO,        NO},
    [RA_LAPSED]   = {NO,         NO,          NO,         NO,        NO},
};
/* clang-format on */

const char *ra_state_text(enum ra_state state)
{
    return (unsigned)state < RA_STATE_MAX ? states[state].text : "unknown";
}

enum ra_state ra_state_from_text(const char *text)
{
    for (unsigned i = RA_NONE + 1; i < RA_STATE_MAX; i++) {
        if (strcmp(states[i].text, text) == 0) {
            return (enum ra_state)i;
        }
    }
    return RA_STATE_MAX;
}

const char *ra_event_text(enum ra_event event)
{
    return (unsigned)event < RA_EVENT_MAX ? events[event] : "unknown";
}

bool ra_state_open(enum ra_state state)
{
    return (unsigned)state < RA_STATE_MAX && states[state].open;
}

kw_status ra_step(enum ra_state from, enum ra_event event, enum ra_state *ret)
{
    if ((unsigned)from >= RA_STATE_MAX || (unsigned)event >= RA_EVENT_MAX ||
        edges[from][event] == NO) {
        return KW_FAIL(KW_E_STATE);
    }
    *ret = (enum ra_state)edges[from][event];
    return KW_OK;
}
