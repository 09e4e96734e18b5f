#include "contract/keeper/matrix.h"

#include "cmd/keywright-keeper/policy_checks.h"
#include "cmd/keywright-keeper/purposes.h"
#include "os/clock.h"
#include "unit/base/check.h"

enum { DAY_S = 86400, USES = 10 };

#define BIT(purpose) (1u << (KEEPER_##purpose))

/* What each class is for; nothing else is. P-256 for all: what every custody can make. */
/* clang-format off */
static const struct {
    enum key_class class_;
    uint32_t alg;
    uint32_t protects; /* while active, within the period and the count */
    uint32_t reads;    /* these of them also while deactivated, until processing_until */
} classes[] = {
    {KEY_CLASS_ISSUING_CA,   1,  BIT(SIGN_CERT) | BIT(SIGN_CERT_REQUEST) | BIT(SIGN_CRL) | BIT(SIGN_CROSS) |
                                 BIT(KEY_BIRTH),
                                 BIT(SIGN_CRL) | BIT(SIGN_CROSS)},
    {KEY_CLASS_OCSP_SIGNER,  1,  BIT(SIGN_OCSP) | BIT(SIGN_TIME) | BIT(SIGN_WIPE), 0},
    {KEY_CLASS_TLS_SERVER,   1,  BIT(SIGN_TLS), 0},
    {KEY_CLASS_LOG_SIGNER,   1,  BIT(SIGN_CHECKPOINT) | BIT(SIGN_CROSS), BIT(SIGN_CROSS)},
    {KEY_CLASS_KEK,          32, BIT(DATA_WRAP) | BIT(DATA_UNWRAP) | BIT(DATA_SEAL) | BIT(DATA_OPEN),
                                 BIT(DATA_UNWRAP) | BIT(DATA_OPEN)},
    {KEY_CLASS_MAC,          32, BIT(DATA_MAC) | BIT(DATA_MAC_VERIFY), BIT(DATA_MAC_VERIFY)},
    {KEY_CLASS_KDF,          32, BIT(DATA_DERIVE), 0},
    {KEY_CLASS_FIRMWARE,     1,  BIT(SIGN_FIRMWARE), 0},
    {KEY_CLASS_TUF,          1,  BIT(SIGN_TUF), 0},
    {KEY_CLASS_PROVISIONING, 1,  BIT(SIGN_STATEMENT), 0},
    {KEY_CLASS_EVIDENCE,     1,  BIT(SIGN_STATEMENT), 0},
    {KEY_CLASS_CMP,          1,  BIT(SIGN_CMP), 0},
};

/* SP 800-57 part 1 section 7.2; KEY_STATE_MAX: no such step. */
enum { NO = KEY_STATE_MAX };
static const uint8_t steps[KEY_STATE_MAX][KEY_EVENT_MAX] = {
    /*                   activate    suspend        deactivate       compromise       destroy */
    [KEY_PRE_ACTIVE]  = {KEY_ACTIVE, NO,            NO,              KEY_COMPROMISED, KEY_DESTROYED},
    [KEY_ACTIVE]      = {NO,         KEY_SUSPENDED, KEY_DEACTIVATED, KEY_COMPROMISED, KEY_DESTROYED},
    [KEY_SUSPENDED]   = {KEY_ACTIVE, NO,            KEY_DEACTIVATED, KEY_COMPROMISED, KEY_DESTROYED},
    [KEY_DEACTIVATED] = {NO,         NO,            NO,              KEY_COMPROMISED, KEY_DESTROYED},
    [KEY_COMPROMISED] = {NO,         NO,            NO,              NO,              KEY_DESTROYED},
    [KEY_DESTROYED]   = {NO,         NO,            NO,              NO,              NO},
};
/* clang-format on */

/* Where the clock stands, seen from the key's periods. */
enum when { BEFORE, WITHIN, BETWEEN, AFTER, WHEN_MAX };

struct matrix_case {
    size_t row;
    enum key_state state;
    enum keeper_purpose purpose;
    enum when when;
    bool used_up;
};

static bool expected(const struct matrix_case *c)
{
    uint32_t bit = 1u << c->purpose;
    bool ends = c->state == KEY_ACTIVE || c->state == KEY_SUSPENDED;
    enum key_state state = c->state;

    if (!(classes[c->row].protects & bit)) {
        return false;
    }
    if (ends && (c->when == BETWEEN || c->when == AFTER || c->used_up)) {
        state = KEY_DEACTIVATED; /* by itself */
    }
    if (state == KEY_DEACTIVATED) {
        return (classes[c->row].reads & bit) && c->when != AFTER;
    }
    return state == KEY_ACTIVE && c->when == WITHIN;
}

static void place_clock(struct key_policy *policy, enum when when, int64_t now)
{
    static const int offset_days[WHEN_MAX] = {
        [BEFORE] = 1, [WITHIN] = -1, [BETWEEN] = -11, [AFTER] = -40};

    policy->not_before = now + (int64_t)offset_days[when] * DAY_S;
    policy->not_after = policy->not_before + (int64_t)10 * DAY_S;
    policy->processing_until = policy->not_after + (int64_t)20 * DAY_S;
}

/* The key's record is put into the state by hand: only here. */
static void try_case(struct keyring *keyring, struct keeper_key *key, const struct matrix_case *c)
{
    struct key_record kept = *key->record;
    struct keeper_key *used = NULL;
    int64_t now = os_clock_unix_s();
    struct kw_op op;

    kw_op_init(&op, "matrix", 0);
    place_clock(&key->policy, c->when, now);
    key->record->state = c->state;
    key->record->signatures = key->record->reserved = c->used_up ? USES : USES - 1;
    kw_status status = keyring_use(&op, keyring, key->policy.key_id, c->purpose, now, &used);
    if (kw_ok(status)) {
        status = keyring_count(&op, keyring, key, os_clock_mono_ms());
    }
    if (kw_ok(status) != expected(c)) {
        fail_msg("%s, %s, purpose %u, time %u, used up %d: %s %s", key->policy.key_id,
                 key_state_text(c->state), c->purpose, c->when, c->used_up,
                 kw_code_text(status.code), kw_op_cause(&op));
    }
    *key->record = kept;
}

static void use_everywhere(struct keyring *keyring, struct keeper_key *key, size_t row, unsigned *n)
{
    struct matrix_case c = {.row = row};

    for (unsigned state = 0; state < KEY_STATE_MAX; state++) {
        for (unsigned purpose = 1; purpose < KEEPER_PURPOSE_MAX; purpose++) {
            for (unsigned when = 0; when < WHEN_MAX; when++) {
                for (unsigned used_up = 0; used_up < 2; used_up++) {
                    c.state = (enum key_state)state;
                    c.purpose = (enum keeper_purpose)purpose;
                    c.when = (enum when)when;
                    c.used_up = used_up == 1;
                    try_case(keyring, key, &c);
                    (*n)++;
                }
            }
        }
    }
}

static void step_everywhere(struct keyring *keyring, struct keeper_key *key, unsigned *n)
{
    struct key_record kept = *key->record;
    struct kw_op op;

    place_clock(&key->policy, WITHIN, os_clock_unix_s());
    for (unsigned state = 0; state < KEY_STATE_MAX; state++) {
        for (unsigned event = 0; event < KEY_EVENT_MAX; event++) {
            struct key_cause cause = {os_clock_unix_s(), "matrix", "because"};
            key->record->state = (enum key_state)state;
            kw_op_init(&op, "matrix", 0);
            kw_status status = keyring_step(&op, keyring, key, (enum key_event)event, &cause);
            unsigned to = steps[state][event];
            assert_int_equal(status.code, to == NO ? KW_E_STATE : KW_CODE_OK);
            assert_int_equal(key->record->state, to == NO ? state : to);
            if (to != NO) {
                assert_string_equal(key->record->phases[to].who, "matrix");
                assert_string_equal(key->record->phases[to].reason, "because");
            }
            (*n)++;
        }
    }
    *key->record = kept;
}

static void fill_terms(struct key_policy *policy)
{
    struct policy_rule leaf = {.name = "leaf", .max_validity_s = DAY_S, .key_algs = 2};

    leaf.key_usage = 1;
    leaf.ext_required = leaf.ext_allowed = 1 << 1 | 1 << 4;
    memcpy(policy->issuer_dn, "0\0", 2);
    policy->issuer_dn_len = 2;
    if (policy->class_ == KEY_CLASS_ISSUING_CA) {
        policy->rules[policy->n_rules++] = leaf;
        policy->crl_max_s = DAY_S;
    }
    policy->ocsp_max_s = DAY_S;
    policy->ca_key_sha1[0] = 1;
    (void)KW_TEXT_SET(policy->log_origin, "matrix.example/log");
}

static struct keeper_key *make(struct keyring *keyring, size_t row)
{
    static struct key_policy policy;
    struct key_cause cause = {os_clock_unix_s(), "matrix", "made"};
    struct keeper_key *key = NULL;
    struct kw_op op;

    policy = (struct key_policy){.class_ = classes[row].class_,
                                 .alg = classes[row].alg,
                                 .usage_max = USES,
                                 .activate = POLICY_ACTIVATE_BY_HAND};
    place_clock(&policy, WITHIN, cause.now_unix);
    (void)snprintf(policy.key_id, sizeof(policy.key_id), "matrix-%s",
                   key_class_text(policy.class_));
    fill_terms(&policy);
    kw_op_init(&op, "matrix", 0);
    kw_status status = keyring_create(&op, keyring, &policy, &cause, &key);
    assert_string_equal(kw_op_cause(&op), "");
    assert_ok(status);
    assert_int_equal(key->record->state, KEY_PRE_ACTIVE);
    return key;
}

/* A token has not room for all of them at once. */
static void destroy(struct keyring *keyring, const struct keeper_key *key)
{
    struct key_cause cause = {os_clock_unix_s(), "matrix", "tried"};
    struct key_proof proof;
    char key_id[KW_NAME_MAX];
    struct kw_op op;

    memcpy(key_id, key->policy.key_id, sizeof(key_id));
    kw_op_init(&op, "matrix", 0);
    kw_status status = keyring_destroy(&op, keyring, key_id, &cause, &proof);
    assert_string_equal(kw_op_cause(&op), "");
    assert_ok(status);
}

void matrix_run(struct keyring *keyring, unsigned *ret_n)
{
    unsigned n = 0, n_classes = 0;

    for (unsigned c = 1; c < KEY_CLASS_MAX; c++) {
        n_classes += class_row_of((enum key_class)c) != NULL;
    }
    assert_int_equal(n_classes, KW_COUNT(classes)); /* a new class stands here too */
    for (size_t row = 0; row < KW_COUNT(classes); row++) {
        struct keeper_key *key = make(keyring, row);
        use_everywhere(keyring, key, row, &n);
        step_everywhere(keyring, key, &n);
        destroy(keyring, key);
    }
    if (ret_n) {
        *ret_n = n;
    }
}
