#include "cmd/keywright-keeper/approvals.h"

#include "cmd/keywright-keeper/server.h"
#include "crypto/digest.h"
#include "crypto/pubkey.h"
#include "os/clock.h"
#include "os/rng.h"

/* --- people ----------------------------------------------------------------------------------- */

static void key_of(const struct approver *approver, uint8_t ret[KW_HASH_BYTES])
{
    digest_sha256(KW_SPAN(approver->spki, approver->spki_len), ret);
}

static const struct approval_signer *signer_of(const struct approval_record *record,
                                               const char *name)
{
    for (unsigned i = 0; i < record->n; i++) {
        if (strcmp(record->signers[i].name, name) == 0) {
            return &record->signers[i];
        }
    }
    return NULL;
}

/* The requester's own signature is the first of all. */
static bool requested(const struct approval_record *record)
{
    return record->n > 0 && record->signers[0].verdict == APPROVAL_REQUEST;
}

/* Does this signature count? Names and keys are compared, also with the requester's: a roster that
 * changed meanwhile makes no second person of one. */
static bool counts(const struct approvals *approvals, const struct approval_record *record,
                   const struct approval_signer *signer, uint32_t roles)
{
    const struct approver *approver = roster_find(&approvals->roster, signer->name);
    uint8_t key[KW_HASH_BYTES];

    if (signer->verdict != APPROVAL_APPROVE || !approver || !(approver->roles & roles) ||
        strcmp(signer->name, record->what.requester) == 0) {
        return false;
    }
    key_of(approver, key);
    return kw_span_equal(KW_SPAN_ARRAY(key), KW_SPAN_ARRAY(signer->key)) &&
           !kw_span_equal(KW_SPAN_ARRAY(key), KW_SPAN_ARRAY(record->signers[0].key));
}

unsigned approvals_count(const struct approvals *approvals, const struct approval_record *record,
                         uint32_t roles)
{
    unsigned n = 0;

    for (unsigned i = 0; requested(record) && i < record->n; i++) {
        n += counts(approvals, record, &record->signers[i], roles) ? 1 : 0;
    }
    return n;
}

/* --- rules ------------------------------------------------------------------------------------ */

static unsigned others(const struct roster *roster, uint32_t roles, const char *requester)
{
    const struct approver *self = roster_find(roster, requester);

    return roster_count(roster, roles) - (self && (self->roles & roles) ? 1 : 0);
}

kw_status approvals_needed(struct kw_op *op, const struct approvals *approvals,
                           const struct approval_subject *subject, const char *requester,
                           struct approval_rule *ret)
{
    const struct approval_rule *rule =
        roster_rule(&approvals->roster, subject->op, subject->class_);

    if (!rule) {
        ENSURE(op, approval_op_free(subject->op), KW_E_DENIED,
               "approval: the vault has no rule for %s, so it cannot be done while serving",
               approval_op_text(subject->op));
        *ret = (struct approval_rule){.op = subject->op};
        return KW_OK;
    }
    *ret = *rule;
    if (subject->op == APPROVE_ROSTER) {
        unsigned n = others(&approvals->roster, rule->roles, requester);
        ret->needed = n < rule->needed ? n : rule->needed;
    }
    return KW_OK;
}

static bool free_of_approval(const struct approval_rule *rule)
{
    return rule->needed == 0 && rule->op != APPROVE_ROSTER;
}

/* --- requests --------------------------------------------------------------------------------- */

struct approval_record *approvals_find(struct approvals *approvals, uint64_t id, bool next)
{
    for (unsigned i = 0; i < approvals->n; i++) {
        uint64_t is = approvals->at[i].what.id;
        if (is == id || (next && is > id)) {
            return &approvals->at[i];
        }
    }
    return NULL;
}

static void end(struct approval_record *record, enum approval_state state, int64_t now_unix)
{
    record->state = state;
    record->ended_unix = now_unix;
}

void approvals_expire(struct approvals *approvals, int64_t now_unix)
{
    for (unsigned i = 0; i < approvals->n; i++) {
        struct approval_record *record = &approvals->at[i];
        if (record->state != APPROVAL_OPEN) {
            continue;
        }
        if (now_unix > record->what.deadline) {
            end(record, APPROVAL_EXPIRED, now_unix);
        } else if (!requested(record) && now_unix > record->what.opened + APPROVALS_UNSIGNED_S) {
            end(record, APPROVAL_CANCELLED, now_unix);
        }
    }
}

static void remove_at(struct approvals *approvals, unsigned i)
{
    memmove(&approvals->at[i], &approvals->at[i + 1],
            (approvals->n - i - 1) * sizeof(approvals->at[0]));
    approvals->n--;
}

/* Those that ended make room, oldest first; open ones never. */
static void make_room(struct approvals *approvals)
{
    for (unsigned i = 0; approvals->n >= APPROVALS_KEPT_MAX && i < approvals->n; i++) {
        if (approvals->at[i].state != APPROVAL_OPEN) {
            remove_at(approvals, i);
            return;
        }
    }
}

static kw_status check_limits(struct kw_op *op, const struct approvals *approvals,
                              const char *requester)
{
    unsigned open = 0, own = 0;

    for (unsigned i = 0; i < approvals->n; i++) {
        const struct approval_record *record = &approvals->at[i];
        if (record->state == APPROVAL_OPEN) {
            open++;
            own += strcmp(record->what.requester, requester) == 0 ? 1 : 0;
        }
    }
    ENSURE(op, own < APPROVALS_PER_REQUESTER, KW_E_LIMIT,
           "approval: '%s' has %u requests waiting; finish or reject one of them first", requester,
           own);
    ENSURE(op, open < APPROVALS_OPEN_MAX, KW_E_LIMIT,
           "approval: %u requests are waiting; finish or reject some of them first", open);
    return KW_OK;
}

/* A request that nobody could ever approve is refused at once. */
static kw_status check_people(struct kw_op *op, const struct approvals *approvals,
                              const struct approval_rule *rule, const char *requester)
{
    char roles[ROLE_TEXT_MAX];
    unsigned n = others(&approvals->roster, rule->roles, requester);

    ENSURE(op, roster_find(&approvals->roster, requester), KW_E_DENIED,
           "approval: '%s' is not enrolled in this vault", requester);
    ENSURE(op, !free_of_approval(rule), KW_E_STATE, "approval: %s needs none",
           approval_op_text(rule->op));
    ENSURE(op, n >= rule->needed, KW_E_STATE,
           "approval: %s needs %u of %s besides '%.40s', but %u %s enrolled; enrol people first",
           approval_op_text(rule->op), (unsigned)rule->needed,
           approval_roles_text(rule->roles, roles), requester, n, n == 1 ? "is" : "are");
    return KW_OK;
}

static kw_status describe(struct kw_op *op, const struct keyring *keyring,
                          const struct approval_subject *subject, const char *requester,
                          const struct approval_rule *rule, int64_t now_unix,
                          struct approval_description *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->subject = *subject;
    ret->id = keyring->approvals->last_id + 1;
    ret->needed = rule->needed;
    ret->roles = rule->roles;
    ret->opened = now_unix;
    ret->deadline = now_unix + rule->deadline_s;
    _Static_assert(sizeof(ret->vault) == VAULT_ID_BYTES, "the vault's id");
    memcpy(ret->vault, keyring->vault.id, sizeof(ret->vault));
    ENSURE(op, KW_TEXT_SET(ret->requester, requester), KW_E_INPUT, "approval: name too long");
    return os_random(op, ret->nonce, sizeof(ret->nonce));
}

kw_status approvals_open(struct kw_op *op, struct keyring *keyring,
                         const struct approval_subject *subject, const char *requester,
                         int64_t now_unix, struct approval_record **ret)
{
    struct approvals *approvals = keyring->approvals;
    struct approval_rule rule;
    struct approval_description what;

    ENSURE(op, kw_ok(approval_subject_check(subject)), KW_E_INPUT,
           "approval: the operation cannot be described");
    TRY(op, keyring_clock(op, keyring, now_unix));
    approvals_expire(approvals, now_unix);
    TRY(op, approvals_needed(op, approvals, subject, requester, &rule));
    TRY(op, check_people(op, approvals, &rule, requester));
    TRY(op, check_limits(op, approvals, requester));
    TRY(op, describe(op, keyring, subject, requester, &rule, now_unix, &what));
    make_room(approvals);
    struct approval_record *record = &approvals->at[approvals->n];
    *record = (struct approval_record){.what = what, .state = APPROVAL_OPEN};
    approvals->n++;
    approvals->last_id++;
    kw_status status = approvals_save(op, keyring);
    if (!kw_ok(status)) {
        approvals->n--; /* its id is not given again */
        return status;
    }
    *ret = record;
    return KW_OK;
}

/* A clock that was put back would give a request more time. */
static kw_status find_open(struct kw_op *op, const struct keyring *keyring, uint64_t id,
                           int64_t now_unix, struct approval_record **ret)
{
    struct approvals *approvals = keyring->approvals;

    TRY(op, keyring_clock(op, keyring, now_unix));
    approvals_expire(approvals, now_unix);
    struct approval_record *record = approvals_find(approvals, id, /* next= */ false);
    ENSURE(op, record, KW_E_NOT_FOUND, "approval: there is no request %llu",
           (unsigned long long)id);
    ENSURE(op, record->state != APPROVAL_EXPIRED, KW_E_EXPIRED,
           "approval: the deadline of request %llu has passed", (unsigned long long)id);
    ENSURE(op, record->state == APPROVAL_OPEN, KW_E_STATE, "approval: request %llu was %s already",
           (unsigned long long)id, approval_state_text(record->state));
    *ret = record;
    return KW_OK;
}

/* --- signatures ------------------------------------------------------------------------------- */

static kw_status verify(struct kw_op *op, const struct approval_record *record,
                        enum approval_verdict verdict, const struct approver *approver,
                        struct kw_span signature)
{
    uint8_t text_octets[APPROVAL_TEXT_MAX], octets[APPROVAL_SIGNED_MAX];
    struct kw_out text = KW_OUT_ARRAY(text_octets), message = KW_OUT_ARRAY(octets);
    AUTO(pubkey) *key = NULL;

    TRY(op, approval_text(&record->what, &text), "the request's text");
    TRY(op, approval_signed_octets(verdict, kw_out_span(&text), &message));
    TRY(op, pubkey_parse(op, KW_SPAN(approver->spki, approver->spki_len), &key));
    kw_status status = pubkey_verify(op, key, kw_out_span(&message), signature);
    if (!kw_ok(status)) {
        kw_op_clear(op);
        return FAIL(op, KW_E_DENIED, "approval: the signature is not by '%s' under this text",
                    approver->name);
    }
    return KW_OK;
}

static kw_status check_requester(struct kw_op *op, const struct approval_record *record,
                                 const struct approver *approver)
{
    ENSURE(op, strcmp(approver->name, record->what.requester) == 0, KW_E_DENIED,
           "approval: only '%s' may sign as requester", record->what.requester);
    ENSURE(op, !requested(record), KW_E_CONFLICT, "approval: '%s' has signed already",
           approver->name);
    return KW_OK;
}

static kw_status check_approver(struct kw_op *op, const struct approval_record *record,
                                const struct approver *approver)
{
    uint8_t key[KW_HASH_BYTES];
    char roles[ROLE_TEXT_MAX];

    ENSURE(op, requested(record), KW_E_STATE, "approval: '%s' has not signed the request yet",
           record->what.requester);
    key_of(approver, key);
    ENSURE(op,
           strcmp(approver->name, record->what.requester) != 0 &&
               !kw_span_equal(KW_SPAN_ARRAY(key), KW_SPAN_ARRAY(record->signers[0].key)),
           KW_E_DENIED, "approval: who asks cannot approve; another person must");
    ENSURE(op, approver->roles & record->what.roles, KW_E_DENIED, "approval: '%s' is no %s",
           approver->name, approval_roles_text(record->what.roles, roles));
    ENSURE(op, !signer_of(record, approver->name), KW_E_CONFLICT,
           "approval: '%s' has signed already", approver->name);
    return KW_OK;
}

/* Who asked may also take it back; who approves may also refuse, once. */
static kw_status check_rejecter(struct kw_op *op, const struct approval_record *record,
                                const struct approver *approver)
{
    char roles[ROLE_TEXT_MAX];

    ENSURE(op,
           strcmp(approver->name, record->what.requester) == 0 ||
               (approver->roles & record->what.roles),
           KW_E_DENIED, "approval: '%s' is no %s", approver->name,
           approval_roles_text(record->what.roles, roles));
    return KW_OK;
}

static kw_status (*const checks[APPROVAL_VERDICT_MAX])(struct kw_op *op,
                                                       const struct approval_record *record,
                                                       const struct approver *approver) = {
    [APPROVAL_REQUEST] = check_requester,
    [APPROVAL_APPROVE] = check_approver,
    [APPROVAL_REJECT] = check_rejecter,
};

/* After a failure that wrote nothing, the record is as it was. */
static kw_status save_record(struct kw_op *op, struct keyring *keyring,
                             struct approval_record *record, const struct approval_record *before)
{
    kw_status status = approvals_save(op, keyring);

    if (!kw_ok(status) && status.code != KW_E_UNSURE) {
        *record = *before;
    }
    return status;
}

static void add_signer(struct approval_record *record, enum approval_verdict verdict,
                       const struct approver *approver, int64_t now_unix)
{
    struct approval_signer *signer = &record->signers[record->n++];

    *signer = (struct approval_signer){.verdict = verdict, .unix_s = now_unix};
    memcpy(signer->name, approver->name, sizeof(signer->name));
    key_of(approver, signer->key);
    if (verdict == APPROVAL_REJECT) {
        end(record, APPROVAL_REJECTED, now_unix);
    }
}

kw_status approvals_sign(struct kw_op *op, struct keyring *keyring, uint64_t id,
                         enum approval_verdict verdict, const char *name, struct kw_span signature,
                         int64_t now_unix, struct approval_record **ret)
{
    struct approvals *approvals = keyring->approvals;
    const struct approver *approver = roster_find(&approvals->roster, name);
    struct approval_record *record = NULL;

    ENSURE(op, verdict >= APPROVAL_REQUEST && verdict < APPROVAL_VERDICT_MAX, KW_E_INPUT,
           "approval: no such verdict");
    TRY(op, find_open(op, keyring, id, now_unix, &record));
    ENSURE(op, approver, KW_E_DENIED, "approval: '%s' is not enrolled in this vault", name);
    TRY(op, checks[verdict](op, record, approver));
    ENSURE(op, record->n < APPROVALS_SIGNERS_MAX, KW_E_LIMIT, "approval: too many have signed");
    TRY(op, verify(op, record, verdict, approver, signature));
    struct approval_record before = *record;
    add_signer(record, verdict, approver, now_unix);
    TRY(op, save_record(op, keyring, record, &before));
    *ret = record;
    return KW_OK;
}

kw_status approvals_cancel(struct kw_op *op, struct keyring *keyring, uint64_t id, int64_t now_unix,
                           struct approval_record **ret)
{
    struct approval_record *record = NULL;

    TRY(op, find_open(op, keyring, id, now_unix, &record));
    ENSURE(op, !requested(record), KW_E_STATE,
           "approval: request %llu is signed: only a signature rejects it", (unsigned long long)id);
    struct approval_record before = *record;
    end(record, APPROVAL_CANCELLED, now_unix);
    TRY(op, save_record(op, keyring, record, &before));
    *ret = record;
    return KW_OK;
}

/* --- use -------------------------------------------------------------------------------------- */

static kw_status find_for(struct kw_op *op, const struct keyring *keyring,
                          const struct approval_subject *subject, uint64_t id, int64_t now_unix,
                          struct approval_record **ret)
{
    kw_status status = find_open(op, keyring, id, now_unix, ret);

    if (status.code == KW_E_NOT_FOUND || status.code == KW_E_STATE) {
        char cause[KW_OP_TEXT_MAX];
        (void)KW_TEXT_SET(cause, kw_op_cause(op)); /* same size */
        kw_op_clear(op);
        return FAIL(op, KW_E_DENIED, "%s", cause);
    }
    TRY(op, status);
    ENSURE(op, approval_subject_equal(&(*ret)->what.subject, subject), KW_E_DENIED,
           "approval: request %llu is for something else", (unsigned long long)id);
    return KW_OK;
}

/* Who was removed, or has another key, asks for nothing any more. */
static bool still_there(const struct approvals *approvals, const struct approval_record *record)
{
    const struct approver *requester = roster_find(&approvals->roster, record->what.requester);
    uint8_t key[KW_HASH_BYTES];

    if (!requester) {
        return false;
    }
    key_of(requester, key);
    return kw_span_equal(KW_SPAN_ARRAY(key), KW_SPAN_ARRAY(record->signers[0].key));
}

static kw_status check_enough(struct kw_op *op, const struct approvals *approvals,
                              const struct approval_record *record,
                              const struct approval_rule *rule)
{
    char roles[ROLE_TEXT_MAX];
    unsigned long long id = record->what.id;
    unsigned n = approvals_count(approvals, record, rule->roles);

    ENSURE(op, requested(record), KW_E_APPROVAL, "approval: '%s' has not signed request %llu yet",
           record->what.requester, id);
    ENSURE(op, still_there(approvals, record), KW_E_DENIED,
           "approval: '%s', who asked for request %llu, is not enrolled any more",
           record->what.requester, id);
    ENSURE(op, n >= rule->needed, KW_E_APPROVAL, "approval: request %llu has %u of %u by %s", id, n,
           (unsigned)rule->needed, approval_roles_text(rule->roles, roles));
    return KW_OK;
}

/* The request becomes used on disk before the caller does anything. */
static kw_status use_request(struct kw_op *op, struct keyring *keyring,
                             const struct approval_subject *subject, uint64_t id, int64_t now_unix)
{
    struct approval_record *record = NULL;
    struct approval_rule rule;

    TRY(op, find_for(op, keyring, subject, id, now_unix, &record));
    TRY(op, approvals_needed(op, keyring->approvals, subject, record->what.requester, &rule));
    TRY(op, check_enough(op, keyring->approvals, record, &rule));
    struct approval_record before = *record;
    end(record, APPROVAL_CONSUMED, now_unix);
    return save_record(op, keyring, record, &before);
}

kw_status approvals_consume(struct kw_op *op, struct keyring *keyring,
                            const struct approval_subject *subject, uint64_t approval_id,
                            bool ceremony, int64_t now_unix)
{
    struct approvals *approvals = keyring->approvals;
    char roles[ROLE_TEXT_MAX];
    struct approval_rule rule;

    ENSURE(op, kw_ok(approval_subject_check(subject)), KW_E_INPUT,
           "approval: the operation cannot be described");
    if (approvals->version == 0 && ceremony) {
        return KW_OK;
    }
    TRY(op, approvals_needed(op, approvals, subject, "", &rule));
    if (free_of_approval(&rule)) {
        return KW_OK;
    }
    ENSURE(op, approval_id != 0, KW_E_APPROVAL, "approval: %s%s%s%s needs %u of %s",
           approval_op_text(subject->op), subject->key_id[0] ? " of key '" : "", subject->key_id,
           subject->key_id[0] ? "'" : "", (unsigned)rule.needed,
           approval_roles_text(rule.roles, roles));
    return use_request(op, keyring, subject, approval_id, now_unix);
}

kw_status approvals_require(struct kw_op *op, struct server *server,
                            const struct approval_subject *subject, uint64_t approval_id)
{
    return approvals_consume(op, server->keyring, subject, approval_id,
                             server->mode == KEEPER_CEREMONY, os_clock_unix_s());
}
