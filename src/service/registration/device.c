#include "service/registration/device.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "model/object.h"
#include "os/clock.h"
#include "service/authority/revoke.h"
#include "service/fleet/wipe.h"
#include "service/quality/batch.h"
#include "service/registration/secret.h"
#include "store/device_event.h"
#include "store/heartbeat.h"
#include "store/registration.h"

enum { ID_MAX = 64 };

struct device_change {
    struct service *service;
    struct wipe_order wipe; /* that this change ends */
    struct store_device device;
    struct event event;
};

kw_status device_check_name(struct kw_op *op, const char *what, const char *text)
{
    size_t n = strlen(text);

    ENSURE(op, n > 0 && n <= ID_MAX, KW_E_INPUT, "%s must have 1 to %d characters", what, ID_MAX);
    for (size_t i = 0; i < n; i++) {
        ENSURE(op, isalnum((unsigned char)text[i]) || strchr("-_.:", text[i]), KW_E_INPUT,
               "%s may hold letters, digits and '-_.:' only", what);
    }
    return KW_OK;
}

/* X.520: serialNumber is a PrintableString, which has no '_'. Refused here rather than on the line.
 */
static kw_status check_serial(struct kw_op *op, const char *serial, bool given)
{
    TRY(op, device_check_name(op, "the serial number", serial));
    ENSURE(op, !strchr(serial, '_'), KW_E_INPUT,
           "the serial number '%s' has a '_', which no certificate can carry (X.520, "
           "PrintableString)%s",
           serial, given ? "" : "; it is the device id where none is given: give another");
    return KW_OK;
}

/* One number of a dotted OID, at most nine digits, no needless zeros; NULL where there is none. */
static const char *take_arc(const char *text, unsigned long *ret)
{
    size_t n = strspn(text, "0123456789");

    if (n == 0 || n > 9 || (n > 1 && *text == '0')) {
        return NULL;
    }
    *ret = strtoul(text, NULL, 10);
    return text + n;
}

/* Two arcs at least; X.660: the first is 0, 1 or 2, the second below 40 except under 2. */
static bool is_oid(const char *text)
{
    unsigned long first = 0, arc = 0;
    unsigned n = 1;
    const char *at = take_arc(text, &first);

    for (; at && *at == '.' && (at = take_arc(at + 1, &arc)); n++) {
        if (n == 1 && first < 2 && arc >= 40) {
            return false;
        }
    }
    return at && *at == 0 && n >= 2 && first <= 2;
}

static kw_status check_request(struct kw_op *op, const struct device_request *request)
{
    TRY(op, device_check_name(op, "the device id", request->id));
    TRY(op, device_check_name(op, "the product", request->product));
    TRY(op, check_serial(op, request->serial ? request->serial : request->id, request->serial));
    if (request->batch) {
        TRY(op, device_check_name(op, "the batch", request->batch));
    }
    ENSURE(op, !request->hw_type || is_oid(request->hw_type), KW_E_INPUT,
           "the hardware type must be an object identifier such as " DEVICE_HW_TYPE);
    return KW_OK;
}

/* Who verifies signed data goes by the name in the signer's certificate: a device in a service's
 * name could command others. */
static kw_status refuse_service_name(struct kw_op *op, struct store_txn *txn, const char *id)
{
    char owner[KW_NAME_MAX];
    bool known = false;

    object_write(OBJECT_SERVICE, id, owner);
    TRY(op, store_owner_known_txn(op, txn, owner, &known));
    ENSURE(op, !known, KW_E_CONFLICT, "'%s' is the name of a service; a device needs another one",
           id);
    return KW_OK;
}

static kw_status insert_device(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    struct device_change *change = ctx;

    TRY(op, refuse_service_name(op, txn, change->device.id));
    TRY(op, batch_admit(op, change->service, txn, &change->device));
    kw_status status = store_device_insert(op, txn, &change->device);
    if (status.code == KW_E_CONFLICT) {
        kw_op_clear(op);
        TRY(op, batch_give_back(op, txn, &change->device)); /* others of this change go on */
        return FAIL(op, KW_E_CONFLICT, "device '%s' or its serial number was registered before",
                    change->device.id);
    }
    TRY(op, status);
    return service_record(op, change->service, txn, &change->event);
}

static void name_object(struct device_change *change, enum event_type type)
{
    change->event.type = type;
    object_write(OBJECT_DEVICE, change->device.id, change->event.object);
}

static kw_status make_secret(struct kw_op *op, struct service *service, uint32_t hours, bool cmp,
                             char secret[DEVICE_SECRET_TEXT], struct store_device *device)
{
    int64_t now_ms = os_clock_unix_ms();

    return cmp ? secret_make_known(op, service, now_ms, hours, secret, device)
               : secret_make(op, now_ms, hours, secret, device);
}

kw_status device_describe(struct kw_op *op, const struct device_request *request,
                          struct store_device *ret)
{
    memset(ret, 0, sizeof(*ret));
    TRY(op, check_request(op, request));
    KW_TEXT_SET(ret->id, request->id);
    KW_TEXT_SET(ret->product, request->product);
    KW_TEXT_SET(ret->serial, request->serial ? request->serial : request->id);
    ENSURE(op, KW_TEXT_SET(ret->hw_type, request->hw_type ? request->hw_type : DEVICE_HW_TYPE),
           KW_E_INPUT, "the hardware type is too long");
    if (request->batch) {
        KW_TEXT_SET(ret->batch, request->batch);
    }
    ret->state = DEVICE_REGISTERED;
    ret->registered_ms = os_clock_unix_ms();
    return KW_OK;
}

static void describe_event(struct device_change *change)
{
    const struct store_device *device = &change->device;

    name_object(change, EVENT_DEVICE_REGISTER);
    (void)snprintf(change->event.detail, sizeof(change->event.detail),
                   "product %.80s, serial number %.80s%s%.80s", device->product, device->serial,
                   *device->batch ? ", batch " : "", device->batch);
}

kw_status device_put(struct kw_op *op, struct service *service, struct store_txn *txn,
                     const struct store_device *device)
{
    struct device_change change = {.service = service, .device = *device};

    describe_event(&change);
    return insert_device(op, txn, &change);
}

kw_status device_register(struct kw_op *op, struct service *service,
                          const struct device_request *request, char secret[DEVICE_SECRET_TEXT])
{
    struct device_change change = {.service = service};
    struct store_device *device = &change.device;

    TRY(op, device_describe(op, request, device));
    TRY(op, make_secret(op, service, request->secret_hours, request->cmp, secret, device));
    describe_event(&change);
    return store_change(op, service->store, insert_device, &change);
}

/* In the transaction, as all changes of a record: what was read before may be out of date. */
static kw_status put_secret(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    struct device_change *change = ctx;
    const struct store_device *made = &change->device;
    struct store_device device;

    TRY(op, store_device_get_txn(op, txn, made->id, &device), "device '%s'", made->id);
    ENSURE(op, device.state != DEVICE_RETIRED, KW_E_STATE, "device '%s' is retired", made->id);
    memcpy(device.secret_hash, made->secret_hash, sizeof(device.secret_hash));
    memset(device.secret_used_csr, 0, sizeof(device.secret_used_csr));
    device.secret_expires_ms = made->secret_expires_ms;
    device.secret_failures = 0;
    TRY(op, store_device_update(op, txn, &device));
    TRY(op, store_device_unbar(op, txn, change->event.object)); /* a new life begins */
    TRY(op, store_heartbeat_forget(op, txn, made->id));
    TRY(op, store_device_log_forget(op, txn, made->id));
    if (change->wipe.state == WIPE_ORDERED) { /* it was meant for the life before */
        TRY(op, wipe_end(op, txn, made->id, &change->wipe, WIPE_CANCELLED));
    }
    return service_record(op, change->service, txn, &change->event);
}

kw_status device_new_secret(struct kw_op *op, struct service *service, const char *id,
                            uint32_t hours, bool cmp, char secret[DEVICE_SECRET_TEXT])
{
    struct device_change change = {.service = service};

    ENSURE(op, KW_TEXT_SET(change.device.id, id), KW_E_NOT_FOUND, "no device '%.64s'", id);
    TRY(op, make_secret(op, service, hours, cmp, secret, &change.device));
    TRY(op, wipe_get(op, service, id, &change.wipe));
    name_object(&change, EVENT_DEVICE_REGISTER);
    (void)snprintf(change.event.detail, sizeof(change.event.detail), "new registration secret");
    return store_change(op, service->store, put_secret, &change);
}

/* --- out of use, and back --------------------------------------------------------------------- */

static kw_status retire(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    struct device_change *change = ctx;
    struct store_device device;

    TRY(op, store_device_get_txn(op, txn, change->device.id, &device), "device '%s'",
        change->device.id);
    change->device.state = device.state; /* as it was */
    if (device.state == DEVICE_RETIRED) {
        return KW_OK;
    }
    device.state = DEVICE_RETIRED;
    device.secret_expires_ms = 0;
    TRY(op, store_device_update(op, txn, &device));
    return service_record(op, change->service, txn, &change->event);
}

/* A retirement that was cut after its first step is finished by the next one. */
kw_status device_retire(struct kw_op *op, struct service *service, const char *id, int reason)
{
    struct device_change change = {.service = service};
    char owner[KW_NAME_MAX];
    unsigned n_revoked = 0;

    ENSURE(op, KW_TEXT_SET(change.device.id, id), KW_E_NOT_FOUND, "no device '%.64s'", id);
    name_object(&change, EVENT_DEVICE_RETIRE);
    TRY(op, store_change(op, service->store, retire, &change));
    object_write(OBJECT_DEVICE, id, owner);
    TRY(op, authority_revoke_all(op, service, owner, NULL, reason, &n_revoked));
    ENSURE(op, change.device.state != DEVICE_RETIRED || n_revoked > 0, KW_E_STATE,
           "device '%s' is retired already", id);
    return KW_OK;
}

static kw_status readmit(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    const struct device_change *change = ctx;
    struct store_device device;

    TRY(op, store_device_get_txn(op, txn, change->device.id, &device));
    ENSURE(op, device.state != DEVICE_RETIRED, KW_E_STATE, "device '%s' is retired", device.id);
    ENSURE(op, device.barred_ms != 0, KW_E_STATE, "device '%s' may enrol as it is", device.id);
    TRY(op, store_device_unbar(op, txn, change->event.object));
    return service_record(op, change->service, txn, &change->event);
}

kw_status device_readmit(struct kw_op *op, struct service *service, const char *id,
                         const char *reason)
{
    struct device_change change = {.service = service};

    ENSURE(op, KW_TEXT_SET(change.device.id, id), KW_E_NOT_FOUND, "no device '%.64s'", id);
    ENSURE(op, *reason && strlen(reason) < STORE_REASON_MAX, KW_E_INPUT,
           "it needs a reason of at most %d octets", STORE_REASON_MAX - 1);
    name_object(&change, EVENT_DEVICE_READMIT);
    KW_TEXT_SET(change.event.detail, reason);
    return store_change(op, service->store, readmit, &change);
}
