#include "service/fleet/events.h"

#include <stdio.h>

#include "crypto/digest.h"
#include "model/object.h"
#include "os/clock.h"
#include "service/fleet/heartbeat.h"
#include "service/registration/suspend.h"

struct taking {
    struct service *service;
    const char *id;
    struct kw_span records;
    const struct device_log_said *said;
    int64_t now_ms;
    struct store_device_log log;
};

static kw_status note(struct kw_op *op, struct store_txn *txn, const struct taking *it,
                      enum event_type type, const char *detail)
{
    struct event event = {.type = type};

    object_write(OBJECT_DEVICE, it->id, event.object);
    KW_TEXT_SET(event.detail, detail);
    return service_record(op, it->service, txn, &event);
}

/* --- what a hello tells ----------------------------------------------------------------------- */

static kw_status quarantine(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    static const char why[] = "its log of events has two histories: a second device has this "
                              "identity, or the log was rewritten";
    const struct taking *it = ctx;

    TRY(op, note(op, txn, it, EVENT_DEVICE_CLONE, why));
    return device_suspend_txn(op, it->service, txn, it->id, FLEET_CAUSE_CLONE,
                              "its log of events has two histories");
}

static kw_status note_unwritten(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    struct taking *it = ctx;
    char detail[128];

    TRY(op, store_device_log_get_txn(op, txn, it->id, &it->log));
    if (it->said->lost > it->log.unwritten) {
        (void)snprintf(detail, sizeof(detail), "it cannot write its log: %llu events are lost",
                       (unsigned long long)it->said->lost);
        TRY(op, note(op, txn, it, EVENT_DEVICE_LOG_LOSS, detail));
    }
    it->log.unwritten = it->said->lost;
    return store_device_log_put(op, txn, it->id, &it->log);
}

kw_status fleet_events_said(struct kw_op *op, struct service *service, const char *id,
                            const struct device_log_said *said, uint64_t *ret_from)
{
    struct taking it = {.service = service, .id = id, .said = said};
    const struct device_event_head *head = &it.log.head;

    TRY(op, store_device_log_get(op, service->store, id, &it.log));
    if (device_event_diverged(head, said)) {
        TRY(op, store_change(op, service->store, quarantine, &it), "device '%s'", id);
        device_suspension_spread(service);
        return FAIL(op, KW_E_DENIED, "device '%s' is in quarantine: its log has two histories", id);
    }
    if (said->lost != it.log.unwritten) {
        TRY(op, store_change(op, service->store, note_unwritten, &it), "events of device '%s'", id);
    }
    bool all = head->known ? said->last == head->id : said->last == 0;
    *ret_from = all ? 0 : (head->known ? head->id + 1 : 1);
    return KW_OK;
}

/* --- records ---------------------------------------------------------------------------------- */

static kw_status read_record(struct kw_op *op, struct kw_reader *r, struct device_event *event,
                             struct kw_span *ret_all)
{
    uint8_t hash[KW_HASH_BYTES];
    struct kw_span hashed;

    ENSURE(op, kw_ok(device_event_read(r, event, &hashed)), KW_E_INPUT,
           "these octets are no record of an event");
    digest_sha256(hashed, hash);
    ENSURE(op, memcmp(hash, event->hash, sizeof(hash)) == 0, KW_E_INPUT,
           "the hash of event %llu is wrong", (unsigned long long)event->id);
    *ret_all = KW_SPAN(hashed.p, hashed.len + KW_HASH_BYTES);
    return KW_OK;
}

static kw_status note_loss(struct kw_op *op, struct store_txn *txn, struct taking *it,
                           const struct device_event *event, uint64_t lost)
{
    char detail[160];

    if (lost == 0) {
        return KW_OK;
    }
    it->log.lost += lost;
    it->log.unwritten = 0;
    (void)snprintf(detail, sizeof(detail), "%llu events before number %llu of its log are lost",
                   (unsigned long long)lost, (unsigned long long)event->id);
    return note(op, txn, it, EVENT_DEVICE_LOG_LOSS, detail);
}

static kw_status note_break(struct kw_op *op, struct store_txn *txn, struct taking *it,
                            const struct device_event *event)
{
    char detail[160];

    it->log.breaks++;
    (void)snprintf(detail, sizeof(detail),
                   "number %llu of its log does not follow the one before: the log was altered, or "
                   "began anew",
                   (unsigned long long)event->id);
    return note(op, txn, it, EVENT_DEVICE_LOG_BREAK, detail);
}

static kw_status take_record(struct kw_op *op, struct store_txn *txn, struct taking *it,
                             const struct device_event *event, struct kw_span record)
{
    uint64_t lost = 0;
    enum device_event_verdict verdict = device_event_judge(&it->log.head, event, &lost);

    if (verdict == DEVICE_EVENT_AGAIN) {
        return KW_OK;
    }
    TRY(op, note_loss(op, txn, it, event, lost));
    if (verdict == DEVICE_EVENT_BROKEN) {
        TRY(op, note_break(op, txn, it, event));
    }
    it->log.head.id = event->id;
    it->log.head.known = true;
    memcpy(it->log.head.hash, event->hash, sizeof(it->log.head.hash));
    return store_device_event_put(op, txn, it->id, event->hash, record, it->now_ms);
}

static kw_status take(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    struct taking *it = ctx;
    struct kw_reader r = kw_reader_of(it->records);
    struct device_event event;
    struct kw_span record;

    TRY(op, store_device_log_get_txn(op, txn, it->id, &it->log));
    while (r.rest.len > 0) {
        TRY(op, read_record(op, &r, &event, &record));
        TRY(op, take_record(op, txn, it, &event, record));
    }
    TRY(op, store_device_event_trim(op, txn, it->id));
    return store_device_log_put(op, txn, it->id, &it->log);
}

kw_status fleet_events_take(struct kw_op *op, struct service *service, const char *id,
                            struct kw_span records, uint64_t *ret_next)
{
    struct taking it = {
        .service = service, .id = id, .records = records, .now_ms = os_clock_unix_ms()};

    ENSURE(op, records.len > 0, KW_E_INPUT, "no events");
    TRY(op, store_change(op, service->store, take, &it), "events of device '%s'", id);
    *ret_next = it.log.head.id + 1;
    return KW_OK;
}
