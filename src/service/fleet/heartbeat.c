#include "service/fleet/heartbeat.h"

#include <stdio.h>

#include "model/object.h"
#include "os/clock.h"
#include "service/registration/suspend.h"
#include "store/heartbeat.h"

struct beating {
    struct service *service;
    const char *id;
    const struct heartbeat *said;
    int64_t now_ms;
    struct heartbeat known;
    enum heartbeat_verdict verdict;
};

static kw_status record(struct kw_op *op, struct store_txn *txn, const struct beating *it,
                        enum event_type type, const char *what)
{
    struct event event = {.type = type};

    object_write(OBJECT_DEVICE, it->id, event.object);
    (void)snprintf(event.detail, sizeof(event.detail), "%s: it came with heartbeat %llu after %llu",
                   what, (unsigned long long)it->said->counter,
                   (unsigned long long)it->known.counter);
    return service_record(op, it->service, txn, &event);
}

static kw_status quarantine(struct kw_op *op, struct store_txn *txn, const struct beating *it)
{
    TRY(op, record(op, txn, it, EVENT_DEVICE_CLONE, "a second device has this identity"));
    return device_suspend_txn(op, it->service, txn, it->id, FLEET_CAUSE_CLONE,
                              "a second device has this identity");
}

static kw_status put(struct kw_op *op, struct store_txn *txn, const struct beating *it)
{
    return store_heartbeat_put(op, txn, it->id, it->said, it->now_ms);
}

static kw_status put_ahead(struct kw_op *op, struct store_txn *txn, const struct beating *it)
{
    TRY(op, record(op, txn, it, EVENT_DEVICE_HEARTBEAT, "what was known is older than the device"));
    return put(op, txn, it);
}

static kw_status leave(struct kw_op *op, struct store_txn *txn, const struct beating *it)
{
    (void)op;
    (void)txn;
    (void)it;
    return KW_OK;
}

static kw_status (*const deeds[])(struct kw_op *op, struct store_txn *txn,
                                  const struct beating *it) = {
    [HEARTBEAT_FIRST] = put,  [HEARTBEAT_NEXT] = put,        [HEARTBEAT_AGAIN] = leave,
    [HEARTBEAT_LATE] = leave, [HEARTBEAT_AHEAD] = put_ahead, [HEARTBEAT_DIVERGED] = quarantine,
};
_Static_assert(KW_COUNT(deeds) == HEARTBEAT_DIVERGED + 1, "every verdict has its deed");

static kw_status take(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    struct beating *it = ctx;
    struct store_device device;

    TRY(op, store_device_get_txn(op, txn, it->id, &device));
    ENSURE(op, device.state == DEVICE_REGISTERED || device.state == DEVICE_ACTIVE, KW_E_DENIED,
           "device '%s' is %s", it->id, device_state_text(device.state));
    TRY(op, store_heartbeat_get_txn(op, txn, it->id, &it->known));
    if (it->said->counter == 0) { /* an agent that keeps none: only where none was ever kept */
        ENSURE(op, it->known.counter == 0, KW_E_INPUT, "a hello without its heartbeat");
        return KW_OK;
    }
    it->verdict = heartbeat_judge(&it->known, it->said);
    return deeds[it->verdict](op, txn, it);
}

kw_status fleet_heartbeat(struct kw_op *op, struct service *service, const char *id,
                          const struct heartbeat *beat)
{
    struct beating it = {.service = service, .id = id, .said = beat, .now_ms = os_clock_unix_ms()};

    TRY(op, store_change(op, service->store, take, &it), "heartbeat of device '%s'", id);
    if (it.verdict != HEARTBEAT_DIVERGED) {
        return KW_OK;
    }
    device_suspension_spread(service);
    return FAIL(op, KW_E_DENIED, "device '%s' is in quarantine: a second one has its identity", id);
}
