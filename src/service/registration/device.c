#include "service/registration/device.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/b64.h"
#include "base/hex.h"
#include "base/time.h"
#include "crypto/cert.h"
#include "os/clock.h"
#include "service/authority/revoke.h"
#include "service/registration/secret.h"

/* The OID for hardwareModuleName where a product names none of its own: the arc for examples of RFC
 * 5612. */
static const char HW_TYPE_DEFAULT[] = "1.3.6.1.4.1.32473.1";
enum { ID_MAX = 64, SEEN_EVERY_MS = 30000 };

struct device_change {
    struct service *service;
    struct store_device device;
    struct event event;
};

static kw_status check_name(struct kw_op *op, const char *what, const char *text)
{
    size_t n = strlen(text);

    ENSURE(op, n > 0 && n <= ID_MAX, KW_E_INPUT, "%s must have 1 to %d characters", what, ID_MAX);
    for (size_t i = 0; i < n; i++) {
        ENSURE(op, isalnum((unsigned char)text[i]) || strchr("-_.:", text[i]), KW_E_INPUT,
               "%s may hold letters, digits and '-_.:' only", what);
    }
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
    TRY(op, check_name(op, "the device id", request->id));
    TRY(op, check_name(op, "the product", request->product));
    TRY(op, check_name(op, "the serial number", request->serial ? request->serial : request->id));
    ENSURE(op, !request->hw_type || is_oid(request->hw_type), KW_E_INPUT,
           "the hardware type must be an object identifier such as 1.3.6.1.4.1.32473.1");
    return KW_OK;
}

static kw_status insert_device(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    struct device_change *change = ctx;

    kw_status status = store_device_insert(op, txn, &change->device);
    if (status.code == KW_E_CONFLICT) {
        kw_op_clear(op);
        return FAIL(op, KW_E_CONFLICT, "device '%s' or its serial number was registered before",
                    change->device.id);
    }
    TRY(op, status);
    return service_record(op, change->service, txn, &change->event);
}

static kw_status update_device(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    struct device_change *change = ctx;

    TRY(op, store_device_update(op, txn, &change->device));
    return change->event.object[0] ? service_record(op, change->service, txn, &change->event)
                                   : KW_OK;
}

static void name_object(struct device_change *change, enum event_type type)
{
    change->event.type = type;
    (void)snprintf(change->event.object, sizeof(change->event.object), "device:%.80s",
                   change->device.id);
}

kw_status device_register(struct kw_op *op, struct service *service,
                          const struct device_request *request, char secret[DEVICE_SECRET_TEXT])
{
    struct device_change change = {.service = service, .device = {.state = DEVICE_REGISTERED}};
    struct store_device *device = &change.device;

    TRY(op, check_request(op, request));
    KW_TEXT_SET(device->id, request->id);
    KW_TEXT_SET(device->product, request->product);
    KW_TEXT_SET(device->serial, request->serial ? request->serial : request->id);
    ENSURE(op, KW_TEXT_SET(device->hw_type, request->hw_type ? request->hw_type : HW_TYPE_DEFAULT),
           KW_E_INPUT, "the hardware type is too long");
    device->registered_ms = os_clock_unix_ms();
    TRY(op, secret_make(op, device->registered_ms, request->secret_hours, secret, device));
    name_object(&change, EVENT_DEVICE_REGISTER);
    (void)snprintf(change.event.detail, sizeof(change.event.detail),
                   "product %.80s, serial number %.80s", device->product, device->serial);
    return store_change(op, service->store, insert_device, &change);
}

kw_status device_new_secret(struct kw_op *op, struct service *service, const char *id,
                            uint32_t hours, char secret[DEVICE_SECRET_TEXT])
{
    struct device_change change = {.service = service};

    TRY(op, store_device_get(op, service->store, id, &change.device), "device '%s'", id);
    ENSURE(op, change.device.state != DEVICE_RETIRED, KW_E_STATE, "device '%s' is retired", id);
    TRY(op, secret_make(op, os_clock_unix_ms(), hours, secret, &change.device));
    name_object(&change, EVENT_DEVICE_REGISTER);
    (void)snprintf(change.event.detail, sizeof(change.event.detail), "new registration secret");
    return store_change(op, service->store, update_device, &change);
}

/* --- all certificates of one device
 * ------------------------------------------------------------------------------- */

/* Revoke every certificate of the owner that is in force; of one key only where `key` is given. */
static kw_status revoke_all(struct kw_op *op, struct service *service, const char *owner,
                            const uint8_t *key, int reason)
{
    struct store_cert_filter filter = {.owner = owner};
    struct store_cert cert;
    unsigned n = 0;

    for (;;) {
        TRY(op, store_cert_list(op, service->store, &filter, 1, &cert, &n));
        if (n == 0) {
            return KW_OK;
        }
        filter.after_row = cert.row;
        bool concerned = !key || memcmp(cert.pubkey, key, KW_HASH_BYTES) == 0;
        if (concerned && cert.state != CERT_STATE_REVOKED) {
            TRY(op, authority_revoke(op, service, &cert, reason));
        }
    }
}

kw_status device_retire(struct kw_op *op, struct service *service, const char *id, int reason)
{
    struct device_change change = {.service = service};
    char owner[KW_NAME_MAX];

    TRY(op, store_device_get(op, service->store, id, &change.device), "device '%s'", id);
    ENSURE(op, change.device.state != DEVICE_RETIRED, KW_E_STATE, "device '%s' is retired already",
           id);
    change.device.state = DEVICE_RETIRED;
    change.device.secret_expires_ms = 0;
    name_object(&change, EVENT_DEVICE_RETIRE);
    TRY(op, store_change(op, service->store, update_device, &change));
    (void)snprintf(owner, sizeof(owner), "device:%.80s", id);
    return revoke_all(op, service, owner, NULL, reason);
}

/* --- signs of life ---------------------------------------------------------------------------- */

/* A stand-in for hardware says so wherever it is shown, so the word goes into the record. */
static void name_root_of_trust(const struct device_hello *hello, char text[KW_NAME_MAX])
{
    (void)snprintf(text, KW_NAME_MAX, "%.80s%s", hello->root_of_trust,
                   hello->simulated ? " SIMULATED" : "");
}

kw_status device_seen(struct kw_op *op, struct service *service, const char *id,
                      const struct device_hello *hello)
{
    struct device_change change = {.service = service};
    struct store_device *device = &change.device;
    int64_t now_ms = os_clock_unix_ms();
    char root_of_trust[KW_NAME_MAX];

    TRY(op, store_device_get(op, service->store, id, device), "device '%s'", id);
    name_root_of_trust(hello, root_of_trust);
    bool same = strcmp(device->agent, hello->agent) == 0 &&
                strcmp(device->root_of_trust, root_of_trust) == 0;
    if (same && now_ms - device->last_seen_ms < SEEN_EVERY_MS) {
        return KW_OK;
    }
    if (!same) {
        name_object(&change, EVENT_DEVICE_HELLO);
        (void)snprintf(change.event.detail, sizeof(change.event.detail),
                       "agent %.90s, root of trust %.90s", hello->agent, root_of_trust);
    }
    device->last_seen_ms = now_ms;
    KW_TEXT_SET(device->agent, hello->agent);
    KW_TEXT_SET(device->root_of_trust, root_of_trust);
    device->simulated = hello->simulated;
    return store_change(op, service->store, update_device, &change);
}

/* --- receipts of destruction
 * -------------------------------------------------------------------------------------- */

/* The public key comes from a certificate of this device: nothing but our own record says whose a
 * key is. */
static kw_status find_key(struct kw_op *op, struct service *service, const char *owner,
                          const uint8_t *key, struct cert **ret)
{
    struct store_cert_filter filter = {.owner = owner};
    struct store_cert cert;
    unsigned n = 0;

    for (;;) {
        TRY(op, store_cert_list(op, service->store, &filter, 1, &cert, &n));
        ENSURE(op, n == 1, KW_E_DENIED, "this key is not known as the device's");
        filter.after_row = cert.row;
        if (memcmp(cert.pubkey, key, KW_HASH_BYTES) == 0) {
            return cert_parse(op, KW_SPAN(cert.der, cert.der_len), ret);
        }
    }
}

static kw_status verify_receipt(struct kw_op *op, const char *id,
                                const struct device_receipt *receipt, const struct cert *cert)
{
    AUTO(kw_bytes) *text = NULL;
    AUTO(kw_bytes) *signature = NULL;

    TRY(op, kw_bytes_new(1024, &text));
    TRY(op, device_receipt_text(id, receipt, text));
    TRY(op, kw_b64_decode(kw_span_text(receipt->signature), KW_SIG_MAX, &signature),
        "signature of the receipt");
    TRY(op, pubkey_verify(op, cert_public(cert), kw_bytes_span(text), kw_bytes_span(signature)),
        "receipt");
    return KW_OK;
}

struct destruction {
    struct device_change change;
    uint8_t key[KW_HASH_BYTES];
    const struct device_receipt *receipt;
};

static kw_status destroy_key(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    struct destruction *it = ctx;
    struct store_pubkey key;
    enum key_state next;

    TRY(op, store_pubkey_get_txn(op, txn, it->key, &key));
    if (key.state == KEY_DESTROYED) {
        return KW_OK; /* the same receipt again */
    }
    TRY(op, key_step(key.state, KEY_EVENT_DESTROY, &next), "key is %s", key_state_text(key.state));
    TRY(op, store_pubkey_set_state(op, txn, key.id, next, os_clock_unix_ms()));
    if (key.class_ == KEY_CLASS_DEVICE_IDEVID) { /* without its birth identity it starts over */
        TRY(op, store_device_get_txn(op, txn, it->change.device.id, &it->change.device));
        it->change.device.state =
            it->change.device.state == DEVICE_RETIRED ? DEVICE_RETIRED : DEVICE_REGISTERED;
        TRY(op, store_device_update(op, txn, &it->change.device));
    }
    struct event *event = &it->change.event;
    event->type = EVENT_KEY_DESTROY;
    (void)snprintf(event->object, sizeof(event->object), "key:%.64s", it->receipt->key_id);
    KW_TEXT_SET(event->actor, key.owner); /* the receipt's signature says so, nobody else does */
    (void)snprintf(event->detail, sizeof(event->detail), "signed: %.280s; read back: %.280s",
                   it->receipt->proof, it->receipt->readback);
    return service_record(op, it->change.service, txn, event);
}

kw_status device_take_receipt(struct kw_op *op, struct service *service, const char *id,
                              const struct device_receipt *receipt)
{
    struct destruction it = {.change = {.service = service}, .receipt = receipt};
    struct kw_out key = KW_OUT_ARRAY(it.key);
    char owner[KW_NAME_MAX];
    AUTO(cert) *cert = NULL;

    ENSURE(op, strcmp(receipt->action, "wipe") == 0, KW_E_INPUT, "a receipt of '%s' is not known",
           receipt->action);
    ENSURE(op, kw_ok(kw_unhex(receipt->key_id, &key)) && key.len == KW_HASH_BYTES, KW_E_INPUT,
           "key id is not a SHA-256 in hexadecimal");
    (void)snprintf(owner, sizeof(owner), "device:%.80s", id);
    KW_TEXT_SET(it.change.device.id, id);
    TRY(op, find_key(op, service, owner, it.key, &cert));
    TRY(op, verify_receipt(op, id, receipt, cert));
    TRY(op, revoke_all(op, service, owner, it.key, REVOKE_CESSATION_OF_OPERATION));
    return store_change(op, service->store, destroy_key, &it);
}
