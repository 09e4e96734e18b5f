#include "service/log/replay.h"

#include <stdio.h>
#include <stdlib.h>

#include "audit/export.h"
#include "base/hex.h"
#include "base/time.h"
#include "model/object.h"
#include "os/clock.h"
#include "service/authority/revoke.h"
#include "service/event_text.h"
#include "service/keys/root_crl.h"
#include "service/log/keys.h"
#include "service/log/log.h"
#include "service/quality/batch.h"
#include "service/quality/blocklist.h"
#include "service/registration/suspend.h"

enum { BATCH = 128, BATCH_DEADLINE_MS = 60000 };

/* One change of the store: some entries and their effects. */
struct batch {
    struct service *service;
    unsigned n;
    struct kw_bytes *entries[BATCH];
    struct replay_result now, before; /* counted by this run of the change, and until then */
};

static void batch_empty(struct batch *batch)
{
    for (unsigned i = 0; i < batch->n; i++) {
        kw_bytes_free(batch->entries[i]);
    }
    batch->n = 0;
}

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

static kw_status hold_key(struct kw_op *op, struct store_txn *txn, const struct batch *batch,
                          const struct store_cert *cert)
{
    const struct bound_profile *profile = NULL;
    struct store_pubkey key = {.state = KEY_ACTIVE, .alg = "unknown", .custody = "unknown"};

    memcpy(key.id, cert->pubkey, sizeof(key.id));
    KW_TEXT_SET(key.owner, cert->owner);
    KW_TEXT_SET(key.profile, cert->profile);
    if (kw_ok(service_profile(op, batch->service, cert->profile, &profile))) {
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

static kw_status issued(struct kw_op *op, struct store_txn *txn, struct batch *batch,
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
    TRY(op, hold_key(op, txn, batch, &cert));
    TRY(op, store_cert_insert(op, txn, &cert));
    batch->now.held++;
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
static kw_status revoked(struct kw_op *op, struct store_txn *txn, struct batch *batch,
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
    batch->now.revoked++;
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

static kw_status put_on_hold(struct kw_op *op, struct store_txn *txn, struct batch *batch,
                             const struct event *event)
{
    (void)batch;
    return held(op, txn, event, CERT_STATE_HELD);
}

static kw_status released(struct kw_op *op, struct store_txn *txn, struct batch *batch,
                          const struct event *event)
{
    (void)batch;
    return held(op, txn, event, CERT_STATE_VALID);
}

/* "product P, serial number S[, batch B]"; without them it is a new secret, which the log does not
 * hold. */
static kw_status registered(struct kw_op *op, struct store_txn *txn, struct batch *batch,
                            const struct event *event)
{
    struct store_device device = {.state = DEVICE_REGISTERED, .hw_type = "1.3.6.1.4.1.32473.1"};
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
    batch->now.devices++;
    return batch_count_again(op, txn, device.batch);
}

static kw_status suspended(struct kw_op *op, struct store_txn *txn, struct batch *batch,
                           const struct event *event)
{
    (void)batch;
    return device_suspend_again(op, txn, event);
}

static kw_status resumed(struct kw_op *op, struct store_txn *txn, struct batch *batch,
                         const struct event *event)
{
    (void)batch;
    return device_resume_again(op, txn, event);
}

static kw_status readmitted(struct kw_op *op, struct store_txn *txn, struct batch *batch,
                            const struct event *event)
{
    (void)batch;
    return store_device_unbar(op, txn, event->object);
}

static kw_status batch_told(struct kw_op *op, struct store_txn *txn, struct batch *batch,
                            const struct event *event)
{
    (void)batch;
    return batch_again(op, txn, event);
}

static kw_status blocked(struct kw_op *op, struct store_txn *txn, struct batch *batch,
                         const struct event *event)
{
    return blocklist_again(op, txn, event, &batch->now.blocked);
}

static kw_status retired(struct kw_op *op, struct store_txn *txn, struct batch *batch,
                         const struct event *event)
{
    const char *id = object_name(OBJECT_DEVICE, event->object);
    struct store_device device;

    ENSURE(op, id, KW_E_INTEGRITY, "'%.64s' is no device", event->object);
    TRY(op, store_device_get_txn(op, txn, id, &device), "%s", event->object);
    device.state = DEVICE_RETIRED;
    device.secret_expires_ms = 0;
    batch->now.retired++;
    return store_device_update(op, txn, &device);
}

/* A device's key; the keeper's own are in the keeper, and destroyed there. */
static kw_status destroyed(struct kw_op *op, struct store_txn *txn, struct batch *batch,
                           const struct event *event)
{
    uint8_t id[KW_HASH_BYTES];

    if (strlen(event->object) != 4 + 2 * sizeof(id) || !read_hash(event->object, "key:", id)) {
        return KW_OK;
    }
    batch->now.destroyed++;
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
static kw_status crl_signed(struct kw_op *op, struct store_txn *txn, struct batch *batch,
                            const struct event *event)
{
    char name[KW_NAME_MAX + 8], base[KW_NAME_MAX];
    unsigned long long number = 0;
    const char *ca = read_crl(event, &number);

    (void)batch;
    if (!ca) {
        return KW_OK;
    }
    KW_TEXT_SET(base, ca);
    base[strcspn(base, ".")] = 0; /* "devices.2" counts with "devices" */
    (void)snprintf(name, sizeof(name), "crl:%s", base);
    return store_counter_raise(op, txn, name, number);
}

/* Of keys/root_crl.c: the list itself is not in the log. */
static kw_status root_crl_served(struct kw_op *op, struct store_txn *txn, struct batch *batch,
                                 const struct event *event)
{
    unsigned long long number = 0;
    const char *ca = read_crl(event, &number);

    (void)batch;
    return ca ? root_crl_told(op, txn, ca, number) : KW_OK;
}

static const struct {
    enum event_type type;
    kw_status (*apply)(struct kw_op *op, struct store_txn *txn, struct batch *batch,
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

/* --- the whole -------------------------------------------------------------------------------- */

static kw_status apply(struct kw_op *op, struct store_txn *txn, struct batch *batch,
                       struct kw_span entry)
{
    struct event event;

    TRY(op, event_decode(op, entry, &event));
    for (unsigned i = 0; i < KW_COUNT(effects) && strcmp(event.result, "success") == 0; i++) {
        if (effects[i].type == event.type) {
            TRY(op, effects[i].apply(op, txn, batch, &event));
        }
    }
    batch->now.entries++;
    return store_log_append(op, txn, entry);
}

static kw_status apply_all(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    struct batch *batch = ctx;

    batch->now = batch->before; /* the change may be run again */
    for (unsigned i = 0; i < batch->n; i++) {
        TRY(op, apply(op, txn, batch, kw_bytes_span(batch->entries[i])), "entry %llu",
            (unsigned long long)(batch->before.entries + i));
    }
    return KW_OK;
}

static kw_status flush(struct kw_op *op, struct batch *batch)
{
    if (batch->n == 0) {
        return KW_OK;
    }
    op->deadline_ms = os_clock_mono_ms() + BATCH_DEADLINE_MS;
    TRY(op, store_change(op, batch->service->store, apply_all, batch));
    batch->before = batch->now;
    batch_empty(batch);
    return KW_OK;
}

static kw_status take(struct kw_op *op, void *ctx, uint64_t index, struct kw_span entry)
{
    struct batch *batch = ctx;

    (void)index;
    TRY(op, kw_bytes_copy(entry, &batch->entries[batch->n]));
    batch->n++;
    return batch->n == BATCH ? flush(op, batch) : KW_OK;
}

/* Is it ours, and more of it? */
static kw_status check(struct kw_op *op, struct service *service, const char *dir,
                       struct checkpoint *ret_now, struct checkpoint *ret_head)
{
    char folder[KW_PATH_BYTES];
    struct tlog_reader reader = {.read = export_tile_read, .ctx = folder};
    struct tlog_hash proof[TLOG_PROOF_MAX];
    struct export_result verified;
    char vkey[CHECKPOINT_VKEY_MAX];
    unsigned n = 0;

    ENSURE(op, KW_TEXT_SET(folder, dir), KW_E_INPUT, "the path is too long");
    TRY(op, log_vkey(op, service, vkey, sizeof(vkey)));
    TRY(op, export_verify(op, dir, vkey, &verified), "%s", dir);
    *ret_now = log_head_now(service);
    *ret_head = verified.head;
    ENSURE(op, strcmp(verified.head.origin, service->config.log_origin) == 0, KW_E_INTEGRITY,
           "%s holds the log of '%s'", dir, verified.head.origin);
    ENSURE(op, verified.head.size > ret_now->size, KW_E_CONFLICT,
           "%s has %llu entries, the store has %llu: nothing to replay", dir,
           (unsigned long long)verified.head.size, (unsigned long long)ret_now->size);
    if (ret_now->size == 0) {
        return KW_OK;
    }
    TRY(op, tlog_consistency(op, &reader, ret_now->size, verified.head.size, proof, &n));
    TRY(op,
        tlog_consistency_verify(ret_now->size, &ret_now->root, verified.head.size,
                                &verified.head.root, proof, n),
        "%s does not go on where the store ends", dir);
    return KW_OK;
}

static kw_status run(struct kw_op *op, const char *dir, const struct checkpoint *now,
                     const struct checkpoint *head, struct batch *batch)
{
    kw_status status = export_entries_each(op, dir, now->size, head->size, take, batch);

    if (kw_ok(status)) {
        status = flush(op, batch);
    }
    batch_empty(batch);
    return status;
}

kw_status log_replay(struct kw_op *op, struct service *service, const char *dir,
                     struct replay_result *ret)
{
    struct batch batch = {.service = service};
    struct checkpoint now, head;

    TRY(op, check(op, service, dir, &now, &head));
    atomic_store(&service->gap.open, false); /* what is appended now is what was signed */
    TRY(op, run(op, dir, &now, &head, &batch), "replaying %s", dir);
    op->deadline_ms = os_clock_mono_ms() + BATCH_DEADLINE_MS;
    TRY(op, log_confirm(op, service), "confirming the log");
    *ret = batch.before;
    ret->whole = !atomic_load(&service->gap.open);
    return KW_OK;
}
