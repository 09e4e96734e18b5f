/* The states of keys: the one writer, and what time does by itself. */
#include "cmd/keywright-keeper/keyring.h"
#include "os/clock.h"

enum { FLOOR_STEP_S = 300 };

static kw_status check_activation(struct kw_op *op, const struct keyring *keyring,
                                  const struct keeper_key *key, int64_t now_unix)
{
    const struct key_policy *policy = &key->policy;

    TRY(op, keyring_clock(op, keyring, now_unix));
    ENSURE(op, now_unix <= policy->not_after, KW_E_EXPIRED,
           "period: the key's originator-usage period is over");
    ENSURE(op, policy->activate != POLICY_ACTIVATE_AT_NOT_BEFORE || now_unix >= policy->not_before,
           KW_E_EXPIRED, "period: the key's originator-usage period has not begun");
    return KW_OK;
}

static kw_status write_event(struct kw_op *op, struct keyring *keyring,
                             const struct keeper_key *key, unsigned what, const char *who)
{
    struct keeper_journal_row row = {.time_ms = os_clock_unix_ms(),
                                     .kind = KEEPER_JOURNAL_EVENT,
                                     .what = (uint8_t)what,
                                     .count = (uint32_t)key->record->state};

    memcpy(row.key_id, key->policy.key_id, sizeof(row.key_id));
    memcpy(row.digest, key->record->spki_sha256, sizeof(row.digest));
    (void)snprintf(row.who, sizeof(row.who), "%s", who);
    return journal_append(op, keyring->journal, &row);
}

static void enter(struct key_record *record, enum key_state state, const struct key_cause *cause)
{
    struct keeper_key_phase *phase = &record->phases[state];

    record->state = state;
    phase->since_unix = cause->now_unix;
    (void)snprintf(phase->who, sizeof(phase->who), "%s", cause->who);
    (void)snprintf(phase->reason, sizeof(phase->reason), "%s", cause->reason);
}

/* What may be on disk already holds where it allows less. */
static bool keeps(kw_status status, enum key_state to)
{
    return status.code == KW_E_UNSURE && !key_state_may_sign(to);
}

/* A successor's first use begins the end of the key before it; NULL where there is none. */
static struct key_record *replaced_by(const struct keyring *keyring,
                                      const struct key_record *record, enum key_event event)
{
    bool first = event == KEY_EVENT_ACTIVATE && record->state == KEY_PRE_ACTIVE;

    return first && record->predecessor[0] != '\0' ? state_find(keyring->state, record->predecessor)
                                                   : NULL;
}

static void begin_overlap(const struct keyring *keyring, struct key_record *old,
                          const struct key_record *record, int64_t now_unix)
{
    const struct keeper_key *key = keyring_find(keyring, old->key_id);

    memcpy(old->successor, record->key_id, sizeof(old->successor));
    old->retire_at = now_unix + (key ? (int64_t)key->policy.overlap_s : 0);
}

/* Journal and state; what was not written did not happen. */
static kw_status write_step(struct kw_op *op, struct keyring *keyring, const struct keeper_key *key,
                            enum key_event event, const char *who)
{
    TRY(op, write_event(op, keyring, key, event, who));
    keyring->state->dirty = true;
    return keyring_save(op, keyring);
}

kw_status keyring_step(struct kw_op *op, struct keyring *keyring, struct keeper_key *key,
                       enum key_event event, const struct key_cause *cause)
{
    struct key_record *record = key->record;
    struct key_record *old = replaced_by(keyring, record, event);
    struct key_record before = *record;
    struct key_record old_before = old ? *old : before;
    enum key_state to = before.state;

    if (!kw_ok(key_step(before.state, event, &to))) {
        return FAIL(op, KW_E_STATE, "state: a key that is %s takes no '%s'",
                    key_state_text(before.state), key_event_text(event));
    }
    if (event == KEY_EVENT_ACTIVATE) {
        TRY(op, check_activation(op, keyring, key, cause->now_unix));
    }
    enter(record, to, cause);
    if (old) {
        begin_overlap(keyring, old, record, cause->now_unix);
    }
    kw_status status = write_step(op, keyring, key, event, cause->who);
    if (!kw_ok(status) && !keeps(status, to)) {
        *record = before;
        if (old) {
            *old = old_before;
        }
    }
    return status;
}

static bool begins(const struct keeper_key *key, int64_t now_unix)
{
    return key->policy.activate != POLICY_ACTIVATE_BY_HAND && now_unix >= key->policy.not_before &&
           now_unix <= key->policy.not_after;
}

static bool is_over(const struct keeper_key *key, int64_t now_unix)
{
    return now_unix > key->policy.not_after;
}

static bool is_replaced(const struct keeper_key *key, int64_t now_unix)
{
    return key->record->retire_at != 0 && now_unix >= key->record->retire_at;
}

static bool is_used_up(const struct keeper_key *key, int64_t now_unix)
{
    (void)now_unix;
    return key->policy.usage_max != 0 && key->record->signatures >= key->policy.usage_max;
}

enum { IN_USE = 1 << KEY_ACTIVE | 1 << KEY_SUSPENDED };

/* What time does, and to keys in which states. */
/* clang-format off */
static const struct due {
    uint32_t states; /* bits of enum key_state */
    bool (*is_due)(const struct keeper_key *key, int64_t now_unix);
    enum key_event event;
    const char *who;
    const char *reason;
} dues[] = {
    {1 << KEY_PRE_ACTIVE, begins,      KEY_EVENT_ACTIVATE,   "clock",  "the period began"},
    {IN_USE,              is_over,     KEY_EVENT_DEACTIVATE, "clock",  "the originator-usage period is over"},
    {IN_USE,              is_replaced, KEY_EVENT_DEACTIVATE, "clock",  "the overlap with its successor is over"},
    {IN_USE,              is_used_up,  KEY_EVENT_DEACTIVATE, "keeper", "it was used as often as its policy allows"},
};
/* clang-format on */

kw_status keyring_settle(struct kw_op *op, struct keyring *keyring, struct keeper_key *key,
                         int64_t now_unix)
{
    TRY(op, keyring_clock(op, keyring, now_unix));
    for (size_t i = 0; i < KW_COUNT(dues); i++) {
        const struct due *due = &dues[i];
        if ((due->states & 1u << key->record->state) && due->is_due(key, now_unix)) {
            struct key_cause cause = {now_unix, due->who, due->reason};
            TRY(op, keyring_step(op, keyring, key, due->event, &cause), "key '%s'",
                key->policy.key_id);
        }
    }
    return KW_OK;
}

kw_status keyring_tick(struct kw_op *op, struct keyring *keyring, int64_t now_unix)
{
    TRY(op, keyring_clock(op, keyring, now_unix));
    for (unsigned i = 0; i < keyring->n; i++) {
        TRY(op, keyring_settle(op, keyring, keyring->at[i], now_unix));
    }
    if (now_unix >= keyring->state->clock_floor + FLOOR_STEP_S) {
        keyring->state->clock_floor = now_unix;
        keyring->state->dirty = true;
    }
    return keyring_flush(op, keyring, now_unix, /* all= */ false);
}
