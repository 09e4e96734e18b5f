#include "service/validation/status_owners.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_ROWS = 256, FIRST_TEXT = 8192, TEXT_MAX = 1 << 30, ROWS_AT_ONCE = 8192 };

void status_owners_init(struct status_owners *owners)
{
    pthread_rwlockattr_t attr;

    memset(owners, 0, sizeof(*owners));
    (void)pthread_rwlockattr_init(&attr); /* these cannot fail on Linux */
    /* those who ask must not keep the committer out */
    (void)pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    (void)pthread_rwlock_init(&owners->lock, &attr);
    (void)pthread_rwlockattr_destroy(&attr);
}

static void release(struct status_owners *owners)
{
    free(owners->at);
    free(owners->slots);
    free(owners->text);
    owners->at = NULL;
    owners->slots = NULL;
    owners->text = NULL;
    owners->n = owners->cap = owners->n_slots = owners->text_len = owners->text_cap = 0;
}

void status_owners_done(struct status_owners *owners)
{
    release(owners);
    (void)pthread_rwlock_destroy(&owners->lock); /* nobody waits */
}

void status_owners_clear(struct status_owners *owners)
{
    (void)pthread_rwlock_wrlock(&owners->lock);
    release(owners);
    (void)pthread_rwlock_unlock(&owners->lock);
}

/* FNV-1a, stirred: its last letters would move the upper bits too little, and slots go by those.
 * Names are ours or an operator's: a slow place costs an operator only. */
static uint32_t hash_of(const char *name)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    for (const char *p = name; *p; p++) {
        hash = (hash ^ (uint8_t)*p) * UINT64_C(1099511628211);
    }
    hash = (hash ^ hash >> 33) * UINT64_C(0xff51afd7ed558ccd);
    return (uint32_t)(hash >> 32);
}

static uint32_t slot_of(const struct status_owners *owners, uint32_t hash)
{
    return (uint32_t)((uint64_t)hash * owners->n_slots >> 32);
}

static uint32_t find(const struct status_owners *owners, const char *name)
{
    if (owners->n_slots == 0) {
        return OWNER_NONE;
    }
    for (uint32_t i = slot_of(owners, hash_of(name));; i = (i + 1) % owners->n_slots) {
        if (owners->slots[i] == 0) {
            return OWNER_NONE;
        }
        uint32_t number = owners->slots[i] - 1;
        if (strcmp(owners->text + owners->at[number].name, name) == 0) {
            return number;
        }
    }
}

static void enter(struct status_owners *owners, uint32_t number)
{
    uint32_t i = slot_of(owners, hash_of(owners->text + owners->at[number].name));

    while (owners->slots[i] != 0) {
        i = (i + 1) % owners->n_slots;
    }
    owners->slots[i] = number + 1;
}

/* Rows and slots by a quarter: they may be a million. */
static bool grow_rows(struct status_owners *owners)
{
    uint32_t cap = owners->cap ? owners->cap + owners->cap / 4 : FIRST_ROWS;
    uint32_t n_slots = cap + cap / 3;
    uint32_t *slots = calloc(n_slots, sizeof(*slots));
    struct owner_row *at = slots ? realloc(owners->at, cap * sizeof(*at)) : NULL;

    if (!at) {
        free(slots);
        return false;
    }
    owners->at = at;
    owners->cap = cap;
    free(owners->slots);
    owners->slots = slots;
    owners->n_slots = n_slots;
    for (uint32_t i = 0; i < owners->n; i++) {
        enter(owners, i);
    }
    return true;
}

static bool grow_text(struct status_owners *owners, uint32_t need)
{
    uint32_t cap = owners->text_cap ? owners->text_cap + owners->text_cap / 4 : FIRST_TEXT;
    char *text = cap < TEXT_MAX ? realloc(owners->text, cap + need) : NULL;

    if (!text) {
        return false;
    }
    owners->text = text;
    owners->text_cap = cap + need;
    return true;
}

static uint32_t add(struct status_owners *owners, const char *name, unsigned state, int64_t seen_ms)
{
    uint32_t len = (uint32_t)strlen(name) + 1;

    if ((owners->n == owners->cap && !grow_rows(owners)) ||
        (owners->text_cap - owners->text_len < len && !grow_text(owners, len))) {
        return OWNER_NONE;
    }
    memcpy(owners->text + owners->text_len, name, len);
    owners->at[owners->n] =
        (struct owner_row){.name = owners->text_len, .state = state, .seen_ms = seen_ms};
    owners->text_len += len;
    enter(owners, owners->n);
    return owners->n++;
}

uint32_t status_owners_put(struct status_owners *owners, const char *name, unsigned state,
                           int64_t seen_ms, bool newer)
{
    (void)pthread_rwlock_wrlock(&owners->lock);
    uint32_t number = find(owners, name);
    if (number == OWNER_NONE) {
        number = add(owners, name, state, seen_ms);
    } else if (state != OWNER_STATE_UNKNOWN &&
               (newer || owners->at[number].state == OWNER_STATE_UNKNOWN)) {
        owners->at[number].state = state;
        owners->at[number].seen_ms = seen_ms;
    }
    (void)pthread_rwlock_unlock(&owners->lock);
    return number;
}

bool status_owners_get(struct status_owners *owners, uint32_t number, char *name, size_t cap,
                       enum device_state *ret)
{
    bool known = false;

    (void)pthread_rwlock_rdlock(&owners->lock);
    if (number < owners->n && owners->at[number].state != OWNER_STATE_UNKNOWN) {
        const char *text = owners->text + owners->at[number].name;
        size_t len = strlen(text) + 1;
        known = len <= cap;
        memcpy(name, text, known ? len : 0);
        *ret = (enum device_state)owners->at[number].state;
    }
    (void)pthread_rwlock_unlock(&owners->lock);
    return known;
}

static void count_one(const struct owner_row *row, bool with, int64_t seen_ms,
                      struct status_devices *ret)
{
    if (row->state == 0 || row->state == OWNER_STATE_UNKNOWN || row->state == DEVICE_RETIRED) {
        return;
    }
    ret->without += !with;
    ret->online += with && row->seen_ms > seen_ms;
    ret->offline += with && row->seen_ms <= seen_ms;
}

/* In parts: the committer waits for a few thousand rows, not for a million. */
void status_owners_count(struct status_owners *owners, const uint8_t *with, uint32_t n,
                         int64_t seen_ms, struct status_devices *ret)
{
    *ret = (struct status_devices){0};
    for (uint32_t from = 0; from < n; from += ROWS_AT_ONCE) {
        (void)pthread_rwlock_rdlock(&owners->lock);
        for (uint32_t i = from; i < n && i < owners->n && i - from < ROWS_AT_ONCE; i++) {
            count_one(&owners->at[i], with[i / 8] >> i % 8 & 1, seen_ms, ret);
        }
        (void)pthread_rwlock_unlock(&owners->lock);
    }
}

uint32_t status_owners_n(struct status_owners *owners)
{
    (void)pthread_rwlock_rdlock(&owners->lock);
    uint32_t n = owners->n;
    (void)pthread_rwlock_unlock(&owners->lock);
    return n;
}

uint64_t status_owners_bytes(struct status_owners *owners)
{
    (void)pthread_rwlock_rdlock(&owners->lock);
    uint64_t bytes = (uint64_t)owners->cap * sizeof(*owners->at) +
                     (uint64_t)owners->n_slots * sizeof(*owners->slots) + owners->text_cap;
    (void)pthread_rwlock_unlock(&owners->lock);
    return bytes;
}
