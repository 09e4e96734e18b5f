#include "service/registration/device.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/b64.h"
#include "base/hex.h"
#include "base/time.h"
#include "crypto/cert.h"
#include "model/object.h"
#include "os/clock.h"
#include "service/authority/revoke.h"
#include "service/fleet/events.h"
#include "service/fleet/heartbeat.h"
#include "service/fleet/wipe.h"
#include "service/quality/batch.h"
#include "service/registration/secret.h"
#include "service/revocation/revocation.h"
#include "store/device_event.h"
#include "store/heartbeat.h"
#include "store/registration.h"

/* The OID for hardwareModuleName where a product names none of its own: the arc for examples of RFC
 * 5612. */
static const char HW_TYPE_DEFAULT[] = "1.3.6.1.4.1.32473.1";
enum { ID_MAX = 64, SEEN_EVERY_MS = 30000 };

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
           "the hardware type must be an object identifier such as 1.3.6.1.4.1.32473.1");
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
    ENSURE(op, KW_TEXT_SET(ret->hw_type, request->hw_type ? request->hw_type : HW_TYPE_DEFAULT),
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

/* --- all certificates of one device
 * ------------------------------------------------------------------------------- */

/* Somebody else may revoke the same certificate at this moment: as good. */
static kw_status revoke_one(struct kw_op *op, struct service *service,
                            const struct store_cert *cert, int reason, unsigned *n_revoked)
{
    kw_status status = authority_revoke(op, service, cert, reason);

    if (status.code == KW_E_STATE) {
        kw_op_clear(op);
        return KW_OK;
    }
    TRY(op, status);
    (*n_revoked)++;
    return KW_OK;
}

/* Revoke every certificate of the owner that is in force. */
static kw_status revoke_all(struct kw_op *op, struct service *service, const char *owner,
                            int reason, unsigned *n_revoked)
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
        if (cert.state != CERT_STATE_REVOKED) {
            TRY(op, revoke_one(op, service, &cert, reason, n_revoked));
        }
    }
}

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
    TRY(op, revoke_all(op, service, owner, reason, &n_revoked));
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

/* --- signs of life ---------------------------------------------------------------------------- */

struct sign_of_life {
    struct device_change change;
    const struct device_hello *hello;
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

    TRY(op, store_device_get_txn(op, txn, it->change.device.id, &device));
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
    return news ? service_record(op, it->change.service, txn, &it->change.event) : KW_OK;
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
    bool same = kw_ok(store_device_says(op, it->change.service->store, id, before, &at_ms)) &&
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
    struct sign_of_life it = {.change = {.service = service}, .hello = hello};
    struct store_device *device = &it.change.device;

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
    name_object(&it.change, EVENT_DEVICE_HELLO);
    (void)snprintf(it.change.event.detail, sizeof(it.change.event.detail),
                   "agent %.90s, root of trust %.90s%s%.63s", hello->agent, it.root_of_trust,
                   *hello->firmware ? ", firmware " : "", hello->firmware);
    return store_change(op, service->store, note_hello, &it);
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

enum { CERTS_OF_KEY_MAX = 32 }; /* a key has one; those of the same request again are the same */

struct destruction {
    struct device_change change;
    uint8_t key[KW_HASH_BYTES];
    const struct device_receipt *receipt;
    unsigned n;
    int64_t rows[CERTS_OF_KEY_MAX]; /* its certificates */
};

static kw_status find_certs(struct kw_op *op, const char *owner, struct destruction *it)
{
    struct store_cert_filter filter = {.owner = owner};
    struct store_cert cert;
    unsigned n = 0;

    for (;;) {
        TRY(op, store_cert_list(op, it->change.service->store, &filter, 1, &cert, &n));
        if (n == 0) {
            return KW_OK;
        }
        filter.after_row = cert.row;
        if (memcmp(cert.pubkey, it->key, KW_HASH_BYTES) == 0) {
            ENSURE(op, it->n < CERTS_OF_KEY_MAX, KW_E_LIMIT, "the key has too many certificates");
            it->rows[it->n++] = cert.row;
        }
    }
}

static kw_status end_certs(struct kw_op *op, struct store_txn *txn, const struct destruction *it)
{
    const struct authority_deed deed = {.next = CERT_STATE_REVOKED,
                                        .reason = REVOKE_CESSATION_OF_OPERATION,
                                        .now_ms = os_clock_unix_ms()};
    struct store_cert_brief cert;

    for (unsigned i = 0; i < it->n; i++) {
        TRY(op, store_cert_brief_txn(op, txn, it->rows[i], &cert));
        if (cert.state != CERT_STATE_REVOKED) {
            TRY(op, authority_do(op, it->change.service, txn, &cert, &deed));
        }
    }
    return KW_OK;
}

/* An order is obeyed where the birth identity is gone, which goes last: who keeps that can have all
 * else again, and whoever took one key of a device could say that it was wiped. */
static kw_status end_wipe(struct kw_op *op, struct store_txn *txn, const struct destruction *it,
                          const struct store_pubkey *key)
{
    bool obeyed = it->change.wipe.state == WIPE_ORDERED && key->class_ == KEY_CLASS_DEVICE_IDEVID;

    return obeyed ? wipe_end(op, txn, it->change.device.id, &it->change.wipe, WIPE_DONE) : KW_OK;
}

/* The certificates end and the key's record goes to destroyed in one change: there is no moment at
 * which a certificate of a destroyed key is good. */
static kw_status destroy_key(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    struct destruction *it = ctx;
    struct store_pubkey key;
    enum key_state next = KEY_STATE_MAX;

    TRY(op, end_certs(op, txn, it));
    TRY(op, store_pubkey_get_txn(op, txn, it->key, &key));
    TRY(op, end_wipe(op, txn, it, &key));
    if (key.state == KEY_DESTROYED) {
        return KW_OK; /* the same receipt again */
    }
    TRY(op, key_step(key.state, KEY_EVENT_DESTROY, &next), "key is %s", key_state_text(key.state));
    TRY(op, store_pubkey_set_state(op, txn, key.id, next, os_clock_unix_ms()));
    if (key.class_ == KEY_CLASS_DEVICE_IDEVID) { /* without its birth identity it starts over */
        TRY(op, store_device_get_txn(op, txn, it->change.device.id, &it->change.device));
        if (it->change.device.state == DEVICE_ACTIVE) { /* who is suspended or retired stays so */
            it->change.device.state = DEVICE_REGISTERED;
            TRY(op, store_device_update(op, txn, &it->change.device));
        }
    }
    struct event *event = &it->change.event;
    event->type = EVENT_KEY_DESTROY;
    object_write(OBJECT_KEY, it->receipt->key_id, event->object);
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
    object_write(OBJECT_DEVICE, id, owner);
    KW_TEXT_SET(it.change.device.id, id);
    TRY(op, find_key(op, service, owner, it.key, &cert));
    TRY(op, verify_receipt(op, id, receipt, cert));
    TRY(op, find_certs(op, owner, &it));
    TRY(op, wipe_get(op, service, id, &it.change.wipe));
    return store_change(op, service->store, destroy_key, &it);
}
