#include "cmd/keywright-keeper/keyring.h"

#include <stdlib.h>

#include "cmd/keywright-keeper/crl_numbers.h"
#include "cmd/keywright-keeper/ocsp_issuers.h"
#include "cmd/keywright-keeper/purposes.h"
#include "crypto/digest.h"
#include "os/clock.h"
#include "os/files.h"
#include "os/rng.h"

static void free_key(struct keeper_key *key)
{
    privkey_unref(key->private_key);
    pubkey_unref(key->public_key);
    kw_secret_free(key->secret);
    serials_free(key->serials);
    free(key);
}
KW_OWNED(keeper_key, struct keeper_key, free_key)

void keyring_free(struct keyring *keyring)
{
    if (!keyring) {
        return;
    }
    for (unsigned i = 0; i < keyring->n; i++) {
        free_key(keyring->at[i]);
    }
    journal_free(keyring->journal);
    custody_close(&keyring->custody); /* after its keys */
    vault_done(&keyring->vault);
    free(keyring->state);
    free(keyring->approvals);
    free(keyring);
}

const struct pubkey *keeper_key_pubkey(const struct keeper_key *key)
{
    return key->public_key ? key->public_key : privkey_public(key->private_key);
}

kw_status keeper_key_mark(struct kw_op *op, const struct keeper_key *key, struct kw_out *out)
{
    static const char label[] = "keywright key check value v1";
    uint8_t mac[KW_HASH_BYTES];

    if (!key->secret) {
        return kw_out_set(out, pubkey_spki(keeper_key_pubkey(key)));
    }
    TRY(op, digest_hmac_sha256(op, key->secret, kw_span_text(label), mac));
    return kw_out_set(out, KW_SPAN(mac, KEY_CHECK_VALUE_BYTES));
}

struct keeper_key *keyring_find(const struct keyring *keyring, const char *key_id)
{
    for (unsigned i = 0; i < keyring->n; i++) {
        if (strcmp(keyring->at[i]->policy.key_id, key_id) == 0) {
            return keyring->at[i];
        }
    }
    return NULL;
}

static kw_status give_serials(struct kw_op *op, struct keeper_key *key)
{
    if (!purpose_allowed(key->policy.class_, KEEPER_SIGN_CERT)) {
        return KW_OK;
    }
    return serials_new(op, &key->serials);
}

/* A key without a record is newer than the state: somebody brought an old state back. */
static kw_status load_key(struct kw_op *op, const char *key_id, void *ctx)
{
    AUTO(keeper_key) *key = calloc(1, sizeof(*key));
    struct keyring *keyring = ctx;

    ENSURE(op, key, KW_E_MEMORY, "no memory for a key");
    struct key_record *record = state_find(keyring->state, key_id);
    ENSURE(op, record, KW_E_INTEGRITY,
           "'state' is older than key '%s': restore the whole vault from its newest backup",
           key_id);
    if (record->state == KEY_DESTROYED) { /* a crash came between its state and its octets */
        return keyring_erase(op, keyring, key_id, &(size_t){0});
    }
    key->record = record;
    struct vault_key loaded = {0};
    TRY(op, vault_key_load(op, &keyring->vault, key_id, &key->policy, &loaded));
    key->private_key = loaded.private_key;
    key->secret = loaded.secret;
    key->public_key = loaded.public_key;
    memcpy(key->token, loaded.token, sizeof(key->token));
    enum key_alg alg = key->secret ? KEY_ALG_NONE : pubkey_alg(keeper_key_pubkey(key));
    ENSURE(op, class_takes_alg(key->policy.class_, key->secret ? KEY_ALG_SECRET_256 : alg),
           KW_E_INTEGRITY, "key '%s' is of a class that does not live here", key_id);
    ENSURE(op, keyring->n < STATE_KEYS_MAX, KW_E_INTEGRITY, "more than %d key files",
           STATE_KEYS_MAX);
    TRY(op, give_serials(op, key));
    keyring->at[keyring->n++] = TAKE(key);
    return KW_OK;
}

/* There never was such a key: no step of its life, so not keyring_step(). */
static void use_up(struct key_record *record)
{
    struct keeper_key_phase *phase = &record->phases[KEY_DESTROYED];

    record->state = KEY_DESTROYED;
    phase->since_unix = os_clock_unix_s();
    (void)KW_TEXT_SET(phase->who, "keeper");
    (void)KW_TEXT_SET(phase->reason, "its making was cut short");
}

/* Every record must have its key; one that was cut short while being made is used up. */
static kw_status check_records(struct kw_op *op, struct keyring *keyring)
{
    for (unsigned i = 0; i < keyring->state->n; i++) {
        struct key_record *record = &keyring->state->at[i];
        if (record->state == KEY_DESTROYED || keyring_find(keyring, record->key_id)) {
            continue;
        }
        ENSURE(op, record->state == KEY_PRE_ACTIVE, KW_E_INTEGRITY,
               "the file of key '%s' is missing: restore the vault from its backup",
               record->key_id);
        use_up(record);
        keyring->state->dirty = true;
    }
    return KW_OK;
}

static kw_status load(struct kw_op *op, struct keyring *keyring)
{
    TRY(op, vault_state_load(op, &keyring->vault, keyring->state));
    if (keyring->vault.old_kek) {
        TRY(op, keyring_rekey_finish(op, keyring), "finishing a rekeying that was cut short");
    }
    TRY(op, approvals_load(op, keyring, keyring->approvals));
    TRY(op, vault_key_each(op, &keyring->vault, load_key, keyring));
    TRY(op, check_records(op, keyring));
    TRY(op, journal_open(op, keyring->vault.dir, keyring->state, &keyring->journal));
    return keyring_save(op, keyring);
}

kw_status keyring_load(struct kw_op *op, struct vault *vault, const char *custody,
                       struct keyring **ret)
{
    AUTO(keyring) *keyring = calloc(1, sizeof(*keyring));

    if (!keyring) {
        vault_done(vault);
        return FAIL(op, KW_E_MEMORY, "no memory for keys");
    }
    keyring->vault = *vault;
    keyring->custody.uri = custody;
    os_clock_boot_id(keyring->boot);
    *vault = (struct vault){.lock_fd = -1};
    keyring->state = calloc(1, sizeof(*keyring->state));
    keyring->approvals = calloc(1, sizeof(*keyring->approvals));
    ENSURE(op, keyring->state && keyring->approvals, KW_E_MEMORY, "no memory for keys");
    TRY(op, load(op, keyring));
    *ret = TAKE(keyring);
    return KW_OK;
}

kw_status keyring_open(struct kw_op *op, const char *dir, const char *unlock, bool create,
                       struct keyring **ret)
{
    struct vault vault;

    kw_status status =
        create ? vault_create(op, dir, unlock, &vault) : vault_open(op, dir, unlock, &vault);
    if (!kw_ok(status)) {
        vault_done(&vault);
        return status;
    }
    return keyring_load(op, &vault, /* custody= */ NULL, ret);
}

kw_status keyring_save(struct kw_op *op, struct keyring *keyring)
{
    if (!keyring->state->dirty) {
        return KW_OK;
    }
    TRY(op, journal_sync(op, keyring->journal)); /* the state speaks of its rows */
    return vault_state_save(op, &keyring->vault, keyring->state);
}

/* A CA's own hashes are facts about the new key, never the gate's word. */
static void fill_hashes(struct keeper_key *key)
{
    if (!key->serials) {
        return;
    }
    const struct pubkey *public_key = keeper_key_pubkey(key);
    memcpy(key->policy.ca_key_sha1, pubkey_sha1(public_key), sizeof(key->policy.ca_key_sha1));
    memcpy(key->policy.ca_key_sha256, pubkey_bits_sha256(public_key),
           sizeof(key->policy.ca_key_sha256));
}

static kw_status generate_secret(struct kw_op *op, struct kw_secret **ret)
{
    AUTO(kw_secret) *secret = NULL;

    TRY(op, kw_secret_new(VAULT_SECRET_BYTES, &secret), "memory for a key");
    TRY(op, os_random(op, kw_secret_data(secret), VAULT_SECRET_BYTES), "making a key");
    *ret = TAKE(secret);
    return KW_OK;
}

/* The first of its own line, where the policy names none. */
static void begin_line(struct key_policy *policy)
{
    if (policy->generation == 0) {
        memcpy(policy->lineage, policy->key_id, sizeof(policy->lineage));
        policy->generation = 1;
    }
}

static kw_status make_private(struct kw_op *op, struct keyring *keyring, struct keeper_key *key)
{
    enum key_alg alg = (enum key_alg)key->policy.alg;

    if (!custody_elsewhere(&keyring->custody)) {
        return privkey_generate(op, alg, &key->private_key);
    }
    TRY(op, custody_generate(op, &keyring->custody, keyring->vault.id, key->policy.key_id, alg,
                             key->token, &key->private_key));
    key->public_key = pubkey_ref(privkey_public(key->private_key));
    return KW_OK;
}

static kw_status generate(struct kw_op *op, struct keyring *keyring,
                          const struct key_policy *policy, struct key_record *record,
                          struct keeper_key **ret)
{
    AUTO(keeper_key) *key = calloc(1, sizeof(*key));

    ENSURE(op, key, KW_E_MEMORY, "no memory for a key");
    key->record = record;
    key->policy = *policy;
    begin_line(&key->policy);
    if (key_class_symmetric(policy->class_)) {
        TRY(op, generate_secret(op, &key->secret));
    } else {
        TRY(op, make_private(op, keyring, key));
    }
    TRY(op, give_serials(op, key));
    fill_hashes(key);
    *ret = TAKE(key);
    return KW_OK;
}

/* What a line promised, the next key keeps: numbers that only rise, heads of a log that only grows.
 */
static void inherit(struct key_record *record, const struct key_record *predecessor)
{
    memcpy(record->predecessor, predecessor->key_id, sizeof(record->predecessor));
    record->crl_number = predecessor->crl_number;
    record->tree_size = predecessor->tree_size;
    memcpy(record->tree_root, predecessor->tree_root, sizeof(record->tree_root));
}

/* The id's record, durable before its key is: an id is used up from here on. */
static kw_status reserve_id(struct kw_op *op, struct keyring *keyring,
                            const struct key_policy *policy, const struct key_record *predecessor,
                            struct key_record **ret)
{
    TRY(op, state_add(op, keyring->state, policy->key_id, ret));
    if (predecessor) {
        inherit(*ret, predecessor);
        TRY(op, crl_numbers_inherit(op, keyring->state, predecessor, *ret));
        TRY(op, ocsp_issuers_inherit(op, keyring->state, predecessor, *ret));
    }
    (*ret)->class_ = policy->class_;
    (*ret)->alg = policy->alg;
    (*ret)->not_before = policy->not_before;
    (*ret)->not_after = policy->not_after;
    kw_status status = keyring_save(op, keyring);
    if (!kw_ok(status) && status.code != KW_E_UNSURE) {
        keyring->state->n--; /* nothing was written: it may be tried again */
    }
    return status;
}

static kw_status write_made(struct kw_op *op, struct keyring *keyring, const struct keeper_key *key,
                            const struct key_cause *cause)
{
    struct keeper_key_phase *phase = &key->record->phases[KEY_PRE_ACTIVE];
    uint8_t octets[KW_SPKI_MAX];
    struct kw_out mark = KW_OUT_ARRAY(octets);
    struct keeper_journal_row row = {
        .time_ms = cause->now_unix * 1000, .kind = KEEPER_JOURNAL_EVENT, .what = KEY_EVENT_MAX};

    phase->since_unix = cause->now_unix;
    (void)snprintf(phase->who, sizeof(phase->who), "%s", cause->who);
    (void)snprintf(phase->reason, sizeof(phase->reason), "%s", cause->reason);
    TRY(op, keeper_key_mark(op, key, &mark));
    digest_sha256(kw_out_span(&mark), key->record->spki_sha256);
    memcpy(row.key_id, key->policy.key_id, sizeof(row.key_id));
    memcpy(row.digest, key->record->spki_sha256, sizeof(row.digest));
    (void)snprintf(row.who, sizeof(row.who), "%s", cause->who);
    keyring->state->dirty = true;
    return journal_append(op, keyring->journal, &row);
}

/* Key second, active last: whatever a crash leaves, no key is without a record. */
static kw_status store(struct kw_op *op, struct keyring *keyring, struct keeper_key *key,
                       const struct key_cause *cause)
{
    struct vault_key sealed = {
        .private_key = key->private_key, .secret = key->secret, .public_key = key->public_key};
    memcpy(sealed.token, key->token, sizeof(sealed.token));
    TRY(op, vault_key_save(op, &keyring->vault, &key->policy, &sealed));
    TRY(op, write_made(op, keyring, key, cause));
    if (key->policy.activate == POLICY_ACTIVATE_AT_ONCE) {
        return keyring_step(op, keyring, key, KEY_EVENT_ACTIVATE, cause);
    }
    return keyring_save(op, keyring);
}

/* What was made in the token for a key that is none. */
static void leave_no_orphan(struct keyring *keyring, const struct keeper_key *key)
{
    char proof[160];
    struct kw_op op;

    kw_op_init(&op, "keeper", 0);
    if (key->token[0] && !vault_key_exists(&keyring->vault, key->policy.key_id)) {
        /* the failure before is what is told; a key left over is used by nobody */
        (void)kw_ok(custody_destroy(&op, &keyring->custody, key->token, proof, sizeof(proof)));
    }
}

kw_status keyring_reach(struct kw_op *op, struct keyring *keyring, struct keeper_key *key)
{
    if (!key->token[0] || key->private_key) {
        return KW_OK;
    }
    return custody_load(op, &keyring->custody, key->token, key->public_key, &key->private_key);
}

kw_status keyring_make(struct kw_op *op, struct keyring *keyring, const struct key_policy *policy,
                       const struct key_record *predecessor, const struct key_cause *cause,
                       struct keeper_key **ret)
{
    AUTO(keeper_key) *key = NULL;
    struct key_record *record = NULL;

    ENSURE(op, keyring->n < STATE_KEYS_MAX, KW_E_LIMIT, "a vault holds at most %d keys",
           STATE_KEYS_MAX);
    TRY(op, keyring_clock(op, keyring, cause->now_unix));
    TRY(op, reserve_id(op, keyring, policy, predecessor, &record));
    TRY(op, generate(op, keyring, policy, record, &key));
    kw_status status = store(op, keyring, key, cause);
    if (!kw_ok(status)) {
        leave_no_orphan(keyring, key);
        return status;
    }
    *ret = key;
    keyring->at[keyring->n++] = TAKE(key);
    return KW_OK;
}

/* There never was such a key: its making was cut short, and nothing was made after it. */
static bool is_stub(const struct state *state, const struct key_record *record)
{
    static const uint8_t none[KW_HASH_BYTES];

    return record && record == &state->at[state->n - 1] && record->state == KEY_DESTROYED &&
           record->phases[KEY_ACTIVE].since_unix == 0 &&
           kw_span_equal(KW_SPAN_ARRAY(record->spki_sha256), KW_SPAN_ARRAY(none));
}

kw_status keyring_forget_stub(struct kw_op *op, struct keyring *keyring, const char *key_id)
{
    struct state *state = keyring->state;
    char label[VAULT_TOKEN_TEXT], proof[160];

    if (!is_stub(state, state_find(state, key_id))) {
        return KW_OK;
    }
    if (custody_elsewhere(&keyring->custody)) {
        custody_label(keyring->vault.id, key_id, label);
        TRY(op, custody_destroy(op, &keyring->custody, label, proof, sizeof(proof)),
            "what the token made of '%s'", key_id);
    }
    state->n--;
    return KW_OK;
}

/* No step of its life happens here: it is in the state in which it was, elsewhere. */
static void take_over(struct key_record *record, enum key_state state,
                      const struct key_cause *cause)
{
    struct keeper_key_phase *phase = &record->phases[state];

    record->state = state;
    phase->since_unix = cause->now_unix;
    (void)snprintf(phase->who, sizeof(phase->who), "%s", cause->who);
    (void)snprintf(phase->reason, sizeof(phase->reason), "%s", cause->reason);
}

kw_status keyring_import(struct kw_op *op, struct keyring *keyring, const struct key_policy *policy,
                         enum key_state state, struct kw_secret **secret,
                         const struct key_cause *cause)
{
    AUTO(keeper_key) *key = calloc(1, sizeof(*key));
    struct key_record *record = NULL;

    ENSURE(op, key, KW_E_MEMORY, "no memory for a key");
    ENSURE(op, keyring->n < STATE_KEYS_MAX, KW_E_LIMIT, "a vault holds at most %d keys",
           STATE_KEYS_MAX);
    TRY(op, keyring_forget_stub(op, keyring, policy->key_id));
    TRY(op, reserve_id(op, keyring, policy, /* predecessor= */ NULL, &record));
    key->record = record;
    key->policy = *policy;
    key->secret = TAKE(*secret);
    struct vault_key sealed = {.secret = key->secret};
    TRY(op, vault_key_save(op, &keyring->vault, &key->policy, &sealed));
    TRY(op, write_made(op, keyring, key, cause));
    take_over(record, state, cause);
    keyring->at[keyring->n++] = TAKE(key);
    return keyring_save(op, keyring);
}

kw_status keyring_create(struct kw_op *op, struct keyring *keyring, const struct key_policy *policy,
                         const struct key_cause *cause, struct keeper_key **ret)
{
    return keyring_make(op, keyring, policy, /* predecessor= */ NULL, cause, ret);
}

void keyring_drop(struct keyring *keyring, struct keeper_key *key)
{
    for (unsigned i = 0; i < keyring->n; i++) {
        if (keyring->at[i] == key) {
            memmove(&keyring->at[i], &keyring->at[i + 1],
                    (keyring->n - i - 1) * sizeof(keyring->at[0]));
            keyring->n--;
            free_key(key);
            return;
        }
    }
}
