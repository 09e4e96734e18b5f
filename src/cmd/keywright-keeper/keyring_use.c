/* Each use of a key: is it allowed now, count it, write it down. */
#include "cmd/keywright-keeper/keyring.h"
#include "cmd/keywright-keeper/purposes.h"
#include "crypto/digest.h"
#include "os/clock.h"

enum { RESERVE_MAX = 256, MINUTE_S = 60, MINUTE_MS = 60000 };

/* A key that is in use no more still reads what it protected, until its policy says so. */
static kw_status check_state(struct kw_op *op, const struct keeper_key *key,
                             enum keeper_purpose purpose, int64_t now_unix)
{
    const struct key_policy *policy = &key->policy;
    enum key_state state = key->record->state;

    if (purpose_states_after(purpose) & 1u << state) {
        ENSURE(op, now_unix <= policy->processing_until, KW_E_EXPIRED,
               "period: the key is %s and its recipient-usage period is over",
               key_state_text(state));
        return KW_OK;
    }
    ENSURE(op,
           key_state_may_sign(state) || (state == KEY_DEACTIVATED && now_unix > policy->not_after),
           KW_E_STATE, "state: the key is %s", key_state_text(state));
    ENSURE(op, now_unix >= policy->not_before && now_unix <= policy->not_after, KW_E_EXPIRED,
           "period: the key's originator-usage period %s",
           now_unix < policy->not_before ? "has not begun" : "is over");
    return KW_OK;
}

kw_status keyring_use(struct kw_op *op, struct keyring *keyring, const char *key_id,
                      enum keeper_purpose purpose, int64_t now_unix, struct keeper_key **ret)
{
    struct keeper_key *key = keyring_find(keyring, key_id);

    if (!key) {
        const struct key_record *record = state_find(keyring->state, key_id);
        ENSURE(op, record, KW_E_NOT_FOUND, "key: there is no key '%s'", key_id);
        return FAIL(op, KW_E_STATE, "state: the key is %s", key_state_text(record->state));
    }
    ENSURE(op, purpose_allowed(key->policy.class_, purpose), KW_E_DENIED,
           "purpose: a key of class %s signs no %s", key_class_text(key->policy.class_),
           purpose_text(purpose));
    TRY(op, keyring_settle(op, keyring, key, now_unix));
    TRY(op, check_state(op, key, purpose, now_unix));
    TRY(op, keyring_reach(op, keyring, key));
    key->asked = purpose;
    *ret = key;
    return KW_OK;
}

/* --- counting --------------------------------------------------------------------------------- */

static kw_status take_token(struct kw_op *op, struct keeper_key *key, int64_t mono_ms)
{
    uint64_t rate = key->policy.rate_per_minute;

    if (rate == 0) {
        return KW_OK;
    }
    if (key->filled_mono_ms == 0) {
        key->filled_mono_ms = mono_ms;
    }
    uint64_t elapsed_ms = (uint64_t)(mono_ms - key->filled_mono_ms);
    uint64_t full = rate * MINUTE_MS;
    key->filled_mono_ms = mono_ms;
    key->tokens += elapsed_ms > MINUTE_MS ? full : elapsed_ms * rate;
    key->tokens = key->tokens > full ? full : key->tokens;
    ENSURE(op, key->tokens >= MINUTE_MS, KW_E_LIMIT,
           "rate: the key is used at most %llu times a minute", (unsigned long long)rate);
    key->tokens -= MINUTE_MS;
    return KW_OK;
}

/* How many uses one writing of the state covers: what a crash may cost of them. */
static uint64_t reserve_block(uint64_t usage_max)
{
    uint64_t block = usage_max / 1024;

    return block < 1 ? 1 : block > RESERVE_MAX ? RESERVE_MAX : block;
}

/* The file speaks of the use before it is made. */
static kw_status reserve(struct kw_op *op, struct keyring *keyring, struct keeper_key *key)
{
    struct key_record *record = key->record;
    uint64_t max = key->policy.usage_max;
    uint64_t before = record->reserved;

    if (max == 0 || record->signatures < record->reserved) {
        return KW_OK;
    }
    ENSURE(op, record->signatures < max, KW_E_EXPIRED,
           "usage: the key was used %llu times, as often as its policy allows",
           (unsigned long long)record->signatures);
    uint64_t left = max - record->signatures;
    uint64_t block = reserve_block(max);
    record->reserved = record->signatures + (block < left ? block : left);
    keyring->state->dirty = true;
    kw_status status = keyring_save(op, keyring);
    if (!kw_ok(status)) {
        record->reserved = before; /* where it is on disk after all, that many are lost */
    }
    return status;
}

kw_status keyring_count(struct kw_op *op, struct keyring *keyring, struct keeper_key *key,
                        int64_t mono_ms)
{
    /* Reading what was protected is neither limited nor what usage_max speaks of. */
    if (key_state_may_sign(key->record->state)) {
        TRY(op, reserve(op, keyring, key));
        TRY(op, take_token(op, key, mono_ms));
    }
    key->record->signatures++;
    keyring->state->dirty = true;
    return KW_OK;
}

void keyring_give_back(struct keyring *keyring)
{
    for (unsigned i = 0; i < keyring->n; i++) {
        struct key_record *record = keyring->at[i]->record;
        if (record->reserved > record->signatures) {
            record->reserved = record->signatures;
            keyring->state->dirty = true;
        }
    }
}

/* --- the journal ------------------------------------------------------------------------------ */

static kw_status write_use(struct kw_op *op, struct keyring *keyring, const struct keeper_key *key,
                           enum keeper_purpose purpose, const uint8_t digest[KW_HASH_BYTES],
                           const char *who)
{
    struct keeper_journal_row row = {.time_ms = os_clock_unix_ms(),
                                     .kind = KEEPER_JOURNAL_USE,
                                     .what = (uint8_t)purpose,
                                     .count = 1};

    memcpy(row.key_id, key->policy.key_id, sizeof(row.key_id));
    memcpy(row.digest, digest, sizeof(row.digest));
    (void)snprintf(row.who, sizeof(row.who), "%s", who);
    return journal_append(op, keyring->journal, &row);
}

kw_status keyring_note_deed(struct kw_op *op, struct keyring *keyring, enum keeper_vault_deed deed,
                            uint32_t count, int64_t now_unix)
{
    struct keeper_journal_row row = {.time_ms = now_unix * 1000,
                                     .kind = KEEPER_JOURNAL_VAULT,
                                     .what = (uint8_t)deed,
                                     .count = count};

    (void)KW_TEXT_SET(row.who, "person"); /* it fits */
    return journal_append(op, keyring->journal, &row);
}

static kw_status flush_one(struct kw_op *op, struct keyring *keyring, const struct keeper_key *key,
                           struct bulk_uses *uses)
{
    struct keeper_journal_row row = {.time_ms = uses->minute * MINUTE_MS,
                                     .kind = KEEPER_JOURNAL_USES,
                                     .what = (uint8_t)uses->purpose,
                                     .count = uses->count};

    memcpy(row.key_id, key->policy.key_id, sizeof(row.key_id));
    memcpy(row.digest, uses->digest, sizeof(row.digest));
    TRY(op, journal_append(op, keyring->journal, &row));
    *uses = (struct bulk_uses){0};
    return KW_OK;
}

/* The purpose's place; there is always one: no class has more bulk purposes than places. */
static struct bulk_uses *place_of(struct keeper_key *key, enum keeper_purpose purpose)
{
    for (unsigned i = 0; i < KEYRING_BULK_MAX; i++) {
        if (key->bulk[i].purpose == purpose || key->bulk[i].purpose == 0) {
            return &key->bulk[i];
        }
    }
    return &key->bulk[0];
}

static kw_status note_bulk(struct kw_op *op, struct keyring *keyring, struct keeper_key *key,
                           enum keeper_purpose purpose, const uint8_t digest[KW_HASH_BYTES])
{
    struct bulk_uses *uses = place_of(key, purpose);
    int64_t minute = os_clock_unix_ms() / MINUTE_MS;

    if (uses->count > 0 && (uses->minute != minute || uses->purpose != purpose)) {
        TRY(op, flush_one(op, keyring, key, uses));
    }
    uses->purpose = purpose;
    uses->minute = minute;
    uses->count++;
    digest_sha256_two(KW_SPAN_ARRAY(uses->digest), KW_SPAN(digest, KW_HASH_BYTES), uses->digest);
    return KW_OK;
}

kw_status keyring_note(struct kw_op *op, struct keyring *keyring, struct keeper_key *key,
                       enum keeper_purpose purpose, struct kw_span message, const char *who)
{
    uint8_t digest[KW_HASH_BYTES];

    digest_sha256(message, digest);
    return keyring_note_digest(op, keyring, key, purpose, digest, who);
}

kw_status keyring_note_digest(struct kw_op *op, struct keyring *keyring, struct keeper_key *key,
                              enum keeper_purpose purpose, const uint8_t digest[KW_HASH_BYTES],
                              const char *who)
{
    if (purpose_is_bulk(purpose)) {
        return note_bulk(op, keyring, key, purpose, digest);
    }
    return write_use(op, keyring, key, purpose, digest, who);
}

kw_status keyring_flush(struct kw_op *op, struct keyring *keyring, int64_t now_unix, bool all)
{
    for (unsigned i = 0; i < keyring->n; i++) {
        struct keeper_key *key = keyring->at[i];
        for (unsigned j = 0; j < KEYRING_BULK_MAX; j++) {
            struct bulk_uses *uses = &key->bulk[j];
            if (uses->count > 0 && (all || uses->minute != now_unix / MINUTE_S)) {
                TRY(op, flush_one(op, keyring, key, uses));
            }
        }
    }
    return KW_OK;
}
