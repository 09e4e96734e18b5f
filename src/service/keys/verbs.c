#include "service/keys/verbs.h"

#include <stdio.h>

#include "base/b64.h"
#include "base/hex.h"
#include "crypto/alg.h"
#include "crypto/digest.h"
#include "keeper/subjects.h"
#include "model/object.h"
#include "os/clock.h"
#include "service/authority/revoke.h"
#include "service/keys/policies.h"
#include "service/keys/rotate.h"
#include "service/log/gap.h"

enum { DAY_S = 86400, DAYS_MAX = 36500 };

/* --- the table -------------------------------------------------------------------------------- */

typedef kw_status (*verb_fn)(struct kw_op *op, struct service *service, const struct key_wish *wish,
                             struct keeper_key_info *ret);

static kw_status do_step(struct kw_op *op, struct service *service, const struct key_wish *wish,
                         struct keeper_key_info *ret);
static kw_status do_revoke(struct kw_op *op, struct service *service, const struct key_wish *wish,
                           struct keeper_key_info *ret);
static kw_status do_rotate(struct kw_op *op, struct service *service, const struct key_wish *wish,
                           struct keeper_key_info *ret);
static kw_status do_destroy(struct kw_op *op, struct service *service, const struct key_wish *wish,
                            struct keeper_key_info *ret);

/* clang-format off */
static const struct verb_row {
    const char *text;
    verb_fn run;
    enum key_event step;    /* in the keeper */
    enum event_type event;  /* in the log */
    bool wants_reason;
} verbs[] = {
    [KEY_VERB_ACTIVATE]   = {"activate",   do_step,    KEY_EVENT_ACTIVATE,   EVENT_KEY_ACTIVATE,   false},
    [KEY_VERB_SUSPEND]    = {"suspend",    do_step,    KEY_EVENT_SUSPEND,    EVENT_KEY_SUSPEND,    true },
    [KEY_VERB_DEACTIVATE] = {"deactivate", do_step,    KEY_EVENT_DEACTIVATE, EVENT_KEY_DEACTIVATE, true },
    [KEY_VERB_REVOKE]     = {"revoke",     do_revoke,  KEY_EVENT_COMPROMISE, EVENT_KEY_COMPROMISE, true },
    [KEY_VERB_ROTATE]     = {"rotate",     do_rotate,  KEY_EVENT_MAX,        EVENT_KEY_ROTATE,     false},
    [KEY_VERB_ARCHIVE]    = {"archive",    do_destroy, KEY_EVENT_DESTROY,    EVENT_KEY_ARCHIVE,    true },
    [KEY_VERB_DESTROY]    = {"destroy",    do_destroy, KEY_EVENT_DESTROY,    EVENT_KEY_DESTROY,    true },
};
/* clang-format on */
_Static_assert(KW_COUNT(verbs) == KEY_VERB_MAX, "a row for each verb");

const char *key_verb_text(enum key_verb verb)
{
    return (unsigned)verb < KEY_VERB_MAX ? verbs[verb].text : "nothing";
}

enum key_verb key_verb_from_text(const char *text)
{
    for (unsigned i = 0; i < KEY_VERB_MAX; i++) {
        if (strcmp(verbs[i].text, text) == 0) {
            return (enum key_verb)i;
        }
    }
    return KEY_VERB_MAX;
}

/* --- recording -------------------------------------------------------------------------------- */

struct deed {
    struct service *service;
    const struct key_wish *wish;
    const char *detail;
    char blob[KW_NAME_MAX + 16]; /* "": nothing to be kept */
    struct kw_span proof;
    const uint8_t *digest; /* of what a key signed for it; NULL = none did */
    const char *signer;
};

static kw_status record_in(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    const struct deed *deed = ctx;
    struct event event = {.type = verbs[deed->wish->verb].event};

    if (deed->digest && *deed->signer) {
        memcpy(event.digest, deed->digest, sizeof(event.digest));
        KW_TEXT_SET(event.key, deed->signer);
    }
    if (*deed->blob) {
        TRY(op, store_blob_put(op, txn, deed->blob, 1, deed->proof));
    }
    object_write(OBJECT_KEY, deed->wish->key_id, event.object);
    (void)snprintf(event.detail, sizeof(event.detail), "%s%s%.95s", deed->detail,
                   *deed->wish->reason ? "; reason: " : "", deed->wish->reason);
    return service_record(op, deed->service, txn, &event);
}

static kw_status record(struct kw_op *op, struct deed *deed)
{
    kw_status status = store_change(op, deed->service->store, record_in, deed);

    if (!kw_ok(status)) { /* the keeper's journal has it all the same */
        kw_op_clear(op);
        return FAIL(op, KW_E_UNSURE, "the keeper did it, but it could not be recorded");
    }
    return KW_OK;
}

/* --- steps ------------------------------------------------------------------------------------ */

static kw_status do_step(struct kw_op *op, struct service *service, const struct key_wish *wish,
                         struct keeper_key_info *ret)
{
    struct deed deed = {.service = service, .wish = wish};
    char detail[160];

    TRY(op, keeper_key_step(op, service_keeper(service, wish->key_id), wish->key_id,
                            verbs[wish->verb].step, wish->reason, wish->approval_id, ret));
    (void)snprintf(detail, sizeof(detail), "%s key '%.80s' is %s", key_class_text(ret->class_),
                   ret->key_id, key_state_text(ret->state));
    deed.detail = detail;
    return record(op, &deed);
}

/* A successor first, so that the server goes on; then the certificates of the stolen key. */
static kw_status do_revoke(struct kw_op *op, struct service *service, const struct key_wish *wish,
                           struct keeper_key_info *ret)
{
    struct store_pubkey known;
    uint8_t id[KW_HASH_BYTES];
    unsigned n_revoked = 0;

    TRY(op, do_step(op, service, wish, ret));
    TRY(op, keys_settle(op, service, os_clock_unix_s()), "the key is revoked, but its successor");
    service_key_hash(ret, id);
    kw_status status = store_pubkey_get(op, service->store, id, &known);
    if (status.code == KW_E_NOT_FOUND) { /* it never had a certificate of ours */
        kw_op_clear(op);
        return KW_OK;
    }
    TRY(op, status);
    return authority_revoke_all(op, service, known.owner, id, REVOKE_KEY_COMPROMISE, &n_revoked);
}

static kw_status do_rotate(struct kw_op *op, struct service *service, const struct key_wish *wish,
                           struct keeper_key_info *ret)
{
    return key_rotate(op, service, wish->key_id, wish->approval_id, ret);
}

/* --- the end ---------------------------------------------------------------------------------- */

static kw_status proof_text(struct kw_op *op, const struct keeper_destroyed *proof,
                            struct kw_bytes **ret)
{
    AUTO(kw_bytes) *text = NULL;

    TRY(op, kw_bytes_new(4096, &text));
    TRY(op, kw_bytes_append_text(text, proof->statement));
    if (proof->signature_len > 0) {
        TRY(op, kw_bytes_printf(text, "\n\xe2\x80\x94 %s ", proof->signer));
        TRY(op, kw_b64_encode(KW_SPAN(proof->signature, proof->signature_len), 0, text));
        TRY(op, kw_bytes_append_text(text, "\n"));
    }
    *ret = TAKE(text);
    return KW_OK;
}

static void proof_name(const char *key_id, char name[KW_NAME_MAX + 16])
{
    (void)snprintf(name, KW_NAME_MAX + 16, "destroyed:%.95s", key_id);
}

static kw_status do_destroy(struct kw_op *op, struct service *service, const struct key_wish *wish,
                            struct keeper_key_info *ret)
{
    struct deed deed = {.service = service, .wish = wish};
    struct keeper_destroyed proof;
    uint8_t hash[KW_HASH_BYTES];
    char hex[2 * KW_HASH_BYTES + 1], detail[320];
    AUTO(kw_bytes) *text = NULL;

    memset(ret, 0, sizeof(*ret));
    TRY(op, keeper_key_destroy(op, service_keeper(service, wish->key_id), wish->key_id,
                               wish->reason, wish->approval_id, &proof));
    TRY(op, proof_text(op, &proof, &text));
    digest_sha256(kw_span_text(proof.statement), hash);
    (void)snprintf(detail, sizeof(detail), "private part destroyed; statement %s signed by '%.80s'",
                   kw_hex(KW_SPAN_ARRAY(hash), hex, sizeof(hex)), proof.signer);
    proof_name(wish->key_id, deed.blob);
    deed.proof = kw_bytes_span(text);
    deed.detail = detail;
    deed.digest = hash;
    deed.signer = proof.signer;
    KW_TEXT_SET(ret->key_id, wish->key_id);
    ret->state = KEY_DESTROYED;
    return record(op, &deed);
}

kw_status key_destruction(struct kw_op *op, struct service *service, const char *key_id,
                          struct kw_bytes **ret)
{
    char name[KW_NAME_MAX + 16];
    uint64_t version = 0;

    proof_name(key_id, name);
    return store_blob_get(op, service->store, name, &version, ret);
}

/* --- all -------------------------------------------------------------------------------------- */

kw_status key_do(struct kw_op *op, struct service *service, const struct key_wish *wish,
                 struct keeper_key_info *ret)
{
    TRY(op, log_gap_refuse(op, service));
    ENSURE(op, (unsigned)wish->verb < KEY_VERB_MAX, KW_E_INPUT, "no such verb");
    const struct verb_row *row = &verbs[wish->verb];
    ENSURE(op, *wish->reason || !row->wants_reason, KW_E_INPUT, "a reason is missing: why '%s'?",
           row->text);
    return row->run(op, service, wish, ret);
}

kw_status key_wish_subject(struct kw_op *op, struct service *service, const struct key_wish *wish,
                           struct approval_subject *ret)
{
    struct keeper_key_life life;

    TRY(op, keeper_key_history(op, service_keeper(service, wish->key_id), wish->key_id, &life));
    switch (verbs[wish->verb].event) {
    case EVENT_KEY_ROTATE:
        *ret = subject_key_rotate(life.class_, wish->key_id);
        return KW_OK;
    case EVENT_KEY_COMPROMISE:
        *ret = subject_key_revoke(life.class_, wish->key_id, wish->reason);
        return KW_OK;
    case EVENT_KEY_DESTROY:
    case EVENT_KEY_ARCHIVE:
        *ret = subject_key_destroy(life.class_, wish->key_id, wish->reason);
        return KW_OK;
    default:
        return FAIL(op, KW_E_INTERNAL, "'%s' needs no approval", key_verb_text(wish->verb));
    }
}

/* --- birth ------------------------------------------------------------------------------------ */

/* TUF: the more often a role's metadata is made, the sooner it must be made again. */
static const struct {
    const char *role;
    int64_t days;
} tuf_lives[] = {
    {"root",      400},
    {"targets",   180},
    {"snapshot",  30 },
    {"timestamp", 14 },
};

static kw_status take_role(struct kw_op *op, const char *role, struct key_policy *ret)
{
    for (size_t i = 0; i < KW_COUNT(tuf_lives); i++) {
        if (strcmp(tuf_lives[i].role, role) == 0) {
            ret->tuf_max_s = tuf_lives[i].days * DAY_S;
            (void)KW_TEXT_SET(ret->tuf_role, role); /* the longest one fits */
            return KW_OK;
        }
    }
    return FAIL(op, KW_E_INPUT, "no TUF role '%s': root, targets, snapshot or timestamp", role);
}

static kw_status add_scope(struct kw_op *op, const char *text, size_t n, struct key_policy *ret)
{
    ENSURE(op, ret->n_scopes < POLICY_SCOPES_MAX && n > 0 && n < POLICY_SCOPE_MAX, KW_E_INPUT,
           "at most %d labels of at most %d octets", POLICY_SCOPES_MAX, POLICY_SCOPE_MAX - 1);
    memcpy(ret->scopes[ret->n_scopes++], text, n);
    return KW_OK;
}

static kw_status take_labels(struct kw_op *op, const char *labels, struct key_policy *ret)
{
    for (;;) {
        size_t n = strcspn(labels, ",");
        TRY(op, add_scope(op, labels, n, ret));
        if (labels[n] == '\0') {
            return KW_OK;
        }
        labels += n + 1;
    }
}

/* What the class limits itself to; the keeper refuses what is missing or another class's. */
static kw_status take_terms(struct kw_op *op, const struct key_birth *birth, struct key_policy *ret)
{
    if (*birth->tuf_role) {
        TRY(op, take_role(op, birth->tuf_role, ret));
    }
    if (*birth->product) {
        TRY(op, add_scope(op, birth->product, strlen(birth->product), ret));
    }
    if (*birth->labels) {
        TRY(op, take_labels(op, birth->labels, ret));
    }
    ENSURE(op, KW_TEXT_SET(ret->fw_version, birth->versions), KW_E_INPUT, "versions '%s'",
           birth->versions);
    return KW_OK;
}

kw_status key_birth_policy(struct kw_op *op, const struct key_birth *birth, struct key_policy *ret)
{
    enum key_class class_ = key_class_from_text(birth->class_);
    enum key_alg alg = *birth->alg ? key_alg_from_text(birth->alg) : KEY_ALG_NONE;
    int64_t now_s = os_clock_unix_s();

    ENSURE(op, class_ != KEY_CLASS_NONE, KW_E_INPUT, "no class '%s'", birth->class_);
    ENSURE(op, !*birth->alg || alg != KEY_ALG_NONE, KW_E_INPUT, "no algorithm '%s'", birth->alg);
    TRY(op, policy_begin(op, birth->id, class_, alg, now_s, ret));
    if (birth->days) {
        ENSURE(op, birth->days <= DAYS_MAX, KW_E_INPUT, "at most %d days", DAYS_MAX);
        int64_t reads_s = ret->processing_until ? ret->processing_until - ret->not_after : 0;
        ret->not_after = now_s + (int64_t)birth->days * DAY_S;
        ret->processing_until = reads_s ? ret->not_after + reads_s : 0;
    }
    ENSURE(op, !birth->escrow || (key_class_symmetric(class_) && !key_class_signs(class_)),
           KW_E_INPUT, "a key of class %s never leaves its vault: no escrow", birth->class_);
    ret->escrow = birth->escrow ? 1 : 0;
    return take_terms(op, birth, ret);
}

kw_status key_create(struct kw_op *op, struct service *service, const struct key_policy *policy,
                     uint64_t approval_id, struct keeper_key_info *ret)
{
    struct keeper *keeper = service_keeper(service, policy->key_id);
    struct event event = {.type = EVENT_KEY_GENERATE};
    AUTO(pubkey) *key = NULL;

    TRY(op, log_gap_refuse(op, service));
    TRY(op, keeper_key_create_approved(op, keeper, policy, approval_id, &key));
    TRY(op, keeper_key_find(op, keeper, policy->key_id, ret));
    object_write(OBJECT_KEY, ret->key_id, event.object);
    (void)snprintf(event.detail, sizeof(event.detail), "%s key made in the keeper, %s",
                   key_class_text(ret->class_), ret->custody);
    return service_record_alone(op, service, &event);
}
