/* Trust that operators take away and give back; the patience with failed rounds. */
#include <stdio.h>
#include <stdlib.h>

#include "os/clock.h"
#include "service/attest/attest_internal.h"
#include "service/attest/references.h"

enum { AT_ONCE = 64 }; /* devices in one transaction */

/* --- one device ------------------------------------------------------------------------------- */

struct taking {
    struct service *service;
    const char *device, *why;
};

static kw_status take(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    const struct taking *it = ctx;
    struct store_attest row;

    TRY(op, store_attest_get_txn(op, txn, it->device, &row));
    attest_take(&row.standing, ATTEST_TAKEN_DEVICE);
    (void)snprintf(row.detail, sizeof(row.detail), "%.80s took the trust away%s%.80s",
                   *op->principal ? op->principal : "an operator", *it->why ? ": " : "", it->why);
    return attest_tell(op, it->service, txn, &row);
}

kw_status attest_untrust(struct kw_op *op, struct service *service, const char *device,
                         const char *why)
{
    struct taking it = {.service = service, .device = device, .why = why};

    return store_change(op, service->store, take, &it);
}

static kw_status give_back(struct kw_op *op, struct service *service, struct store_txn *txn,
                           struct store_attest *row)
{
    attest_give_back(&row->standing);
    KW_TEXT_SET(row->detail, "the trust was given back");
    return attest_tell(op, service, txn, row);
}

static kw_status retrust(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    const struct taking *it = ctx;
    struct store_attest row;

    TRY(op, store_attest_get_txn(op, txn, it->device, &row));
    ENSURE(op, row.standing.taken == ATTEST_TAKEN_DEVICE, KW_E_STATE,
           "nobody took the trust in device '%s' away", it->device);
    return give_back(op, it->service, txn, &row);
}

kw_status attest_retrust(struct kw_op *op, struct service *service, const char *device)
{
    struct taking it = {.service = service, .device = device, .why = ""};

    return store_change(op, service->store, retrust, &it);
}

/* --- all of a reference set ------------------------------------------------------------------- */

struct sweep {
    struct service *service;
    const char *name;
    enum attest_taken taken; /* who is looked for */
    enum attest_verdict verdict;
    struct store_attest *rows; /* AT_ONCE of them */
    unsigned n;
};

static kw_status sweep_some(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    struct sweep *it = ctx;

    TRY(op, store_attest_of_reference(op, txn, it->name, it->taken, it->verdict, AT_ONCE, it->rows,
                                      &it->n));
    for (unsigned i = 0; i < it->n; i++) {
        struct store_attest *row = &it->rows[i];
        if (it->taken == ATTEST_TAKEN_REFERENCE) {
            TRY(op, give_back(op, it->service, txn, row), "device '%s'", row->device);
            continue;
        }
        attest_take(&row->standing, ATTEST_TAKEN_REFERENCE);
        (void)snprintf(row->detail, sizeof(row->detail),
                       "the trust in reference set '%.60s' was taken away", it->name);
        TRY(op, attest_tell(op, it->service, txn, row), "device '%s'", row->device);
    }
    return KW_OK;
}

/* In pieces, so that others are served meanwhile; who was swept is found no more. */
static kw_status sweep(struct kw_op *op, struct sweep *it)
{
    kw_status status = KW_OK;

    it->rows = calloc(AT_ONCE, sizeof(*it->rows));
    ENSURE(op, it->rows, KW_E_MEMORY, "no memory for devices");
    do {
        it->n = 0;
        status = store_change(op, it->service->store, sweep_some, it);
    } while (kw_ok(status) && it->n == AT_ONCE);
    free(it->rows);
    return status;
}

kw_status attest_untrust_reference(struct kw_op *op, struct service *service, const char *name)
{
    struct sweep it = {
        .service = service, .name = name, .taken = ATTEST_NOT_TAKEN, .verdict = ATTEST_TRUSTED};

    return sweep(op, &it);
}

kw_status attest_retrust_reference(struct kw_op *op, struct service *service, const char *name)
{
    struct sweep it = {.service = service,
                       .name = name,
                       .taken = ATTEST_TAKEN_REFERENCE,
                       .verdict = ATTEST_FAILED};

    return sweep(op, &it);
}

/* --- patience --------------------------------------------------------------------------------- */

struct ruling {
    struct service *service;
    struct store_rule rule;
};

static kw_status record(struct kw_op *op, struct store_txn *txn, const struct ruling *it,
                        const char *what)
{
    struct event event = {.type = EVENT_ATTEST_POLICY};
    const char *product = it->rule.product;

    (void)snprintf(event.object, sizeof(event.object), "%s%.80s", *product ? "product:" : "all",
                   product);
    (void)snprintf(event.detail, sizeof(event.detail), "%s", what);
    return service_record(op, it->service, txn, &event);
}

static kw_status put(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    const struct ruling *it = ctx;
    const struct attest_patience *p = &it->rule.patience;
    char what[120];

    TRY(op, store_rule_put(op, txn, &it->rule));
    (void)snprintf(what, sizeof(what),
                   "failed after %u of %u rounds, trusted for %u h, fresh for %u min", p->failed,
                   p->rounds, p->trusted_hours, p->fresh_minutes);
    return record(op, txn, it, what);
}

kw_status attest_rule_set(struct kw_op *op, struct service *service, const char *product,
                          const struct attest_patience *patience)
{
    struct ruling it = {
        .service = service, .rule = {.patience = *patience, .changed_ms = os_clock_unix_ms()}
    };

    ENSURE(op, attest_patience_fits(patience), KW_E_INPUT,
           "rounds is 1 to %d and failed 1 to rounds, trusted_hours 1 to %d, fresh_minutes 1 to %d",
           ATTEST_WINDOW_MAX, ATTEST_HOURS_MAX, ATTEST_FRESH_MAX);
    KW_TEXT_SET(it.rule.product, product);
    return store_change(op, service->store, put, &it);
}

static kw_status drop(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    const struct ruling *it = ctx;

    TRY(op, store_rule_delete(op, txn, it->rule.product));
    return record(op, txn, it, "dropped");
}

kw_status attest_rule_drop(struct kw_op *op, struct service *service, const char *product)
{
    struct ruling it = {.service = service};

    KW_TEXT_SET(it.rule.product, product);
    return store_change(op, service->store, drop, &it);
}
