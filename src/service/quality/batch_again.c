/* Batches as the log tells of them, after a restore. */
#include <stdio.h>
#include <stdlib.h>

#include "model/object.h"
#include "service/quality/batch.h"

/* "product P, N units, STATE[: FINDING]" (record() of batch.c) */
static kw_status read_detail(struct kw_op *op, const char *detail, struct store_batch *ret)
{
    static const char product[] = "product ";
    const char *units = strstr(detail, ", "), *state = units ? strstr(units + 2, ", ") : NULL;

    ENSURE(op, state && strncmp(detail, product, sizeof(product) - 1) == 0, KW_E_INTEGRITY,
           "'%.80s' tells of no batch", detail);
    (void)snprintf(ret->product, sizeof(ret->product), "%.*s",
                   (int)(units - detail - (sizeof(product) - 1)), detail + sizeof(product) - 1);
    ret->units = strtoull(units + 2, NULL, 10);
    state += 2;
    size_t n = strcspn(state, ":");
    for (enum batch_state s = BATCH_OPEN; s <= BATCH_QUARANTINED; s++) {
        const char *text = batch_state_text(s);
        if (strlen(text) == n && strncmp(text, state, n) == 0) {
            ret->state = s;
        }
    }
    ENSURE(op, ret->state, KW_E_INTEGRITY, "'%.80s' is no state of a batch", state);
    (void)snprintf(ret->finding, sizeof(ret->finding), "%.255s", state[n] ? state + n + 2 : "");
    return KW_OK;
}

kw_status batch_again(struct kw_op *op, struct store_txn *txn, const struct event *event)
{
    const char *name = object_name(OBJECT_BATCH, event->object);
    struct store_batch told = {0}, batch;

    ENSURE(op, name, KW_E_INTEGRITY, "'%.64s' is no batch", event->object);
    KW_TEXT_SET(told.name, name);
    TRY(op, read_detail(op, event->detail, &told));
    kw_status status = store_batch_get_txn(op, txn, told.name, &batch);
    if (status.code == KW_E_NOT_FOUND) {
        kw_op_clear(op);
        told.opened_ms = event->unix_ms;
        return store_batch_insert(op, txn, &told);
    }
    TRY(op, status);
    batch.state = told.state;
    batch.closed_ms = told.state == BATCH_CLOSED ? event->unix_ms : batch.closed_ms;
    KW_TEXT_SET(batch.finding, told.finding);
    return store_batch_update(op, txn, &batch);
}

kw_status batch_count_again(struct kw_op *op, struct store_txn *txn, const char *name)
{
    struct store_batch batch;

    if (!*name) {
        return KW_OK;
    }
    kw_status status = store_batch_get_txn(op, txn, name, &batch);
    if (status.code == KW_E_NOT_FOUND) {
        kw_op_clear(op);
        return KW_OK;
    }
    TRY(op, status);
    batch.units++;
    return store_batch_update(op, txn, &batch);
}
