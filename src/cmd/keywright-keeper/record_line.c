#include "cmd/keywright-keeper/record_line.h"

/* The line's first key; a record that is not there ends the way. Damage must not make a circle. */
static struct key_record *first_of(struct state *state, const char *key_id)
{
    struct key_record *record = state_find(state, key_id);

    for (unsigned n = 0; record && n < STATE_KEYS_MAX && record->predecessor[0] != '\0'; n++) {
        struct key_record *before = state_find(state, record->predecessor);
        if (!before) {
            break;
        }
        record = before;
    }
    return record;
}

static struct key_record *next_of(struct state *state, const struct key_record *record)
{
    return record->successor[0] != '\0' ? state_find(state, record->successor) : NULL;
}

uint64_t line_counter(struct state *state, const char *key_id)
{
    struct key_record *record = first_of(state, key_id);
    uint64_t counter = 0;

    for (unsigned n = 0; record && n < STATE_KEYS_MAX; n++) {
        counter = record->crl_number > counter ? record->crl_number : counter;
        record = next_of(state, record);
    }
    return counter;
}

void line_version(struct state *state, const char *key_id, struct line_mark *ret)
{
    struct key_record *record = first_of(state, key_id);

    *ret = (struct line_mark){0};
    for (unsigned n = 0; record && n < STATE_KEYS_MAX; n++) {
        if (record->tree_size > ret->number) {
            ret->number = record->tree_size;
            memcpy(ret->digest, record->tree_root, sizeof(ret->digest));
        }
        record = next_of(state, record);
    }
}
