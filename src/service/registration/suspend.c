#include "service/registration/suspend.h"

#include <stdio.h>

#include "model/object.h"
#include "os/clock.h"
#include "service/authorities.h"
#include "service/fleet/heartbeat.h"
#include "service/validation/crl_maker.h"
#include "store/device_event.h"
#include "store/heartbeat.h"

struct suspending {
    struct service *service;
    const char *id, *cause; /* cause NULL: an operator's own */
    const char *reason;
    char owner[KW_NAME_MAX];
    int64_t now_ms;
    unsigned n_certs;
};

/* Everybody who is told about certificates hears of it. */
void device_suspension_spread(struct service *service)
{
    AUTO(authorities) *all = service_authorities(service);

    for (unsigned i = 0; all && i < all->n; i++) {
        crl_maker_wake(service, all->at[i].id);
    }
}

static kw_status record(struct kw_op *op, struct store_txn *txn, const struct suspending *it,
                        enum event_type type, const char *cause, const char *reason)
{
    struct event event = {.type = type};

    KW_TEXT_SET(event.object, it->owner);
    (void)snprintf(event.detail, sizeof(event.detail), "%u certificates %s, by %.95s%s%.160s",
                   it->n_certs, type == EVENT_DEVICE_SUSPEND ? "held" : "released", cause,
                   *reason ? ": " : "", reason);
    return service_record(op, it->service, txn, &event);
}

static kw_status put_away(struct kw_op *op, struct store_txn *txn, struct store_device *device,
                          struct store_suspension *suspension, unsigned *ret_n_certs)
{
    suspension->before = device->state;
    TRY(op, store_suspension_insert(op, txn, suspension));
    device->state = DEVICE_SUSPENDED;
    TRY(op, store_device_update(op, txn, device));
    return store_suspension_hold(op, txn, suspension->owner, suspension->at_ms / 1000, ret_n_certs);
}

static kw_status take_back(struct kw_op *op, struct store_txn *txn, struct store_device *device,
                           const struct store_suspension *suspension, unsigned *ret_n_certs)
{
    device->state = suspension->before;
    TRY(op, store_device_update(op, txn, device));
    TRY(op, store_suspension_release(op, txn, suspension->owner, ret_n_certs));
    return store_suspension_delete(op, txn, suspension->owner);
}

static kw_status suspend_in(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    struct suspending *it = ctx;
    struct store_suspension suspension = {.at_ms = it->now_ms};
    struct store_device device;

    TRY(op, store_device_get_txn(op, txn, it->id, &device));
    ENSURE(op, device.state == DEVICE_REGISTERED || device.state == DEVICE_ACTIVE, KW_E_STATE,
           "device '%s' is %s", it->id, device_state_text(device.state));
    KW_TEXT_SET(suspension.owner, it->owner);
    KW_TEXT_SET(suspension.cause, it->cause);
    KW_TEXT_SET(suspension.reason, it->reason);
    TRY(op, put_away(op, txn, &device, &suspension, &it->n_certs));
    return record(op, txn, it, EVENT_DEVICE_SUSPEND, it->cause, it->reason);
}

static kw_status begin(struct kw_op *op, struct suspending *it)
{
    int n = snprintf(it->owner, sizeof(it->owner), "device:%s", it->id);

    ENSURE(op, n > 0 && (size_t)n < sizeof(it->owner), KW_E_NOT_FOUND, "no device '%.64s'", it->id);
    it->now_ms = os_clock_unix_ms();
    return KW_OK;
}

kw_status device_suspend_txn(struct kw_op *op, struct service *service, struct store_txn *txn,
                             const char *id, const char *cause, const char *reason)
{
    struct suspending it = {.service = service, .id = id, .cause = cause, .reason = reason};

    TRY(op, begin(op, &it));
    return suspend_in(op, txn, &it);
}

kw_status device_suspend(struct kw_op *op, struct service *service, const char *id,
                         const char *cause, const char *reason)
{
    struct suspending it = {.service = service, .id = id, .cause = cause, .reason = reason};

    ENSURE(op, *reason && strlen(reason) < STORE_REASON_MAX, KW_E_INPUT,
           "a suspension needs a reason of at most %d octets", STORE_REASON_MAX - 1);
    TRY(op, begin(op, &it));
    TRY(op, store_change(op, service->store, suspend_in, &it), "suspending device '%s'", id);
    device_suspension_spread(service);
    return KW_OK;
}

static kw_status check_cause(struct kw_op *op, const struct suspending *it,
                             const struct store_suspension *found)
{
    const char *batch = object_name(OBJECT_BATCH, found->cause);

    if (it->cause) {
        ENSURE(op, strcmp(it->cause, found->cause) == 0, KW_E_STATE,
               "device '%s' was suspended by %.80s", it->id, found->cause);
        return KW_OK;
    }
    ENSURE(op, !batch, KW_E_STATE, "device '%s' is in quarantine with its batch '%.64s'", it->id,
           batch);
    return KW_OK;
}

/* Whoever speaks first afterwards is taken for the device: somebody has to have looked. */
static kw_status end_clone(struct kw_op *op, struct store_txn *txn, const struct suspending *it,
                           const struct store_suspension *found)
{
    if (strcmp(found->cause, FLEET_CAUSE_CLONE) != 0) {
        return KW_OK;
    }
    ENSURE(
        op, *it->reason, KW_E_INPUT,
        "device '%s' is in quarantine as another has its identity; give the reason to release it",
        it->id);
    TRY(op, store_device_log_forget(op, txn, it->id));
    return store_heartbeat_forget(op, txn, it->id);
}

static kw_status resume_in(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    struct suspending *it = ctx;
    struct store_suspension found;
    struct store_device device;

    TRY(op, store_device_get_txn(op, txn, it->id, &device));
    ENSURE(op, device.state == DEVICE_SUSPENDED, KW_E_STATE, "device '%s' is %s", it->id,
           device_state_text(device.state));
    TRY(op, store_suspension_get_txn(op, txn, it->owner, &found));
    TRY(op, check_cause(op, it, &found));
    TRY(op, end_clone(op, txn, it, &found));
    TRY(op, take_back(op, txn, &device, &found, &it->n_certs));
    return record(op, txn, it, EVENT_DEVICE_RESUME, it->cause ? it->cause : op->principal,
                  it->reason);
}

kw_status device_resume(struct kw_op *op, struct service *service, const char *id,
                        const char *cause, const char *reason)
{
    struct suspending it = {.service = service, .id = id, .cause = cause, .reason = reason};

    TRY(op, begin(op, &it));
    TRY(op, store_change(op, service->store, resume_in, &it), "resuming device '%s'", id);
    device_suspension_spread(service);
    return KW_OK;
}

/* --- from the log ----------------------------------------------------------------------------- */

static kw_status find_device(struct kw_op *op, struct store_txn *txn, const struct event *event,
                             struct store_device *ret)
{
    const char *id = object_name(OBJECT_DEVICE, event->object);

    ENSURE(op, id, KW_E_INTEGRITY, "'%.64s' is no device", event->object);
    return store_device_get_txn(op, txn, id, ret);
}

/* "N certificates held, by CAUSE[: REASON]" (record() above) */
static void read_cause(const char *detail, struct store_suspension *ret)
{
    static const char before[] = ", by ";
    const char *at = strstr(detail, before);

    if (!at) {
        return;
    }
    at += sizeof(before) - 1;
    const char *reason = strstr(at, ": ");
    size_t n = reason ? (size_t)(reason - at) : strlen(at);
    (void)snprintf(ret->cause, sizeof(ret->cause), "%.*s", (int)n, at);
    (void)snprintf(ret->reason, sizeof(ret->reason), "%.159s", reason ? reason + 2 : "");
}

kw_status device_suspend_again(struct kw_op *op, struct store_txn *txn, const struct event *event)
{
    struct store_suspension suspension = {.at_ms = event->unix_ms};
    struct store_device device;
    unsigned n_certs = 0;

    TRY(op, find_device(op, txn, event, &device));
    if (device.state == DEVICE_SUSPENDED || device.state == DEVICE_RETIRED) {
        return KW_OK;
    }
    KW_TEXT_SET(suspension.owner, event->object);
    read_cause(event->detail, &suspension);
    return put_away(op, txn, &device, &suspension, &n_certs);
}

kw_status device_resume_again(struct kw_op *op, struct store_txn *txn, const struct event *event)
{
    struct store_suspension found;
    struct store_device device;
    unsigned n_certs = 0;

    TRY(op, find_device(op, txn, event, &device));
    if (device.state != DEVICE_SUSPENDED) {
        return KW_OK;
    }
    TRY(op, store_suspension_get_txn(op, txn, event->object, &found));
    return take_back(op, txn, &device, &found, &n_certs);
}
