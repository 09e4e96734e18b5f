#include "model/key.h"

#include <string.h>

#include "base/bytes.h"

struct class_row {
    const char *text;
    const char *type;
    unsigned oup_days;
};

static const struct class_row classes[] = {
#define X(name, text, type, oup_days) [KEY_CLASS_##name] = {text, type, oup_days},
    KEY_CLASS_LIST(X)
#undef X
};
_Static_assert(KW_COUNT(classes) == KEY_CLASS_MAX, "every class has a row");
_Static_assert(KEY_CLASS_NONE == 0, "row 0 is no class");

/* A number from disk or from a peer may be no class at all. */
static const struct class_row *class_row(enum key_class c)
{
    static const struct class_row none = {"none", "none", 0};

    return c > KEY_CLASS_NONE && c < KEY_CLASS_MAX ? &classes[c] : &none;
}

const char *key_class_text(enum key_class c)
{
    return class_row(c)->text;
}

const char *key_class_type(enum key_class c)
{
    return class_row(c)->type;
}

unsigned key_class_oup_days(enum key_class c)
{
    return class_row(c)->oup_days;
}

bool key_class_symmetric(enum key_class c)
{
    return strncmp(class_row(c)->type, "symmetric ", strlen("symmetric ")) == 0;
}

bool key_class_signs(enum key_class c)
{
    return strncmp(class_row(c)->type, "private ", strlen("private ")) == 0;
}

enum key_class key_class_from_text(const char *text)
{
    for (unsigned i = KEY_CLASS_NONE + 1; i < KEY_CLASS_MAX; i++) {
        if (strcmp(classes[i].text, text) == 0) {
            return (enum key_class)i;
        }
    }
    return KEY_CLASS_NONE;
}

static const struct {
    const char *text; /* for people and files */
    const char *id;   /* for Mermaid, whose ids have no hyphen */
    bool may_sign;
} states[] = {
    [KEY_PRE_ACTIVE] = {"pre-active",  "PreActive",   false},
    [KEY_ACTIVE] = {"active",      "Active",      true },
    [KEY_SUSPENDED] = {"suspended",   "Suspended",   false},
    [KEY_DEACTIVATED] = {"deactivated", "Deactivated", false},
    [KEY_COMPROMISED] = {"compromised", "Compromised", false},
    [KEY_DESTROYED] = {"destroyed",   "Destroyed",   false},
};
_Static_assert(KW_COUNT(states) == KEY_STATE_MAX, "every state has a row");

static const char *const events[] = {
    [KEY_EVENT_ACTIVATE] = "activate",     [KEY_EVENT_SUSPEND] = "suspend",
    [KEY_EVENT_DEACTIVATE] = "deactivate", [KEY_EVENT_COMPROMISE] = "compromise",
    [KEY_EVENT_DESTROY] = "destroy",
};
_Static_assert(KW_COUNT(events) == KEY_EVENT_MAX, "every event has a text");

/*
 * SP 800-57 part 1 section 7.2, transitions 2 to 15; transition 1 is generation. Nothing ever
 * returns to pre-active, so a cell that somebody forgets (zero) refuses like NO.
 */
enum { NO = KEY_PRE_ACTIVE };
_Static_assert(KEY_PRE_ACTIVE == 0, "an empty cell must refuse");

/* clang-format off */
static const uint8_t edges[KEY_STATE_MAX][KEY_EVENT_MAX] = {
    /*                activate    suspend        deactivate       compromise       destroy */
    [KEY_PRE_ACTIVE] = {KEY_ACTIVE, NO,            NO,              KEY_COMPROMISED, KEY_DESTROYED},
    [KEY_ACTIVE]     = {NO,         KEY_SUSPENDED, KEY_DEACTIVATED, KEY_COMPROMISED, KEY_DESTROYED},
    [KEY_SUSPENDED]  = {KEY_ACTIVE, NO,            KEY_DEACTIVATED, KEY_COMPROMISED, KEY_DESTROYED},
    [KEY_DEACTIVATED]= {NO,         NO,            NO,              KEY_COMPROMISED, KEY_DESTROYED},
    [KEY_COMPROMISED]= {NO,         NO,            NO,              NO,              KEY_DESTROYED},
    [KEY_DESTROYED]  = {NO,         NO,            NO,              NO,              NO},
};
/* clang-format on */
_Static_assert(KEY_EVENT_DESTROY == 4 && KEY_EVENT_MAX == 5,
               "columns are in the order of enum key_event");

const char *key_state_text(enum key_state s)
{
    return (unsigned)s < KEY_STATE_MAX ? states[s].text : "unknown";
}

enum key_state key_state_from_text(const char *text)
{
    for (unsigned i = 0; i < KEY_STATE_MAX; i++) {
        if (strcmp(states[i].text, text) == 0) {
            return (enum key_state)i;
        }
    }
    return KEY_STATE_MAX;
}

const char *key_event_text(enum key_event e)
{
    return (unsigned)e < KEY_EVENT_MAX ? events[e] : "unknown";
}

bool key_state_may_sign(enum key_state s)
{
    return (unsigned)s < KEY_STATE_MAX && states[s].may_sign;
}

kw_status key_step(enum key_state from, enum key_event event, enum key_state *ret)
{
    if ((unsigned)from >= KEY_STATE_MAX || (unsigned)event >= KEY_EVENT_MAX ||
        edges[from][event] == NO) {
        return KW_FAIL(KW_E_STATE);
    }
    *ret = (enum key_state)edges[from][event];
    return KW_OK;
}

static void put_edge(void (*put)(void *ctx, const char *text), void *ctx, const char *from,
                     const char *to, const char *event)
{
    const char *const pieces[] = {"    ", from, " --> ", to, " : ", event, "\n"};

    for (unsigned i = 0; i < KW_COUNT(pieces); i++) {
        put(ctx, pieces[i]);
    }
}

void key_states_mermaid(void (*put)(void *ctx, const char *text), void *ctx)
{
    put(ctx, "stateDiagram-v2\n");
    put_edge(put, ctx, "[*]", states[KEY_PRE_ACTIVE].id, "generate");
    for (unsigned s = 0; s < KEY_STATE_MAX; s++) {
        for (unsigned e = 0; e < KEY_EVENT_MAX; e++) {
            if (edges[s][e] != NO) {
                put_edge(put, ctx, states[s].id, states[edges[s][e]].id, events[e]);
            }
        }
    }
    put(ctx, "    Destroyed --> [*]\n");
}
