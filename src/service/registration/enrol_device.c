/* Whom an enrolment is for: the one who asks, or the one that a station's request names. */
#include "crypto/dn.h"
#include "model/object.h"
#include "service/registration/enrol_internal.h"
#include "service/registration/station.h"

/* "station:LINE1" → "LINE1" */
static const char *station_of(const struct enrolment *it)
{
    return object_name(OBJECT_STATION, it->asker->via);
}

/* A name in the request; "" where it has none. */
static kw_status name_in(struct kw_op *op, struct kw_span subject, const char *type, char *text,
                         size_t cap)
{
    text[0] = '\0';
    if (subject.len == 0) {
        return KW_OK;
    }
    kw_status status = dn_get(op, subject, type, text, cap);
    if (status.code == KW_E_NOT_FOUND) {
        kw_op_clear(op);
        return KW_OK;
    }
    return status;
}

static kw_status find_named(struct kw_op *op, struct enrolment *it)
{
    char id[KW_NAME_MAX], serial[KW_NAME_MAX];
    struct kw_span subject = it->request->subject;
    struct store *store = it->service->store;

    TRY(op, name_in(op, subject, "CN", id, sizeof(id)), "subject of the request");
    TRY(op, name_in(op, subject, "serialNumber", serial, sizeof(serial)), "subject of the request");
    ENSURE(op, *id || *serial, KW_E_INPUT,
           "a station's request names the device: its id as CN or its serialNumber");
    if (!*id) {
        TRY(op, store_station_device(op, store, station_of(it), serial, id));
    }
    return store_device_get(op, store, id, &it->device);
}

/* Whether there is a device of another product is not a station's to know. */
static kw_status find_vouched(struct kw_op *op, struct enrolment *it)
{
    bool may = false;

    ENSURE(op, station_of(it), KW_E_DENIED, "'%s' is no station", it->asker->via);
    kw_status status = find_named(op, it);
    if (kw_ok(status)) {
        TRY(op,
            store_station_may(op, it->service->store, station_of(it), it->device.product, &may));
    } else if (status.code != KW_E_NOT_FOUND) {
        return status;
    }
    kw_op_clear(op);
    ENSURE(op, may, KW_E_DENIED, "station '%s' may not enrol such a device", station_of(it));
    return KW_OK;
}

kw_status enrol_find_device(struct kw_op *op, struct enrolment *it)
{
    if (enrol_is_vouched(it)) {
        return find_vouched(op, it);
    }
    kw_status status = store_device_get(op, it->service->store, it->asker->device_id, &it->device);
    if (status.code == KW_E_NOT_FOUND) {
        /* the same words as for a wrong secret: who exists is not told */
        kw_op_clear(op);
        return FAIL(op, KW_E_AUTH, "device id or registration secret is wrong");
    }
    return status;
}

/* Still open, or spent on this very request. */
static bool is_registration_open(const struct enrolment *it, const struct store_device *device)
{
    static const uint8_t unused[KW_HASH_BYTES];
    const uint8_t *used = device->secret_used_csr;

    return it->now_ms <= device->secret_expires_ms &&
           (memcmp(used, unused, KW_HASH_BYTES) == 0 ||
            memcmp(used, it->request->sha256, KW_HASH_BYTES) == 0);
}

/*
 * The station's word stands in for the registration secret, but a device is born once: for a device
 * that has its identity an operator must have opened another registration (`device secret`).
 * Otherwise one stolen station could take the place of every device that ever passed it.
 */
kw_status enrol_check_birth(struct kw_op *op, const struct enrolment *it,
                            const struct store_device *device)
{
    bool is_birth = strcmp(it->profile->data.enrol, "secret") == 0;

    ENSURE(op,
           !enrol_is_vouched(it) || !is_birth || device->state == DEVICE_REGISTERED ||
               is_registration_open(it, device),
           KW_E_STATE, "device '%s' has its first identity; have a new registration secret made",
           device->id);
    return KW_OK;
}

kw_status enrol_admit_station(struct kw_op *op, struct store_txn *txn, const struct enrolment *it)
{
    bool may = false;

    TRY(op, store_station_may_txn(op, txn, station_of(it), it->device.product, &may));
    ENSURE(op, may, KW_E_DENIED, "station '%s' may not enrol such a device", station_of(it));
    return KW_OK;
}
