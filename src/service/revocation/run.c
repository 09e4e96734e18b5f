/*
 * Running plans: one thread, one chunk of certificates a change, so that other work shares the
 * committer's transactions and waits for no more than one chunk. What is done is in the plan's row,
 * written with the chunk itself: after kill -9 it goes on behind the last certificate, and nothing
 * is done twice.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "model/object.h"
#include "os/clock.h"
#include "os/worker.h"
#include "service/authority/revoke.h"
#include "service/revocation/enforced.h"
#include "service/revocation/revocation.h"

enum {
    CHUNK = 100, /* some 5 ms of the committer */
    CHUNK_DEADLINE_MS = 30000,
    IDLE_MS = 1000,
    RETRY_MS = 2000,
    ISSUED_LOOK = 200000, /* newest certificates that are looked at for what came since the plan */
};

struct revoker {
    struct service *service;
    int64_t looked_ms;
    struct os_worker worker;
};

/* --- one chunk -------------------------------------------------------------------------------- */

struct chunk {
    struct service *service;
    int64_t plan;
    unsigned n;
    int64_t rows[CHUNK];
    int64_t now_ms;
    struct store_plan after; /* as it is when this is done */
};

/* Its device can get another one by itself: by renewing what is in force now. */
static bool can_renew(struct service *service, const struct store_cert_brief *cert)
{
    const struct bound_profile *profile = NULL;
    struct kw_op quiet;

    kw_op_init(&quiet, NULL, 0);
    return object_kind(cert->owner) == OBJECT_DEVICE && cert->state == CERT_STATE_VALID &&
           kw_ok(service_profile(&quiet, service, cert->profile, &profile)) &&
           key_class_from_text(profile->data.key_class) == KEY_CLASS_DEVICE_LDEVID;
}

static bool is_done(const struct store_plan *plan, const struct store_cert_brief *cert)
{
    return cert->state == CERT_STATE_REVOKED || (plan->hold && cert->state == CERT_STATE_HELD);
}

static kw_status run_one(struct kw_op *op, struct store_txn *txn, struct chunk *chunk, int64_t row)
{
    struct store_plan *plan = &chunk->after;
    struct store_cert_brief cert;
    const struct authority_deed deed = {.next = plan->hold ? CERT_STATE_HELD : CERT_STATE_REVOKED,
                                        .reason = plan->reason,
                                        .now_ms = chunk->now_ms,
                                        .plan = plan->id};

    TRY(op, store_cert_brief_txn(op, txn, row, &cert));
    const char *device = object_name(OBJECT_DEVICE, cert.owner);
    if (plan->overdue && device) {
        TRY(op, store_renew_ask(op, txn, device, 0));
    }
    if (is_done(plan, &cert)) {
        return KW_OK;
    }
    if (plan->replace_first && !plan->overdue && can_renew(chunk->service, &cert)) {
        return store_renew_ask(op, txn, device, plan->id);
    }
    TRY(op, authority_do(op, chunk->service, txn, &cert, &deed), "certificate of %s", cert.owner);
    plan->done++;
    return KW_OK;
}

static kw_status run_chunk(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    struct chunk *chunk = ctx;

    TRY(op, store_plan_get_txn(op, txn, chunk->plan, &chunk->after));
    ENSURE(op, chunk->after.state == PLAN_RUNNING && chunk->after.last_row < chunk->rows[0],
           KW_E_CONFLICT, "plan %lld was changed meanwhile", (long long)chunk->plan);
    for (unsigned i = 0; i < chunk->n; i++) {
        TRY(op, run_one(op, txn, chunk, chunk->rows[i]));
    }
    chunk->after.last_row = chunk->rows[chunk->n - 1];
    return store_plan_update(op, txn, &chunk->after);
}

/* --- the end of a run ------------------------------------------------------------------------- */

struct ending {
    struct service *service;
    struct store_plan plan;
    uint64_t waiting, issued_since;
    int64_t at_ms;
};

static kw_status end(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    struct ending *it = ctx;
    struct store_plan *plan = &it->plan;
    struct event event = {.type = EVENT_REVOKE_DONE};

    TRY(op, store_plan_get_txn(op, txn, plan->id, plan));
    ENSURE(op, plan->state == PLAN_RUNNING, KW_E_CONFLICT, "plan %lld was changed meanwhile",
           (long long)plan->id);
    plan->state = it->waiting > 0 ? PLAN_REPLACING : PLAN_DONE;
    plan->ended_ms = it->at_ms;
    plan->passed_over = it->waiting > 0 ? 0 : plan->n - plan->done;
    plan->issued_since = it->issued_since;
    TRY(op, store_log_size_txn(op, txn, &plan->log_size));
    TRY(op, store_plan_update(op, txn, plan));
    (void)snprintf(event.object, sizeof(event.object), "plan:%lld", (long long)plan->id);
    (void)snprintf(event.detail, sizeof(event.detail),
                   "%" PRIu64 " of %" PRIu64 " %s, %" PRIu64 " devices renew first, %" PRIu64
                   " issued to their owners since the plan was made",
                   plan->done, plan->n, plan->hold ? "put on hold" : "revoked", it->waiting,
                   plan->issued_since);
    if (it->waiting == 0) {
        TRY(op, store_plan_party(op, txn, plan->id, "gate", it->at_ms));
        TRY(op, store_plan_party(op, txn, plan->id, "ocsp", it->at_ms));
    }
    return service_record(op, it->service, txn, &event);
}

static kw_status end_run(struct kw_op *op, struct revoker *revoker, const struct store_plan *plan)
{
    struct ending it = {.service = revoker->service, .plan = *plan};

    /* Gate and OCSP ask the standings in memory, which the store's notices changed before the last
     * chunk's change returned. */
    it.at_ms = os_clock_unix_ms();
    TRY(op, store_renew_count(op, revoker->service->store, plan->id, &it.waiting));
    if (!plan->replace_first) { /* there they are wanted */
        TRY(op, store_plan_issued_since(op, revoker->service->store, plan, ISSUED_LOOK,
                                        &it.issued_since));
    }
    TRY(op, store_change(op, revoker->service->store, end, &it), "ending plan %lld",
        (long long)plan->id);
    return KW_OK;
}

/* --- the thread ------------------------------------------------------------------------------- */

/* Everything left of one plan, or up to the server's end. */
static kw_status run_plan(struct kw_op *op, struct revoker *revoker, const struct store_plan *plan)
{
    struct chunk chunk = {.service = revoker->service, .plan = plan->id};
    int64_t last_row = plan->last_row;

    while (os_worker_goes_on(&revoker->worker)) {
        op->deadline_ms = os_clock_mono_ms() + CHUNK_DEADLINE_MS;
        TRY(op, store_plan_rows(op, revoker->service->store, plan->id, last_row, CHUNK, chunk.rows,
                                &chunk.n));
        if (chunk.n == 0) {
            return end_run(op, revoker, plan);
        }
        chunk.now_ms = os_clock_unix_ms();
        TRY(op, store_change(op, revoker->service->store, run_chunk, &chunk), "plan %lld",
            (long long)plan->id);
        last_row = chunk.rows[chunk.n - 1];
    }
    return KW_OK;
}

struct overdue {
    int64_t plan;
};

static kw_status make_overdue(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    const struct overdue *it = ctx;
    struct store_plan plan;

    TRY(op, store_plan_get_txn(op, txn, it->plan, &plan));
    ENSURE(op, plan.state == PLAN_REPLACING, KW_E_CONFLICT, "plan %lld was changed meanwhile",
           (long long)plan.id);
    plan.state = PLAN_RUNNING;
    plan.overdue = true;
    plan.last_row = 0;
    return store_plan_update(op, txn, &plan);
}

/* All have renewed, or their time is over: what is left is revoked. */
static kw_status look_at_replacing(struct kw_op *op, struct revoker *revoker,
                                   const struct store_plan *plan)
{
    struct overdue it = {.plan = plan->id};
    uint64_t waiting = 0;

    TRY(op, store_renew_count(op, revoker->service->store, plan->id, &waiting));
    if (waiting > 0 && os_clock_unix_ms() < plan->started_ms + plan->deadline_s * 1000) {
        return KW_OK;
    }
    return store_change(op, revoker->service->store, make_overdue, &it);
}

/* The next plan to run; those that wait for devices are looked at on the way. */
static kw_status next_plan(struct kw_op *op, struct revoker *revoker, struct store_plan *ret)
{
    int64_t after = 0;

    for (;;) {
        TRY(op, store_plan_next(op, revoker->service->store, after,
                                1U << PLAN_RUNNING | 1U << PLAN_REPLACING, ret));
        if (ret->state == PLAN_RUNNING) {
            return KW_OK;
        }
        TRY(op, look_at_replacing(op, revoker, ret));
        after = ret->id;
    }
}

static bool work_once(struct revoker *revoker)
{
    struct store_plan plan;
    struct kw_op op;

    kw_op_init(&op, "system", os_clock_mono_ms() + CHUNK_DEADLINE_MS);
    kw_status status = next_plan(&op, revoker, &plan);
    if (status.code == KW_E_NOT_FOUND) {
        return true;
    }
    if (kw_ok(status)) {
        kw_op_init(&op, plan.started_by, os_clock_mono_ms() + CHUNK_DEADLINE_MS);
        status = run_plan(&op, revoker, &plan);
    }
    if (status.code == KW_E_CONFLICT) { /* somebody cancelled or paused it */
        return true;
    }
    if (!kw_ok(status)) {
        service_complain(revoker->service, &op, "a plan of revocation could not go on");
    }
    return kw_ok(status);
}

static void look_at_parties(struct revoker *revoker)
{
    struct kw_op op;

    if (os_clock_mono_ms() - revoker->looked_ms < IDLE_MS) {
        return;
    }
    revoker->looked_ms = os_clock_mono_ms();
    kw_op_init(&op, "system", os_clock_mono_ms() + CHUNK_DEADLINE_MS);
    if (!kw_ok(enforced_look(&op, revoker->service))) {
        service_complain(revoker->service, &op, "who enforces revocations could not be seen");
    }
}

static void *run(void *ctx)
{
    struct revoker *revoker = ctx;
    bool fine = true;

    do {
        fine = work_once(revoker);
        look_at_parties(revoker);
    } while (os_worker_sleep(&revoker->worker, fine ? IDLE_MS : RETRY_MS, NULL));
    return NULL;
}

kw_status revoker_start(struct kw_op *op, struct service *service, struct revoker **ret)
{
    struct revoker *revoker = calloc(1, sizeof(*revoker));

    ENSURE(op, revoker, KW_E_MEMORY, "no memory for revocations");
    revoker->service = service;
    kw_status status = os_worker_start(op, &revoker->worker, run, revoker, "revocations");
    if (!kw_ok(status)) {
        free(revoker);
        return status;
    }
    *ret = revoker;
    return KW_OK;
}

void revoker_stop(struct revoker *revoker)
{
    if (revoker) {
        os_worker_stop(&revoker->worker);
        free(revoker);
    }
}

void revoker_wake(struct service *service)
{
    if (service->revoker) {
        os_worker_ask(&service->revoker->worker);
    }
}
