#include "service/approvals/approvals.h"

#include <pthread.h>
#include <stdio.h>

#include "base/b64.h"
#include "base/hex.h"
#include "model/object.h"

/* Of the record beside the keeper's: not run yet; run, or ended and told to the log. */
enum { WAITING = 1, DONE = 2 };

/* --- the record ------------------------------------------------------------------------------- */

static void blob_name(const struct keeper_approval *approval, char name[KW_NAME_MAX])
{
    char vault[2 * APPROVAL_VAULT_BYTES + 1];

    (void)snprintf(name, KW_NAME_MAX, "approval:%s:%llu",
                   kw_hex(KW_SPAN_ARRAY(approval->what.vault), vault, sizeof(vault)),
                   (unsigned long long)approval->what.id);
}

struct change {
    struct service *service;
    const struct keeper_approval *approval;
    const struct event *event;
    uint64_t version; /* of the record; 0: leave it */
    struct kw_span args;
};

static kw_status put_change(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    const struct change *change = ctx;
    char name[KW_NAME_MAX];

    if (change->version > 0) {
        blob_name(change->approval, name);
        TRY(op, store_blob_put(op, txn, name, change->version, change->args));
    }
    return service_record(op, change->service, txn, change->event);
}

static void describe(const struct keeper_approval *approval, struct event *event)
{
    const struct approval_subject *subject = &approval->what.subject;

    (void)snprintf(event->object, sizeof(event->object), "approval:%llu",
                   (unsigned long long)approval->number);
    (void)snprintf(event->detail, sizeof(event->detail), "%s%s%s, asked by %s",
                   approval_op_text(subject->op), subject->key_id[0] ? " of key " : "",
                   subject->key_id, approval->what.requester);
}

static void more(struct event *event, const char *what, const char *text)
{
    size_t n = strlen(event->detail);

    (void)snprintf(event->detail + n, sizeof(event->detail) - n, "%s%s", what, text);
}

/* The vault of a request's number. */
static kw_status vault_of(struct kw_op *op, const struct service *service, uint64_t number,
                          struct keeper **ret)
{
    uint64_t place = number / APPROVAL_VAULT_STEP;

    ENSURE(op, place < service->n_vaults, KW_E_NOT_FOUND, "there is no request %llu",
           (unsigned long long)number);
    *ret = service->vaults[place];
    return KW_OK;
}

static void put_number(const struct service *service, const struct keeper *keeper,
                       struct keeper_approval *approval)
{
    for (unsigned i = 0; i < service->n_vaults; i++) {
        if (service->vaults[i] == keeper) {
            approval->number = approval->what.id + (uint64_t)i * APPROVAL_VAULT_STEP;
        }
    }
}

/* --- asking ----------------------------------------------------------------------------------- */

static kw_status requester_of(struct kw_op *op, const char **ret)
{
    const char *name = object_name(OBJECT_OPERATOR, op->principal);

    ENSURE(op, name && *name, KW_E_DENIED,
           "this needs approval, which only an operator can ask for");
    *ret = name;
    return KW_OK;
}

kw_status approval_ask(struct kw_op *op, struct service *service,
                       const struct approval_subject *subject, struct kw_span args,
                       struct keeper_approval *ret)
{
    return approval_ask_in(op, service, service_keeper(service, subject->key_id), subject, args,
                           ret);
}

kw_status approval_ask_in(struct kw_op *op, struct service *service, struct keeper *keeper,
                          const struct approval_subject *subject, struct kw_span args,
                          struct keeper_approval *ret)
{
    struct event event = {.type = EVENT_APPROVAL_OPEN};
    const char *requester = NULL;

    TRY(op, requester_of(op, &requester));
    TRY(op, keeper_approval_open(op, keeper, subject, requester, ret));
    put_number(service, keeper, ret);
    describe(ret, &event);
    struct change change = {
        .service = service, .approval = ret, .event = &event, .version = WAITING, .args = args};
    return store_change(op, service->store, put_change, &change);
}

static kw_status get_one(struct kw_op *op, struct service *service, uint64_t number, bool next,
                         struct keeper_approval *ret)
{
    struct keeper *keeper = NULL;

    TRY(op, vault_of(op, service, number, &keeper));
    TRY(op, keeper_approval_at(op, keeper, approval_local(number), next, ret));
    put_number(service, keeper, ret);
    return KW_OK;
}

/* A vault that is sealed, or whose keeper is away, is passed over by a walk. */
static bool walk_on(kw_status status)
{
    return status.code == KW_E_NOT_FOUND || status.code == KW_E_STATE ||
           status.code == KW_E_UNAVAILABLE;
}

kw_status approval_get(struct kw_op *op, struct service *service, uint64_t number, bool next,
                       struct keeper_approval *ret)
{
    kw_status status = get_one(op, service, number, next, ret);
    uint64_t place = number / APPROVAL_VAULT_STEP;

    while (next && walk_on(status) && ++place < service->n_vaults) {
        kw_op_clear(op);
        status = get_one(op, service, place * APPROVAL_VAULT_STEP + 1, next, ret);
    }
    if (next && walk_on(status) && service->n_vaults > 1) {
        kw_op_clear(op);
        return FAIL(op, KW_E_NOT_FOUND, "no more requests");
    }
    return status;
}

/* --- running ---------------------------------------------------------------------------------- */

static bool requested(const struct keeper_approval *approval)
{
    return approval->n > 0 && approval->signers[0].verdict == APPROVAL_REQUEST;
}

bool approval_ready(const struct keeper_approval *approval)
{
    return approval->state == APPROVAL_OPEN && requested(approval) &&
           approval->have >= approval->needed;
}

static void name_approvers(const struct keeper_approval *approval, struct event *event)
{
    const char *before = ", approved by ";

    for (uint32_t i = 0; i < approval->n; i++) {
        if (approval->signers[i].verdict == APPROVAL_APPROVE) {
            more(event, before, approval->signers[i].name);
            before = ", ";
        }
    }
}

static kw_status load_args(struct kw_op *op, struct service *service,
                           const struct keeper_approval *approval, struct kw_bytes **ret)
{
    char name[KW_NAME_MAX];
    uint64_t version = 0;

    blob_name(approval, name);
    TRY(op, store_blob_get(op, service->store, name, &version, ret),
        "request %llu was not made by this server", (unsigned long long)approval->what.id);
    return KW_OK;
}

static kw_status record_run(struct kw_op *op, struct service *service,
                            const struct keeper_approval *approval, enum kw_code code)
{
    struct event event = {.type = EVENT_APPROVAL_CONSUME};
    struct change change = {.service = service,
                            .approval = approval,
                            .event = &event,
                            .version = code == KW_CODE_OK ? DONE : 0};

    describe(approval, &event);
    name_approvers(approval, &event);
    (void)KW_TEXT_SET(event.result, code == KW_CODE_OK ? "" : kw_code_text(code)); /* all fit */
    return store_change(op, service->store, put_change, &change);
}

/* The failure of the operation is what the caller hears; that it cannot be recorded as well is told
 * to the journal. */
static kw_status run_failed(struct kw_op *op, struct service *service,
                            const struct keeper_approval *approval, kw_status status)
{
    struct kw_op record;

    kw_op_init(&record, op->principal, op->deadline_ms);
    if (!kw_ok(record_run(&record, service, approval, status.code))) {
        service_complain(service, &record, "the failure of an approved operation");
    }
    return kw_failed(kw_op_context(op, status, __FILE__, __LINE__, "approved, but not done"));
}

static kw_status execute_once(struct kw_op *op, struct service *service,
                              const struct keeper_approval *approval, approval_executor run)
{
    struct keeper_approval now = {0};
    AUTO(kw_bytes) *args = NULL;

    TRY(op, get_one(op, service, approval->number, /* next= */ false, &now));
    if (now.state != APPROVAL_OPEN) {
        return KW_OK; /* somebody else has just run it */
    }
    TRY(op, load_args(op, service, approval, &args));
    kw_status status = run(op, service, approval, kw_bytes_span(args));
    if (!kw_ok(status)) {
        return run_failed(op, service, approval, status);
    }
    return record_run(op, service, approval, KW_CODE_OK);
}

/* The last signature, `run` and the look after a start may come together. */
static kw_status execute(struct kw_op *op, struct service *service,
                         const struct keeper_approval *approval)
{
    static pthread_mutex_t running = PTHREAD_MUTEX_INITIALIZER;
    approval_executor run = approval_executor_of(approval->what.subject.op);

    if (!run) {
        return KW_OK; /* whoever asked runs it, with the number of the request */
    }
    pthread_mutex_lock(&running);
    kw_status status = execute_once(op, service, approval, run);
    pthread_mutex_unlock(&running);
    return status;
}

kw_status approval_run(struct kw_op *op, struct service *service, uint64_t id,
                       struct keeper_approval *ret)
{
    unsigned long long n = id;

    TRY(op, approval_get(op, service, id, /* next= */ false, ret));
    ENSURE(op, ret->state == APPROVAL_OPEN, KW_E_STATE, "request %llu is %s", n,
           approval_state_text(ret->state));
    ENSURE(op, approval_ready(ret), KW_E_APPROVAL, "request %llu has %u of %u approvals%s", n,
           (unsigned)ret->have, (unsigned)ret->needed,
           requested(ret) ? "" : ", and is not signed by who asked");
    TRY(op, execute(op, service, ret));
    return approval_get(op, service, id, /* next= */ false, ret);
}

/* --- signatures ------------------------------------------------------------------------------- */

/* The signature itself goes into the log, so that an auditor needs neither server nor keeper. */
static kw_status record_signature(struct kw_op *op, struct service *service,
                                  const struct keeper_approval *approval,
                                  enum approval_verdict verdict, const char *name,
                                  struct kw_span signature)
{
    struct event event = {.type = verdict == APPROVAL_REJECT ? EVENT_APPROVAL_REJECT
                                                             : EVENT_APPROVAL_SIGN};
    struct change change = {.service = service, .approval = approval, .event = &event};
    AUTO(kw_bytes) *text = NULL;

    describe(approval, &event);
    more(&event,
         verdict == APPROVAL_APPROVE  ? ", approved by "
         : verdict == APPROVAL_REJECT ? ", rejected by "
                                      : ", signed by ",
         name);
    TRY(op, kw_bytes_new(1024, &text));
    TRY(op, kw_b64_encode(signature, 0, text));
    TRY(op, kw_bytes_append(text, KW_SPAN("", 1)));
    if (strlen(event.detail) + text->len + 16 < sizeof(event.detail)) { /* RSA-4096 does not fit */
        more(&event, ", signature ", (const char *)text->p);
    }
    return store_change(op, service->store, put_change, &change);
}

kw_status approval_hand_in(struct kw_op *op, struct service *service, uint64_t id,
                           enum approval_verdict verdict, const char *name,
                           struct kw_span signature, struct keeper_approval *ret)
{
    struct keeper *keeper = NULL;

    TRY(op, vault_of(op, service, id, &keeper));
    TRY(op, keeper_approval_sign(op, keeper, approval_local(id), verdict, name, signature, ret));
    put_number(service, keeper, ret);
    TRY(op, record_signature(op, service, ret, verdict, name, signature),
        "recording the signature of '%.40s'", name);
    if (!approval_ready(ret)) {
        return KW_OK;
    }
    TRY(op, execute(op, service, ret));
    return approval_get(op, service, id, /* next= */ false, ret);
}

/* --- what a restart or time left -------------------------------------------------------------- */

static kw_status record_end(struct kw_op *op, struct service *service,
                            const struct keeper_approval *approval)
{
    struct event event = {.type = EVENT_APPROVAL_EXPIRE, .actor = "system"};
    struct change change = {
        .service = service, .approval = approval, .event = &event, .version = DONE};

    describe(approval, &event);
    more(&event, ", ", approval_state_text(approval->state));
    return store_change(op, service->store, put_change, &change);
}

static kw_status sweep_one(struct kw_op *op, struct service *service,
                           const struct keeper_approval *approval, bool run)
{
    char name[KW_NAME_MAX];
    uint64_t version = 0;
    AUTO(kw_bytes) *args = NULL;

    blob_name(approval, name);
    kw_status status = store_blob_get(op, service->store, name, &version, &args);
    if (status.code == KW_E_NOT_FOUND || version == DONE) {
        kw_op_clear(op);
        return KW_OK;
    }
    TRY(op, status);
    if (run && approval_ready(approval)) {
        return execute(op, service, approval);
    }
    bool ended = approval->state == APPROVAL_EXPIRED || approval->state == APPROVAL_CANCELLED;
    return ended ? record_end(op, service, approval) : KW_OK;
}

kw_status approval_sweep(struct kw_op *op, struct service *service, bool run)
{
    struct keeper_approval approval;

    for (uint64_t id = 1;; id = approval.number + 1) {
        kw_status status = approval_get(op, service, id, /* next= */ true, &approval);
        if (status.code == KW_E_NOT_FOUND) {
            kw_op_clear(op);
            return KW_OK;
        }
        TRY(op, status);
        if (!kw_ok(sweep_one(op, service, &approval, run))) {
            service_complain(service, op, "a request for approval");
            kw_op_clear(op);
        }
    }
}

void approval_missing(const struct keeper_approval *approval, const struct roster *roster,
                      char text[APPROVAL_MISSING_TEXT])
{
    size_t n = 0;

    text[0] = '\0';
    if (approval->state != APPROVAL_OPEN || approval->have >= approval->needed) {
        return;
    }
    for (unsigned i = 0; i < roster->n; i++) {
        const struct approver *who = &roster->at[i];
        bool signed_it = strcmp(who->name, approval->what.requester) == 0;
        for (uint32_t k = 0; k < approval->n; k++) {
            signed_it |= strcmp(approval->signers[k].name, who->name) == 0;
        }
        if (!signed_it && (who->roles & approval->what.roles) && n < APPROVAL_MISSING_TEXT) {
            n += (size_t)snprintf(text + n, APPROVAL_MISSING_TEXT - n, "%s%s", n > 0 ? ", " : "",
                                  who->name);
        }
    }
}
