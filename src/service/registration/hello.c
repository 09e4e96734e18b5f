#include "service/registration/hello.h"

#include <stdio.h>

#include "base/hex.h"
#include "model/object.h"
#include "os/clock.h"
#include "service/fleet/events.h"
#include "service/fleet/heartbeat.h"
#include "service/fleet/wipe.h"
#include "service/revocation/revocation.h"
#include "store/registration.h"

enum { SEEN_EVERY_MS = 30000 };

struct sign_of_life {
    struct service *service;
    const struct device_hello *hello;
    struct store_device device; /* as it was before */
    struct event event;
    char root_of_trust[KW_NAME_MAX];
    int64_t now_ms;
    bool names_cert;
    uint8_t said[KW_HASH_BYTES]; /* the certificate that it calls its own */
};

static bool is_news(const struct store_device *device, const struct sign_of_life *it)
{
    return strcmp(device->agent, it->hello->agent) != 0 ||
           strcmp(device->root_of_trust, it->root_of_trust) != 0 ||
           (*it->hello->firmware && strcmp(device->firmware, it->hello->firmware) != 0);
}

static kw_status note_hello(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    struct sign_of_life *it = ctx;
    struct store_device device;

    TRY(op, store_device_get_txn(op, txn, it->device.id, &device));
    bool news = is_news(&device, it);
    device.last_seen_ms = it->now_ms;
    KW_TEXT_SET(device.agent, it->hello->agent);
    KW_TEXT_SET(device.root_of_trust, it->root_of_trust);
    device.simulated = it->hello->simulated;
    if (*it->hello->firmware) {
        KW_TEXT_SET(device.firmware, it->hello->firmware);
    }
    TRY(op, store_device_update(op, txn, &device));
    if (it->names_cert) {
        TRY(op, store_device_said(op, txn, device.id, it->said, it->now_ms));
    }
    return news ? service_record(op, it->service, txn, &it->event) : KW_OK;
}

/* Which certificate it calls its own now; what is no fingerprint is not taken. True: a new one. */
static bool take_cert_name(struct kw_op *op, struct sign_of_life *it, const char *id)
{
    struct kw_out out = KW_OUT_ARRAY(it->said);
    uint8_t before[KW_HASH_BYTES];
    int64_t at_ms = 0;

    it->names_cert = kw_ok(kw_unhex(it->hello->certificate, &out)) && out.len == KW_HASH_BYTES;
    if (!it->names_cert) {
        return false;
    }
    bool same = kw_ok(store_device_says(op, it->service->store, id, before, &at_ms)) &&
                memcmp(before, it->said, sizeof(before)) == 0;
    kw_op_clear(op);
    return !same;
}

/* A word only: what the device obeys is the order that it fetches then. */
static kw_status tell_wipe(struct kw_op *op, struct service *service, const char *id,
                           struct device_welcome *ret)
{
    struct wipe_order order;

    TRY(op, wipe_get(op, service, id, &order));
    if (wipe_is_open(&order, os_clock_unix_ms()) && ret->n_actions < DEVICE_ACTIONS_MAX) {
        (void)snprintf(ret->actions[ret->n_actions++], DEVICE_ACTION_MAX, "wipe");
    }
    return KW_OK;
}

kw_status device_seen(struct kw_op *op, struct service *service, const char *id,
                      const struct cert *cert, const struct device_hello *hello,
                      struct device_welcome *ret)
{
    struct sign_of_life it = {
        .service = service, .hello = hello, .event = {.type = EVENT_DEVICE_HELLO}};
    struct store_device *device = &it.device;

    ENSURE(op, !*hello->firmware || firmware_valid(hello->firmware), KW_E_INPUT,
           "a version of firmware has 1 to %d letters, digits and '._+-'", FIRMWARE_MAX - 1);
    it.now_ms = os_clock_unix_ms();
    /* A stand-in for hardware says so wherever it is shown, so the word goes into the record. */
    (void)snprintf(it.root_of_trust, sizeof(it.root_of_trust), "%.80s%s", hello->root_of_trust,
                   hello->simulated ? " SIMULATED" : "");
    TRY(op, store_device_get(op, service->store, id, device), "device '%s'", id);
    TRY(op, fleet_heartbeat(op, service, id, &hello->beat));
    TRY(op, fleet_events_said(op, service, id, &hello->events, &ret->events_from));
    TRY(op, revocation_hello(op, service, device, cert, &ret->renew));
    TRY(op, tell_wipe(op, service, id, ret));
    bool other_cert = take_cert_name(op, &it, id);
    if (!other_cert && !is_news(device, &it) && it.now_ms - device->last_seen_ms < SEEN_EVERY_MS) {
        return KW_OK;
    }
    object_write(OBJECT_DEVICE, device->id, it.event.object);
    (void)snprintf(it.event.detail, sizeof(it.event.detail),
                   "agent %.90s, root of trust %.90s%s%.63s", hello->agent, it.root_of_trust,
                   *hello->firmware ? ", firmware " : "", hello->firmware);
    return store_change(op, service->store, note_hello, &it);
}
