/* What an entry of the log did to the store, done again. */
#include <stdio.h>
#include <stdlib.h>

#include "base/hex.h"
#include "base/time.h"
#include "model/object.h"
#include "service/authority/revoke.h"
#include "service/keys/root_crl.h"
#include "service/log/replay_internal.h"
#include "service/quality/batch.h"
#include "service/quality/blocklist.h"
#include "service/registration/device.h"
#include "service/registration/suspend.h"

/* --- what texts of events say ----------------------------------------------------------------- */

struct cert_name {
    char ca[KW_NAME_MAX];
    uint8_t serial[KW_SERIAL_MAX];
    size_t len;
};

/* "cert:CA/SERIAL" */
static bool read_cert_name(const char *object, struct cert_name *ret)
{
    const char *name = object_name(OBJECT_CERT, object), *slash = strchr(object, '/');
    struct kw_out serial = KW_OUT_ARRAY(ret->serial);

    if (!name || !slash ||
        snprintf(ret->ca, sizeof(ret->ca), "%.*s", (int)(slash - name), name) >=
            (int)sizeof(ret->ca) ||
        !kw_ok(kw_unhex(slash + 1, &serial))) {
        return false;
    }
    ret->len = serial.len;
    return serial.len > 0;
}

/* What stands between `before` and the next comma or the end. */
static bool read_part(const char *detail, const char *before, char *text, size_t cap)
{
    const char *at = strstr(detail, before);

    if (!at) {
        return false;
    }
    at += strlen(before);
    size_t n = strcspn(at, ",");
    return n > 0 && snprintf(text, cap, "%.*s", (int)n, at) < (int)cap;
}

static bool read_hash(const char *detail, const char *before, uint8_t ret[KW_HASH_BYTES])
{
    char text[2 * KW_HASH_BYTES + 1];
    struct kw_out out = {ret, KW_HASH_BYTES, 0};

    return read_part(detail, before, text, sizeof(text)) && kw_ok(kw_unhex(text, &out)) &&
           out.len == KW_HASH_BYTES;
}

/* Shard of the CA's lists. */
static bool read_list(const char *detail, uint32_t *ret)
{
    char text[8];
    char *end = NULL;

    if (!read_part(detail, ", list ", text, sizeof(text))) {
        return false;
    }
    *ret = (uint32_t)strtoul(text, &end, 10);
    return *end == 0;
}

/* "PROFILE for OWNER, key HEX, until TIME, certificate HEX, list N" (issue.c) */
static bool read_issuance(const struct event *event, struct store_cert *ret)
{
    struct cert_name name;
    char until[KW_TIME_TEXT];
    int64_t until_ms = 0;
    size_t n = strcspn(event->detail, " ");

    if (!read_cert_name(event->object, &name) || n == 0 || n >= sizeof(ret->profile) ||
        !read_part(event->detail, " for ", ret->owner, sizeof(ret->owner)) ||
        !read_hash(event->detail, ", key ", ret->pubkey) ||
        !read_hash(event->detail, ", certificate ", ret->fingerprint) ||
        !read_list(event->detail, &ret->shard) ||
        !read_part(event->detail, ", until ", until, sizeof(until)) ||
        !kw_ok(kw_time_parse(until, &until_ms))) {
        return false;
    }
    memcpy(ret->profile, event->detail, n);
    KW_TEXT_SET(ret->ca, name.ca);
    memcpy(ret->serial, name.serial, name.len);
    ret->serial_len = (uint32_t)name.len;
    ret->not_after = until_ms / 1000;
    return true;
}

/* --- effects ---------------------------------------------------------------------------------- */

static kw_status hold_key(struct kw_op *op, struct store_txn *txn, const struct replaying *it,
                          const struct store_cert *cert)
{
    const struct bound_profile *profile = NULL;
    struct store_pubkey key = {.state = KEY_ACTIVE, .alg = "unknown", .custody = "unknown"};

    memcpy(key.id, cert->pubkey, sizeof(key.id));
    KW_TEXT_SET(key.owner, cert->owner);
    KW_TEXT_SET(key.profile, cert->profile);
    if (kw_ok(service_profile(op, it->service, cert->profile, &profile))) {
        key.class_ = key_class_from_text(profile->data.key_class);
    }
    key.created_ms = key.state_ms = cert->issued_ms;
    kw_op_clear(op);
    kw_status status = store_pubkey_insert(op, txn, &key);
    if (status.code == KW_E_CONFLICT) { /* renewed with the same key */
        kw_op_clear(op);
        return KW_OK;
    }
    return status;
}

/* Who got a certificate has used the secret, if the store still has one open. */
static kw_status close_secret(struct kw_op *op, struct store_txn *txn, const char *owner)
{
    const char *id = object_name(OBJECT_DEVICE, owner);
    struct store_device device;

    if (!id) {
        return KW_OK;
    }
    kw_status status = store_device_get_txn(op, txn, id, &device);
    if (status.code == KW_E_NOT_FOUND) {
        kw_op_clear(op);
        return KW_OK;
    }
    TRY(op, status);
    device.secret_expires_ms = 0;
    if (device.state == DEVICE_REGISTERED) {
        device.state = DEVICE_ACTIVE;
    }
    return store_device_update(op, txn, &device);
}

static kw_status issued(struct kw_op *op, struct store_txn *txn, struct replaying *it,
                        const struct event *event)
{
    struct store_cert cert = {.state = CERT_STATE_HELD, .reason = REVOKE_CERTIFICATE_HOLD};
    struct store_cert known;

    ENSURE(op, read_issuance(event, &cert), KW_E_INTEGRITY,
           "the entry of '%.64s' does not say what was issued", event->object);
    kw_status status =
        store_cert_by_serial_txn(op, txn, cert.ca, KW_SPAN(cert.serial, cert.serial_len), &known);
    if (status.code != KW_E_NOT_FOUND) {
        return status;
    }
    kw_op_clear(op);
    cert.issued_ms = event->unix_ms;
    cert.not_before = cert.revoked_s = event->unix_ms / 1000;
    KW_TEXT_SET(cert.subject, "known from the log alone");
    TRY(op, hold_key(op, txn, it, &cert));
    TRY(op, store_cert_insert(op, txn, &cert));
    it->result.held++;
    return close_secret(op, txn, cert.owner);
}

static kw_status retire_key(struct kw_op *op, struct store_txn *txn, const uint8_t *id,
                            enum key_event event, int64_t at_ms)
{
    struct store_pubkey key;
    enum key_state next = KEY_STATE_MAX;
    kw_status status = store_pubkey_get_txn(op, txn, id, &key);

    if (status.code == KW_E_NOT_FOUND) {
        kw_op_clear(op);
        return KW_OK;
    }
    TRY(op, status);
    return kw_ok(key_step(key.state, event, &next))
               ? store_pubkey_set_state(op, txn, key.id, next, at_ms)
               : KW_OK;
}

/* What a revocation, hold or release leaves with its device. */
static kw_status tell_device(struct kw_op *op, struct store_txn *txn, const struct store_cert *cert,
                             const struct event *event, const struct authority_deed *deed)
{
    struct store_cert_brief brief = {.state = cert->state};
    struct authority_deed told = *deed;

    KW_TEXT_SET(brief.owner, cert->owner);
    told.now_ms = event->unix_ms;
    told.unconfirmed = strstr(event->detail, AUTHORITY_UNCONFIRMED) != NULL;
    return authority_bar_device(op, txn, &brief, &told);
}

/* "PROFILE of OWNER, reason REASON" (revoke.c) */
static kw_status revoked(struct kw_op *op, struct store_txn *txn, struct replaying *it,
                         const struct event *event)
{
    struct cert_name name;
    struct store_cert cert;
    char text[32] = "";
    int reason = -1;

    ENSURE(op, read_cert_name(event->object, &name), KW_E_INTEGRITY, "'%.64s' names no certificate",
           event->object);
    if (read_part(event->detail, ", reason ", text, sizeof(text))) {
        reason = revoke_reason_from_text(text);
    }
    TRY(op, store_cert_by_serial_txn(op, txn, name.ca, KW_SPAN(name.serial, name.len), &cert), "%s",
        event->object);
    if (cert.state == CERT_STATE_REVOKED) {
        return KW_OK;
    }
    TRY(op, store_cert_set_state(op, txn, cert.row, CERT_STATE_REVOKED, event->unix_ms / 1000,
                                 reason < 0 ? REVOKE_UNSPECIFIED : reason));
    TRY(op,
        tell_device(op, txn, &cert, event,
                    &(struct authority_deed){.next = CERT_STATE_REVOKED,
                                             .reason = reason < 0 ? REVOKE_UNSPECIFIED : reason}));
    bool stolen = reason == REVOKE_KEY_COMPROMISE || reason == REVOKE_CA_COMPROMISE;
    it->result.revoked++;
    return retire_key(op, txn, cert.pubkey, stolen ? KEY_EVENT_COMPROMISE : KEY_EVENT_DEACTIVATE,
                      event->unix_ms);
}

/* Holds and their ends, of what the store knows whole: what is known from the log alone is on hold
 * for ever. */
static kw_status held(struct kw_op *op, struct store_txn *txn, const struct event *event,
                      enum cert_state next)
{
    struct cert_name name;
    struct store_cert cert;

    ENSURE(op, read_cert_name(event->object, &name), KW_E_INTEGRITY, "'%.64s' names no certificate",
           event->object);
    TRY(op, store_cert_by_serial_txn(op, txn, name.ca, KW_SPAN(name.serial, name.len), &cert), "%s",
        event->object);
    bool hold = next == CERT_STATE_HELD;
    if (cert.state == CERT_STATE_REVOKED || cert.der_len == 0 ||
        (cert.state == CERT_STATE_HELD) == hold) {
        return KW_OK;
    }
    TRY(op, store_cert_set_state(op, txn, cert.row, next, hold ? event->unix_ms / 1000 : 0,
                                 hold ? REVOKE_CERTIFICATE_HOLD : 0));
    TRY(op, tell_device(op, txn, &cert, event,
                        &(struct authority_deed){.next = next, .reason = REVOKE_CERTIFICATE_HOLD}));
    return retire_key(op, txn, cert.pubkey, hold ? KEY_EVENT_SUSPEND : KEY_EVENT_ACTIVATE,
                      event->unix_ms);
}

static kw_status put_on_hold(struct kw_op *op, struct store_txn *txn, struct replaying *it,
                             const struct event *event)
{
    (void)it;
    return held(op, txn, event, CERT_STATE_HELD);
}

static kw_status released(struct kw_op *op, struct store_txn *txn, struct replaying *it,
                          const struct event *event)
{
    (void)it;
    return held(op, txn, event, CERT_STATE_VALID);
}

/* "product P, serial number S[, batch B]"; without them it is a new secret, which the log does not
 * hold. */
static kw_status registered(struct kw_op *op, struct store_txn *txn, struct replaying *it,
                            const struct event *event)
{
    struct store_device device = {.state = DEVICE_REGISTERED, .hw_type = DEVICE_HW_TYPE};
    const char *owner = event->object, *id = object_name(OBJECT_DEVICE, owner);

    if (!id || !read_part(event->detail, "serial number ", device.serial, sizeof(device.serial)) ||
        !read_part(event->detail, "product ", device.product, sizeof(device.product))) {
        TRY(op, store_device_unbar(op, txn, owner));
        return close_secret(op, txn, owner);
    }
    (void)read_part(event->detail, ", batch ", device.batch, sizeof(device.batch)); /* or none */
    KW_TEXT_SET(device.id, id);
    device.registered_ms = event->unix_ms;
    kw_status status = store_device_insert(op, txn, &device);
    if (status.code == KW_E_CONFLICT) {
        kw_op_clear(op);
        return KW_OK;
    }
    TRY(op, status);
    it->result.devices++;
    return batch_count_again(op, txn, device.batch);
}

static kw_status suspended(struct kw_op *op, struct store_txn *txn, struct replaying *it,
                           const struct event *event)
{
    (void)it;
    return device_suspend_again(op, txn, event);
}

static kw_status resumed(struct kw_op *op, struct store_txn *txn, struct replaying *it,
                         const struct event *event)
{
    (void)it;
    return device_resume_again(op, txn, event);
}

static kw_status readmitted(struct kw_op *op, struct store_txn *txn, struct replaying *it,
                            const struct event *event)
{
    (void)it;
    return store_device_unbar(op, txn, event->object);
}

static kw_status batch_told(struct kw_op *op, struct store_txn *txn, struct replaying *it,
                            const struct event *event)
{
    (void)it;
    return batch_again(op, txn, event);
}

static kw_status blocked(struct kw_op *op, struct store_txn *txn, struct replaying *it,
                         const struct event *event)
{
    return blocklist_again(op, txn, event, &it->result.blocked);
}

static kw_status retired(struct kw_op *op, struct store_txn *txn, struct replaying *it,
                         const struct event *event)
{
    const char *id = object_name(OBJECT_DEVICE, event->object);
    struct store_device device;

    ENSURE(op, id, KW_E_INTEGRITY, "'%.64s' is no device", event->object);
    TRY(op, store_device_get_txn(op, txn, id, &device), "%s", event->object);
    device.state = DEVICE_RETIRED;
    device.secret_expires_ms = 0;
    it->result.retired++;
    return store_device_update(op, txn, &device);
}

/* A device's key; the keeper's own are in the keeper, and destroyed there. */
static kw_status destroyed(struct kw_op *op, struct store_txn *txn, struct replaying *it,
                           const struct event *event)
{
    uint8_t id[KW_HASH_BYTES];

    if (strlen(event->object) != 4 + 2 * sizeof(id) || !read_hash(event->object, "key:", id)) {
        return KW_OK;
    }
    it->result.destroyed++;
    return retire_key(op, txn, id, KEY_EVENT_DESTROY, event->unix_ms);
}

/* "ca:CA", "CRL N with M entries"; NULL: something else. */
static const char *read_crl(const struct event *event, unsigned long long *ret_number)
{
    const char *ca = object_name(OBJECT_CA, event->object);

    if (!ca || strncmp(event->detail, "CRL ", 4) != 0) {
        return NULL;
    }
    *ret_number = strtoull(event->detail + 4, NULL, 10);
    return ca;
}

/* Of crl_maker.c: no number is used twice. */
static kw_status crl_signed(struct kw_op *op, struct store_txn *txn, struct replaying *it,
                            const struct event *event)
{
    char name[KW_NAME_MAX + 8], base[KW_NAME_MAX];
    unsigned long long number = 0;
    const char *ca = read_crl(event, &number);

    (void)it;
    if (!ca) {
        return KW_OK;
    }
    KW_TEXT_SET(base, ca);
    base[strcspn(base, ".")] = 0; /* "devices.2" counts with "devices" */
    (void)snprintf(name, sizeof(name), "crl:%s", base);
    return store_counter_raise(op, txn, name, number);
}

/* Of keys/root_crl.c: the list itself is not in the log. */
static kw_status root_crl_served(struct kw_op *op, struct store_txn *txn, struct replaying *it,
                                 const struct event *event)
{
    unsigned long long number = 0;
    const char *ca = read_crl(event, &number);

    (void)it;
    return ca ? root_crl_told(op, txn, ca, number) : KW_OK;
}

static const struct {
    enum event_type type;
    kw_status (*apply)(struct kw_op *op, struct store_txn *txn, struct replaying *it,
                       const struct event *event);
} effects[] = {
    {EVENT_CERT_ISSUE,       issued         },
    {EVENT_CERT_RENEW,       issued         },
    {EVENT_CERT_REVOKE,      revoked        },
    {EVENT_CERT_HOLD,        put_on_hold    },
    {EVENT_DEVICE_SUSPEND,   suspended      },
    {EVENT_DEVICE_RESUME,    resumed        },
    {EVENT_BATCH_OPEN,       batch_told     },
    {EVENT_BATCH_CLOSE,      batch_told     },
    {EVENT_BATCH_QUARANTINE, batch_told     },
    {EVENT_BATCH_RELEASE,    batch_told     },
    {EVENT_CERT_RELEASE,     released       },
    {EVENT_DEVICE_REGISTER,  registered     },
    {EVENT_DEVICE_RETIRE,    retired        },
    {EVENT_DEVICE_READMIT,   readmitted     },
    {EVENT_KEY_DESTROY,      destroyed      },
    {EVENT_KEY_BLOCK,        blocked        },
    {EVENT_CRL_SIGN,         crl_signed     },
    {EVENT_ROOT_CRL,         root_crl_served},
};

kw_status replay_effect(struct kw_op *op, struct store_txn *txn, struct replaying *it,
                        const struct event *event)
{
    for (unsigned i = 0; i < KW_COUNT(effects) && strcmp(event->result, "success") == 0; i++) {
        if (effects[i].type == event->type) {
            return effects[i].apply(op, txn, it, event);
        }
    }
    return KW_OK;
}
