#include "service/quality/batch.h"

#include <stdio.h>
#include <stdlib.h>

#include "model/object.h"
#include "os/clock.h"
#include "os/worker.h"
#include "service/registration/device.h"
#include "service/registration/suspend.h"

enum { LOOK_EVERY_MS = 30000, WORK_DEADLINE_MS = 30000 };

static const char *const states[] = {
    [BATCH_OPEN] = "open",
    [BATCH_CLOSING] = "closing",
    [BATCH_CLOSED] = "closed",
    [BATCH_QUARANTINED] = "quarantined",
};

const char *batch_state_text(enum batch_state state)
{
    return state >= BATCH_OPEN && (unsigned)state < KW_COUNT(states) ? states[state] : "unknown";
}

enum {
    IN_USE = 1u << BATCH_OPEN | 1u << BATCH_CLOSING | 1u << BATCH_CLOSED,
    OUT_OF_USE = 1u << BATCH_QUARANTINED,
};

/* Which change leads from which states to which; everything else is refused. */
static const struct {
    enum event_type type;
    unsigned from; /* bits */
    enum batch_state to;
    const char *wish;
} steps[] = {
    {EVENT_BATCH_CLOSE,      IN_USE,     BATCH_CLOSING,     "closed"     },
    {EVENT_BATCH_QUARANTINE, IN_USE,     BATCH_QUARANTINED, "quarantined"},
    {EVENT_BATCH_RELEASE,    OUT_OF_USE, BATCH_CLOSED,      "released"   },
};

/* --- changes ---------------------------------------------------------------------------------- */

struct batch_change {
    struct service *service;
    struct store_batch *batch;
    enum event_type type;
    const char *finding;
    uint32_t checked;
};

static kw_status record(struct kw_op *op, struct store_txn *txn, struct service *service,
                        const struct store_batch *batch, enum event_type type)
{
    struct event event = {.type = type};

    object_write(OBJECT_BATCH, batch->name, event.object);
    (void)snprintf(event.detail, sizeof(event.detail), "product %.80s, %llu units, %s%s%.255s",
                   batch->product, (unsigned long long)batch->units, batch_state_text(batch->state),
                   *batch->finding ? ": " : "", batch->finding);
    return service_record(op, service, txn, &event);
}

static kw_status set_in(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    const struct batch_change *it = ctx;
    struct store_batch *batch = it->batch;

    TRY(op, store_batch_get_txn(op, txn, batch->name, batch));
    for (unsigned i = 0; i < KW_COUNT(steps); i++) {
        if (steps[i].type != it->type) {
            continue;
        }
        ENSURE(op, steps[i].from & 1u << batch->state, KW_E_STATE,
               "batch '%s' is %s: it cannot be %s", batch->name, batch_state_text(batch->state),
               steps[i].wish);
        batch->state = steps[i].to;
    }
    batch->checked = it->checked ? it->checked : batch->checked;
    KW_TEXT_SET(batch->finding, it->finding);
    TRY(op, store_batch_update(op, txn, batch));
    return record(op, txn, it->service, batch, it->type);
}

kw_status batch_set(struct kw_op *op, struct service *service, const char *name,
                    enum event_type type, const char *finding, uint32_t checked,
                    struct store_batch *ret)
{
    struct batch_change it = {
        .service = service, .batch = ret, .type = type, .finding = finding, .checked = checked};

    memset(ret, 0, sizeof(*ret));
    ENSURE(op, KW_TEXT_SET(ret->name, name), KW_E_NOT_FOUND, "no batch '%.64s'", name);
    TRY(op, store_change(op, service->store, set_in, &it), "batch '%.64s'", name);
    batch_worker_wake(service);
    return KW_OK;
}

kw_status batch_close(struct kw_op *op, struct service *service, const char *name,
                      struct store_batch *ret)
{
    return batch_set(op, service, name, EVENT_BATCH_CLOSE, "", 0, ret);
}

static kw_status need_reason(struct kw_op *op, const char *reason)
{
    ENSURE(op, *reason && strlen(reason) < STORE_REASON_MAX, KW_E_INPUT,
           "a reason of at most %d octets is needed", STORE_REASON_MAX - 1);
    return KW_OK;
}

kw_status batch_quarantine(struct kw_op *op, struct service *service, const char *name,
                           const char *reason, struct store_batch *ret)
{
    TRY(op, need_reason(op, reason));
    return batch_set(op, service, name, EVENT_BATCH_QUARANTINE, reason, 0, ret);
}

kw_status batch_release(struct kw_op *op, struct service *service, const char *name,
                        const char *reason, struct store_batch *ret)
{
    char text[256];

    TRY(op, need_reason(op, reason));
    (void)snprintf(text, sizeof(text), "released by %.64s: %.150s", op->principal, reason);
    return batch_set(op, service, name, EVENT_BATCH_RELEASE, text, 0, ret);
}

/* --- opening, admission ----------------------------------------------------------------------- */

static kw_status open_in(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    const struct batch_change *it = ctx;

    TRY(op, store_batch_insert(op, txn, it->batch));
    return record(op, txn, it->service, it->batch, EVENT_BATCH_OPEN);
}

static void describe(struct store_batch *batch, const char *name, const char *product)
{
    memset(batch, 0, sizeof(*batch));
    KW_TEXT_SET(batch->name, name);
    KW_TEXT_SET(batch->product, product);
    batch->state = BATCH_OPEN;
    batch->opened_ms = os_clock_unix_ms();
}

kw_status batch_open(struct kw_op *op, struct service *service, const char *name,
                     const char *product, uint32_t quota, struct store_batch *ret)
{
    struct batch_change it = {.service = service, .batch = ret};

    TRY(op, device_check_name(op, "the batch", name));
    TRY(op, device_check_name(op, "the product", product));
    describe(ret, name, product);
    ret->quota = quota;
    kw_status status = store_change(op, service->store, open_in, &it);
    if (status.code == KW_E_CONFLICT) {
        kw_op_clear(op);
        return FAIL(op, KW_E_CONFLICT, "batch '%s' was opened before", name);
    }
    return status;
}

static kw_status find_or_open(struct kw_op *op, struct service *service, struct store_txn *txn,
                              const struct store_device *device, struct store_batch *ret)
{
    struct batch_change it = {.service = service, .batch = ret};
    kw_status status = store_batch_get_txn(op, txn, device->batch, ret);

    if (status.code != KW_E_NOT_FOUND) {
        return status;
    }
    kw_op_clear(op);
    describe(ret, device->batch, device->product);
    return open_in(op, txn, &it);
}

kw_status batch_admit(struct kw_op *op, struct service *service, struct store_txn *txn,
                      const struct store_device *device)
{
    struct store_batch batch;

    if (!*device->batch) {
        return KW_OK;
    }
    TRY(op, find_or_open(op, service, txn, device, &batch));
    ENSURE(op, batch.state == BATCH_OPEN, KW_E_STATE, "batch '%s' is %s", batch.name,
           batch_state_text(batch.state));
    ENSURE(op, strcmp(batch.product, device->product) == 0, KW_E_CONFLICT,
           "batch '%s' is of product '%s'", batch.name, batch.product);
    ENSURE(op, batch.quota == 0 || batch.units < batch.quota, KW_E_LIMIT,
           "batch '%s' has its %u units", batch.name, batch.quota);
    batch.units++;
    return store_batch_update(op, txn, &batch);
}

kw_status batch_give_back(struct kw_op *op, struct store_txn *txn,
                          const struct store_device *device)
{
    struct store_batch batch;

    if (!*device->batch) {
        return KW_OK;
    }
    TRY(op, store_batch_get_txn(op, txn, device->batch, &batch));
    batch.units -= batch.units > 0;
    return store_batch_update(op, txn, &batch);
}

kw_status batch_refuse_quarantined(struct kw_op *op, const struct store_device *device)
{
    ENSURE(op, device->batch_state != BATCH_QUARANTINED, KW_E_DENIED,
           "batch '%s' is in quarantine: nothing is issued to its units", device->batch);
    return KW_OK;
}

/* --- the worker ------------------------------------------------------------------------------- */

struct batch_worker {
    struct service *service;
    bool unsettled; /* something failed; the thread's */
    struct os_worker worker;
};

static bool goes_on(void *ctx)
{
    struct batch_worker *worker = ctx;

    return os_worker_goes_on(&worker->worker);
}

/* The comparison found nothing: closed. */
static kw_status finish_in(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    struct batch_change *it = ctx;
    struct store_batch *batch = it->batch;

    TRY(op, store_batch_get_txn(op, txn, batch->name, batch));
    ENSURE(op, batch->state == BATCH_CLOSING, KW_E_STATE, "batch '%s' is %s", batch->name,
           batch_state_text(batch->state));
    batch->state = BATCH_CLOSED;
    batch->checked = it->checked;
    batch->closed_ms = os_clock_unix_ms();
    TRY(op, store_batch_update(op, txn, batch));
    return record(op, txn, it->service, batch, EVENT_BATCH_CLOSE);
}

static kw_status compare(struct kw_op *op, struct batch_worker *worker, struct store_batch *batch)
{
    struct batch_change it = {.service = worker->service, .batch = batch};
    char finding[256] = "";
    struct store_batch after;

    TRY(op, batch_compare(op, worker->service, batch, goes_on, worker, &it.checked, finding));
    if (!*finding) {
        return store_change(op, worker->service->store, finish_in, &it);
    }
    TRY(op, batch_set(op, worker->service, batch->name, EVENT_BATCH_QUARANTINE, finding, it.checked,
                      &after));
    *batch = after;
    return KW_OK;
}

/* Others may have changed the unit meanwhile: as good. */
static kw_status pass_over(struct kw_op *op, kw_status status, const char *id)
{
    ENSURE(op, kw_ok(status) || status.code == KW_E_STATE || status.code == KW_E_NOT_FOUND,
           status.code, "unit '%s'", id);
    kw_op_clear(op);
    op->deadline_ms = os_clock_mono_ms() + WORK_DEADLINE_MS; /* each unit has its own */
    return KW_OK;
}

static kw_status suspend_unit(struct kw_op *op, struct service *service, const char *id,
                              const char *cause)
{
    struct store_device device;

    TRY(op, store_device_get(op, service->store, id, &device));
    if (device.state != DEVICE_REGISTERED && device.state != DEVICE_ACTIVE) {
        return KW_OK;
    }
    return pass_over(op, device_suspend(op, service, id, cause, "its batch is in quarantine"), id);
}

static kw_status suspend_units(struct kw_op *op, struct batch_worker *worker, const char *batch,
                               const char *cause)
{
    char id[KW_NAME_MAX] = "";

    while (goes_on(worker)) {
        kw_status status = store_batch_device_next(op, worker->service->store, batch, id, id);
        if (status.code == KW_E_NOT_FOUND) {
            kw_op_clear(op);
            return KW_OK;
        }
        TRY(op, status);
        TRY(op, suspend_unit(op, worker->service, id, cause));
    }
    return KW_FAIL(KW_E_UNAVAILABLE);
}

static kw_status resume_units(struct kw_op *op, struct batch_worker *worker, const char *cause)
{
    char owner[KW_NAME_MAX] = "";

    while (goes_on(worker)) {
        kw_status status = store_suspension_next(op, worker->service->store, cause, owner, owner);
        if (status.code == KW_E_NOT_FOUND) {
            kw_op_clear(op);
            return KW_OK;
        }
        TRY(op, status);
        const char *id = object_name(OBJECT_DEVICE, owner);
        TRY(op, pass_over(op, device_resume(op, worker->service, id, cause, ""), id));
    }
    return KW_FAIL(KW_E_UNAVAILABLE);
}

/* Units are as the batch's state wants them. */
static kw_status settle_units(struct kw_op *op, struct batch_worker *worker,
                              const struct store_batch *batch)
{
    char cause[KW_NAME_MAX];

    object_write(OBJECT_BATCH, batch->name, cause);
    return batch->state == BATCH_QUARANTINED ? suspend_units(op, worker, batch->name, cause)
                                             : resume_units(op, worker, cause);
}

static void work_on(struct batch_worker *worker, struct store_batch *batch, bool all)
{
    struct kw_op op;

    kw_op_init(&op, "system", os_clock_mono_ms() + WORK_DEADLINE_MS);
    kw_status status = KW_OK;
    if (batch->state == BATCH_CLOSING) {
        status = compare(&op, worker, batch);
        all = true;
    }
    if (all && kw_ok(status) &&
        (batch->state == BATCH_QUARANTINED || batch->state == BATCH_CLOSED)) {
        status = settle_units(&op, worker, batch);
    }
    if (!kw_ok(status) && goes_on(worker)) {
        service_complain(worker->service, &op, "a batch could not be settled");
        worker->unsettled = true;
    }
}

/* all: units, too; where nobody asked, nothing happened to them. */
static void look(struct batch_worker *worker, bool all)
{
    char after[KW_NAME_MAX] = "";
    struct store_batch batch;
    struct kw_op op;
    unsigned n = 1;

    while (n > 0 && goes_on(worker)) {
        kw_op_init(&op, "system", os_clock_mono_ms() + WORK_DEADLINE_MS);
        if (!kw_ok(store_batch_list(&op, worker->service->store, after, 0, 1, &batch, &n))) {
            service_complain(worker->service, &op, "batches could not be read");
            return;
        }
        if (n > 0) {
            KW_TEXT_SET(after, batch.name);
            work_on(worker, &batch, all);
        }
    }
}

static bool wait_for_work(struct batch_worker *worker, bool *ret_all)
{
    bool asked = false, go_on = os_worker_sleep(&worker->worker, LOOK_EVERY_MS, &asked);

    *ret_all = asked || worker->unsettled;
    worker->unsettled = false;
    return go_on;
}

static void *run(void *ctx)
{
    bool all = true; /* what was cut by the end of the process */

    do {
        look(ctx, all);
    } while (wait_for_work(ctx, &all));
    return NULL;
}

kw_status batch_worker_start(struct kw_op *op, struct service *service, struct batch_worker **ret)
{
    struct batch_worker *worker = calloc(1, sizeof(*worker));

    ENSURE(op, worker, KW_E_MEMORY, "no memory for batches");
    worker->service = service;
    *ret = worker; /* before the thread asks for it */
    kw_status status = os_worker_start(op, &worker->worker, run, worker, "batches");
    if (!kw_ok(status)) {
        *ret = NULL;
        free(worker);
    }
    return status;
}

void batch_worker_stop(struct batch_worker *worker)
{
    if (worker) {
        os_worker_stop(&worker->worker);
        free(worker);
    }
}

void batch_worker_wake(struct service *service)
{
    if (service->batches) {
        os_worker_ask(&service->batches->worker);
    }
}
