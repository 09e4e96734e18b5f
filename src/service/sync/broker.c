#include "service/sync/broker.h"

#include <stdio.h>
#include <stdlib.h>

#include "model/object.h"
#include "os/clock.h"
#include "service/log/log.h"
#include "service/sync/feed.h"

enum { BROKER_ENTRIES = FEED_MAX }; /* of the log looked at for one answer */

/* --- one client ------------------------------------------------------------------------------- */

/* Whose certificates are for connecting to others. */
static const bool is_client[OBJECT_KIND_MAX] = {
    [OBJECT_DEVICE] = true,
    [OBJECT_SERVICE] = true,
    [OBJECT_GATEWAY] = true,
    [OBJECT_USER] = true,
};

static const char *state_of(const struct store_client *one)
{
    bool used =
        one->device == 0 || one->device == DEVICE_REGISTERED || one->device == DEVICE_ACTIVE;

    if (!used) {
        return device_state_text(one->device);
    }
    return one->state == CERT_STATE_VALID || one->state == CERT_STATE_SUPERSEDED
               ? "good"
               : cert_state_text(one->state);
}

static kw_status add(struct kw_op *op, void *ctx, const struct store_client *one)
{
    struct broker_answer *answer = ctx;
    int64_t changed_ms = answer->changed_ms;

    if (!is_client[object_kind(one->owner)]) {
        return KW_OK;
    }
    ENSURE(op, answer->n < BROKER_ITEMS_MAX, KW_E_LIMIT, "more certificates than an answer holds");
    answer->at[answer->n++] =
        (struct broker_client){.cert = *one, .state = state_of(one), .changed_ms = changed_ms};
    return KW_OK;
}

/* --- snapshot --------------------------------------------------------------------------------- */

struct page {
    struct broker_answer *answer;
    int64_t last;
    unsigned n;
};

static kw_status add_to_page(struct kw_op *op, void *ctx, const struct store_client *one)
{
    struct page *page = ctx;

    page->last = one->row;
    page->n++;
    return add(op, page->answer, one);
}

kw_status broker_snapshot(struct kw_op *op, struct service *service, int64_t after,
                          struct broker_answer *ret)
{
    struct page page = {.answer = ret};

    ret->n = 0;
    ret->changed_ms = 0;
    ret->cursor = log_head_now(service).size; /* before the rows: they may be newer, never older */
    TRY(op, store_clients_from(op, service->store, after, service_now_ms() / 1000, BROKER_ITEMS_MAX,
                               add_to_page, &page));
    ret->after = page.n == BROKER_ITEMS_MAX ? page.last : 0;
    return KW_OK;
}

/* --- changes ---------------------------------------------------------------------------------- */

/* These change nobody's standing; every other entry is looked at, known or not. */
static const enum event_type without_effect[] = {
    EVENT_DEVICE_HELLO, EVENT_DEVICE_RECEIPT, EVENT_DEVICE_REGISTER,
    EVENT_CERT_REFUSE,  EVENT_ACCESS_REFUSE,
};

static bool has_effect(const struct event *event)
{
    for (unsigned i = 0; i < KW_COUNT(without_effect); i++) {
        if (event->type == without_effect[i]) {
            return false;
        }
    }
    return true;
}

static kw_status add_item(struct kw_op *op, struct service *service, const struct feed_item *item,
                          struct broker_answer *ret)
{
    const char *object = item->event.object;

    if (!has_effect(&item->event)) {
        return KW_OK;
    }
    ret->changed_ms = item->event.unix_ms;
    if (object_kind(object) == OBJECT_CERT) {
        return store_client_by_fingerprint(op, service->store, item->fingerprint, add, ret);
    }
    if (object_kind(object) == OBJECT_DEVICE) {
        return store_clients_of(op, service->store, object, service_now_ms() / 1000, add, ret);
    }
    return KW_OK;
}

/* As many entries as the answer has room for; the others come with the next. */
static kw_status add_items(struct kw_op *op, struct service *service,
                           const struct feed_item items[], unsigned n, struct broker_answer *ret)
{
    for (unsigned i = 0; i < n; i++) {
        unsigned before = ret->n;
        kw_status status = add_item(op, service, &items[i], ret);
        if (status.code == KW_E_LIMIT && before > 0) {
            kw_op_clear(op);
            ret->n = before;
            ret->cursor = items[i].index;
            return KW_OK;
        }
        TRY(op, status);
        ret->cursor = items[i].index + 1;
    }
    return KW_OK;
}

/* What only others care for is passed over while there is time, so that a broker is not woken by
 * every sign of life of a device. */
static kw_status look(struct kw_op *op, struct service *service, struct feed_request *request,
                      struct feed_item *items, struct broker_answer *ret)
{
    int64_t until = os_clock_mono_ms() + (int64_t)request->wait_s * 1000;
    unsigned n = 0;

    do {
        uint64_t next = 0;
        TRY(op, feed_read(op, service, request, items, &n, &next));
        TRY(op, add_items(op, service, items, n, ret));
        int64_t left = until - os_clock_mono_ms();
        request->since = ret->cursor;
        request->consumer = NULL; /* said already */
        request->wait_s = left > 0 ? (unsigned)(left / 1000) : 0;
    } while (n > 0 && ret->n == 0 && request->wait_s > 0);
    return KW_OK;
}

kw_status broker_changes(struct kw_op *op, struct service *service, const char *id,
                         const struct broker_cursor *at, unsigned wait_s, struct broker_answer *ret)
{
    char consumer[KW_NAME_MAX];
    struct feed_request request = {.since = at->since,
                                   .max = BROKER_ENTRIES,
                                   .wait_s = wait_s,
                                   .consumer = consumer,
                                   .open = at->since - at->enforced};

    (void)snprintf(consumer, sizeof(consumer), "broker.%.80s", id);
    struct feed_item *items = calloc(FEED_MAX, sizeof(*items));
    ENSURE(op, items, KW_E_MEMORY, "no memory for the feed");
    ret->n = 0;
    ret->after = 0;
    ret->cursor = at->since;
    kw_status status = look(op, service, &request, items, ret);
    free(items);
    return status;
}
