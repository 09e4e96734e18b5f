/* Rotation: the next key of a line, under the same sealed policy. Nothing in it is the gate's
 * choice. */
#include <stdio.h>
#include <stdlib.h>

#include "cmd/keywright-keeper/keyring.h"

/* The next free id of the line: one that a crash used up is passed over. */
static kw_status next_id(struct kw_op *op, const struct keyring *keyring, struct key_policy *policy)
{
    do {
        policy->generation++;
        ENSURE(op, policy_key_id(policy->lineage, policy->generation, policy->key_id), KW_E_LIMIT,
               "line: the ids of '%s' are used up", policy->lineage);
    } while (state_find(keyring->state, policy->key_id));
    return KW_OK;
}

static void move_period(struct key_policy *policy, int64_t now_unix)
{
    int64_t length_s = policy->not_after - policy->not_before;
    int64_t reading_s =
        policy->processing_until == 0 ? 0 : policy->processing_until - policy->not_after;

    policy->not_before = now_unix;
    policy->not_after = now_unix + length_s;
    policy->processing_until = policy->processing_until == 0 ? 0 : policy->not_after + reading_s;
}

/* A successor whose making was cut short is none. */
static bool has_successor(const struct keyring *keyring, const struct key_record *record)
{
    const struct key_record *next = state_find(keyring->state, record->successor);

    return next && (next->state != KEY_DESTROYED || next->phases[KEY_ACTIVE].since_unix != 0);
}

static bool is_in_use(const struct key_record *record)
{
    return record && (record->state == KEY_ACTIVE || record->state == KEY_SUSPENDED);
}

/* One step at a time: otherwise a gate could fill the vault with keys of one line. */
static kw_status check(struct kw_op *op, const struct keyring *keyring,
                       const struct keeper_key *key)
{
    const struct key_record *record = key->record;
    const struct key_record *before = state_find(keyring->state, record->predecessor);

    ENSURE(op, record->state != KEY_PRE_ACTIVE, KW_E_STATE, "state: the key is %s",
           key_state_text(record->state));
    ENSURE(op, !has_successor(keyring, record), KW_E_CONFLICT, "line: its successor is '%s'",
           record->successor);
    ENSURE(op, !is_in_use(record) || !is_in_use(before), KW_E_STATE,
           "line: '%s' before it is still %s; deactivate it first", record->predecessor,
           key_state_text(before->state));
    return KW_OK;
}

kw_status keyring_rotate(struct kw_op *op, struct keyring *keyring, struct keeper_key *key,
                         const struct key_cause *cause, struct keeper_key **ret)
{
    static struct key_policy policy; /* large; one thread */

    TRY(op, check(op, keyring, key));
    policy = key->policy;
    TRY(op, next_id(op, keyring, &policy));
    move_period(&policy, cause->now_unix);
    return keyring_make(op, keyring, &policy, key->record, cause, ret);
}

/* --- lines of a log --------------------------------------------------------------------------- */

enum { LINES_MAX = 1000 };

/* Cuts the line's number off both texts: "log-3", "example.org/3". 1: they have none. */
static unsigned cut_line(char lineage[KW_NAME_MAX], char origin[KW_NAME_MAX])
{
    char *dash = strrchr(lineage, '-');
    char *slash = strrchr(origin, '/');

    if (!dash || !slash || strcmp(dash + 1, slash + 1) != 0 || dash[1] < '1' || dash[1] > '9' ||
        strspn(dash + 1, "0123456789") != strlen(dash + 1) || strlen(dash + 1) > 4) {
        return 1;
    }
    unsigned n = (unsigned)strtoul(dash + 1, NULL, 10);
    *dash = '\0';
    *slash = '\0';
    return n;
}

/* A line whose key's making was cut short was not begun. */
static kw_status next_line(struct kw_op *op, struct keyring *keyring, struct key_policy *policy)
{
    char lineage[KW_NAME_MAX], origin[KW_NAME_MAX];

    KW_TEXT_SET(lineage, policy->lineage);
    KW_TEXT_SET(origin, policy->log_origin);
    unsigned n = cut_line(lineage, origin);
    do {
        n++;
        int id = snprintf(policy->lineage, sizeof(policy->lineage), "%s-%u", lineage, n);
        int name = snprintf(policy->log_origin, sizeof(policy->log_origin), "%s/%u", origin, n);
        ENSURE(op,
               n <= LINES_MAX && id < (int)sizeof(policy->lineage) &&
                   name < (int)sizeof(policy->log_origin),
               KW_E_LIMIT, "line: no name is left for a new line of '%s'", origin);
        TRY(op, keyring_forget_stub(op, keyring, policy->lineage));
    } while (state_find(keyring->state, policy->lineage));
    KW_TEXT_SET(policy->key_id, policy->lineage);
    policy->generation = 1;
    return KW_OK;
}

kw_status keyring_line(struct kw_op *op, struct keyring *keyring, const struct keeper_key *key,
                       const struct key_cause *cause, struct keeper_key **ret)
{
    static struct key_policy policy; /* large; one thread */

    ENSURE(op, key->policy.class_ == KEY_CLASS_LOG_SIGNER, KW_E_INPUT, "line: it signs no log");
    policy = key->policy;
    TRY(op, next_line(op, keyring, &policy));
    move_period(&policy, cause->now_unix);
    return keyring_make(op, keyring, &policy, /* predecessor= */ NULL, cause, ret);
}
