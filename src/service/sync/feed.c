#include "service/sync/feed.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "model/object.h"
#include "os/clock.h"
#include "service/authority/revoke.h"
#include "service/event_text.h"
#include "service/log/log.h"
#include "service/quality/batch.h"
#include "service/registration/device.h"

/* --- how an object is now --------------------------------------------------------------------- */

static kw_status look_at_device(struct kw_op *op, struct service *service, const char *id,
                                struct feed_item *item)
{
    struct store_device device;

    TRY(op, store_device_get(op, service->store, id, &device));
    const struct attest_standing standing = {.verdict = device.attest.verdict,
                                             .valid_until_ms = device.attest.valid_until_ms};
    KW_TEXT_SET(item->state, device_state_text(device.state));
    KW_TEXT_SET(item->attestation,
                attest_verdict_text(attest_verdict_now(&standing, os_clock_unix_ms())));
    attest_level_text(device.attest.level, device.attest.simulated, item->assurance_level);
    return KW_OK;
}

static kw_status look_at_cert(struct kw_op *op, struct service *service, const char *id,
                              struct feed_item *item)
{
    struct store_cert cert;

    TRY(op, authority_find(op, service, id, &cert));
    KW_TEXT_SET(item->state, cert_state_text(cert.state));
    KW_TEXT_SET(item->owner, cert.owner);
    KW_TEXT_SET(item->profile, cert.profile);
    memcpy(item->fingerprint, cert.fingerprint, KW_HASH_BYTES);
    return KW_OK;
}

static kw_status look_at_request(struct kw_op *op, struct service *service, const char *id,
                                 struct feed_item *item)
{
    struct store_ra_request request;

    TRY(op, store_ra_request_get(op, service->store, strtoll(id, NULL, 10), &request));
    KW_TEXT_SET(item->state, ra_state_text(request.state));
    KW_TEXT_SET(item->owner, request.owner);
    KW_TEXT_SET(item->profile, request.profile);
    return KW_OK;
}

static kw_status look_at_batch(struct kw_op *op, struct service *service, const char *id,
                               struct feed_item *item)
{
    struct store_batch batch;

    TRY(op, store_batch_get(op, service->store, id, &batch));
    KW_TEXT_SET(item->state, batch_state_text(batch.state));
    return KW_OK;
}

typedef kw_status (*look_fn)(struct kw_op *op, struct service *service, const char *id,
                             struct feed_item *item);
static const look_fn look_at[OBJECT_KIND_MAX] = {
    [OBJECT_DEVICE] = look_at_device,
    [OBJECT_CERT] = look_at_cert,
    [OBJECT_REQUEST] = look_at_request,
    [OBJECT_BATCH] = look_at_batch,
};

/* What is not there (it was only attempted) has no state. */
static void look(struct service *service, struct feed_item *item)
{
    enum object_kind kind = object_kind(item->event.object);
    struct kw_op own;

    kw_op_init(&own, "system", 0);
    if (look_at[kind]) {
        const char *id = object_name(kind, item->event.object);
        (void)look_at[kind](&own, service, id, item); /* as said above */
    }
}

/* --- reading ---------------------------------------------------------------------------------- */

struct reading {
    struct feed_item *items;
    unsigned n;
};

static kw_status take_entry(struct kw_op *op, void *ctx, uint64_t index, struct kw_span entry)
{
    struct reading *it = ctx;
    struct feed_item *item = &it->items[it->n];

    memset(item, 0, sizeof(*item));
    item->index = index;
    TRY(op, event_decode(op, entry, &item->event), "entry %llu", (unsigned long long)index);
    it->n++;
    return KW_OK;
}

static atomic_uint waiters;

static void wait_for_more(struct service *service, uint64_t size, unsigned wait_s)
{
    unsigned most = service->config.pool_threads / FEED_WAITERS_SHARE;

    if (atomic_fetch_add(&waiters, 1) < (most ? most : 1)) {
        (void)log_wait(service, size, os_clock_mono_ms() + (int64_t)wait_s * 1000);
    }
    atomic_fetch_sub(&waiters, 1);
}

static kw_status ack_in(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    return store_consumer_ack(op, txn, ctx);
}

static bool knows(struct kw_op *op, struct service *service, const struct store_consumer *consumer)
{
    struct store_consumer found;
    bool known = kw_ok(store_consumer_get(op, service->store, consumer->name, &found)) &&
                 strcmp(found.principal, consumer->principal) == 0 &&
                 found.cursor >= consumer->cursor;

    kw_op_clear(op);
    return known;
}

static kw_status acknowledge(struct kw_op *op, struct service *service,
                             const struct feed_request *request)
{
    struct store_consumer consumer = {.cursor = request->since - request->open,
                                      .at_ms = os_clock_unix_ms()};

    if (!request->consumer) {
        return KW_OK;
    }
    TRY(op, device_check_name(op, "the consumer's name", request->consumer));
    KW_TEXT_SET(consumer.name, request->consumer);
    KW_TEXT_SET(consumer.principal, op->principal);
    if (knows(op, service, &consumer)) {
        return KW_OK; /* no news: nothing to write */
    }
    return store_change(op, service->store, ack_in, &consumer);
}

kw_status feed_read(struct kw_op *op, struct service *service, const struct feed_request *request,
                    struct feed_item ret[FEED_MAX], unsigned *ret_n, uint64_t *ret_next)
{
    struct reading it = {.items = ret};
    uint64_t size = log_head_now(service).size;

    ENSURE(op, request->max > 0 && request->max <= FEED_MAX && request->wait_s <= FEED_WAIT_MAX_S,
           KW_E_INPUT, "at most %d entries, and %d seconds", FEED_MAX, FEED_WAIT_MAX_S);
    ENSURE(op, request->open <= request->since, KW_E_INPUT, "more entries are open than there are");
    ENSURE(op, request->since <= size, KW_E_STATE,
           "the log has %llu entries, none with index %llu: take everything anew from 0",
           (unsigned long long)size, (unsigned long long)request->since);
    TRY(op, acknowledge(op, service, request));
    if (request->since == size && request->wait_s > 0) {
        wait_for_more(service, size, request->wait_s);
    }
    TRY(op, store_log_each(op, service->store, request->since, request->max, take_entry, &it),
        "reading the log");
    for (unsigned i = 0; i < it.n; i++) {
        look(service, &ret[i]);
    }
    *ret_n = it.n;
    *ret_next = request->since + it.n;
    return KW_OK;
}
