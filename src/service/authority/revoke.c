#include "service/authority/revoke.h"

#include <stdio.h>

#include "base/hex.h"
#include "base/time.h"
#include "model/object.h"
#include "os/clock.h"

static bool is_compromise(int reason)
{
    return reason == REVOKE_KEY_COMPROMISE || reason == REVOKE_CA_COMPROMISE ||
           reason == REVOKE_AA_COMPROMISE;
}

/* --- one certificate, within a change --------------------------------------------------------- */

static enum key_event key_event_of(const struct authority_deed *deed)
{
    if (deed->next == CERT_STATE_HELD) {
        return KEY_EVENT_SUSPEND;
    }
    if (deed->next == CERT_STATE_VALID) {
        return KEY_EVENT_ACTIVATE;
    }
    return is_compromise(deed->reason) ? KEY_EVENT_COMPROMISE : KEY_EVENT_DEACTIVATE;
}

/* The key goes with its certificate; a key that was destroyed meanwhile stays so. */
static kw_status step_key(struct kw_op *op, struct store_txn *txn,
                          const struct store_cert_brief *cert, const struct authority_deed *deed)
{
    struct store_pubkey key;
    enum key_state next = KEY_STATE_MAX;

    TRY(op, store_pubkey_get_txn(op, txn, cert->pubkey, &key));
    if (!kw_ok(key_step(key.state, key_event_of(deed), &next))) {
        return KW_OK;
    }
    return store_pubkey_set_state(op, txn, key.id, next, deed->now_ms);
}

static kw_status check_deed(struct kw_op *op, const struct store_cert_brief *cert,
                            const struct authority_deed *deed)
{
    char when[KW_TIME_TEXT];

    ENSURE(op, cert->state != CERT_STATE_REVOKED, KW_E_STATE, "it was revoked already at %s",
           kw_time_text(cert->revoked_s, when));
    ENSURE(op, deed->next != CERT_STATE_HELD || cert->state != CERT_STATE_HELD, KW_E_STATE,
           "it is on hold since %s", kw_time_text(cert->revoked_s, when));
    if (deed->next == CERT_STATE_VALID) {
        ENSURE(op, cert->state == CERT_STATE_HELD, KW_E_STATE, "it is not on hold");
        ENSURE(op, cert->whole, KW_E_STATE,
               "it is known from the log alone (restore replay), and will never be good");
    }
    return KW_OK;
}

static kw_status record_deed(struct kw_op *op, struct service *service, struct store_txn *txn,
                             const struct store_cert_brief *cert, const struct authority_deed *deed)
{
    static const enum event_type types[] = {[CERT_STATE_VALID] = EVENT_CERT_RELEASE,
                                            [CERT_STATE_HELD] = EVENT_CERT_HOLD,
                                            [CERT_STATE_REVOKED] = EVENT_CERT_REVOKE};
    char plan[40] = "";
    const char *unconfirmed = deed->unconfirmed ? AUTHORITY_UNCONFIRMED : "";
    struct event event = {.type = types[deed->next], .unix_ms = deed->now_ms};

    if (deed->plan > 0) {
        (void)snprintf(plan, sizeof(plan), ", plan %lld", (long long)deed->plan);
    }
    object_write_cert(cert->ca, KW_SPAN(cert->serial, cert->serial_len), event.object);
    (void)snprintf(event.detail, sizeof(event.detail), "%.95s of %.95s, reason %s%s%s",
                   cert->profile, cert->owner, revoke_reason_text(deed->reason), plan, unconfirmed);
    return service_record(op, service, txn, &event);
}

/* The successor of what is superseded stands for its device, unless a key was taken. */
static bool bars(const struct store_cert_brief *cert, const struct authority_deed *deed)
{
    bool in_use = cert->state != CERT_STATE_SUPERSEDED || is_compromise(deed->reason);

    return deed->next != CERT_STATE_VALID && !deed->unconfirmed && in_use &&
           revoke_reason_bars(deed->reason);
}

kw_status authority_bar_device(struct kw_op *op, struct store_txn *txn,
                               const struct store_cert_brief *cert,
                               const struct authority_deed *deed)
{
    if (object_kind(cert->owner) != OBJECT_DEVICE) {
        return KW_OK;
    }
    if (bars(cert, deed)) {
        return store_device_bar(op, txn, cert->owner, deed->reason, deed->now_ms);
    }
    return cert->state == CERT_STATE_HELD ? store_device_unbar_held(op, txn, cert->owner) : KW_OK;
}

kw_status authority_do(struct kw_op *op, struct service *service, struct store_txn *txn,
                       const struct store_cert_brief *cert, const struct authority_deed *deed)
{
    bool release = deed->next == CERT_STATE_VALID;

    TRY(op, check_deed(op, cert, deed));
    TRY(op, store_cert_set_state(op, txn, cert->row, deed->next, release ? 0 : deed->now_ms / 1000,
                                 release ? 0 : deed->reason));
    TRY(op, authority_bar_device(op, txn, cert, deed));
    TRY(op, step_key(op, txn, cert, deed));
    return record_deed(op, service, txn, cert, deed);
}

/* --- one certificate, by an operator ---------------------------------------------------------- */

struct lone_deed {
    struct service *service;
    int64_t row;
    struct authority_deed deed;
};

/* Who takes the last operator's certificate back has nobody left who could issue another. */
static kw_status check_operators(struct kw_op *op, struct store_txn *txn,
                                 const struct store_cert_brief *cert,
                                 const struct authority_deed *deed)
{
    int64_t rows[2] = {0};
    unsigned n = 0;

    if (object_kind(cert->owner) != OBJECT_OPERATOR || cert->state != CERT_STATE_VALID) {
        return KW_OK;
    }
    TRY(op, store_operator_rows_txn(op, txn, deed->now_ms / 1000, 2, rows, &n));
    ENSURE(op, n != 1 || rows[0] != cert->row, KW_E_STATE,
           "it is the last operator's certificate: issue another one first (keywright cert issue "
           "--profile operator)");
    return KW_OK;
}

/* What was held with its device is released with it. */
static kw_status check_device(struct kw_op *op, struct store_txn *txn,
                              const struct store_cert_brief *cert,
                              const struct authority_deed *deed)
{
    const char *id = object_name(OBJECT_DEVICE, cert->owner);
    struct store_device device;

    if (deed->next != CERT_STATE_VALID || !id) {
        return KW_OK;
    }
    kw_status status = store_device_get_txn(op, txn, id, &device);
    if (status.code == KW_E_NOT_FOUND) {
        kw_op_clear(op);
        return KW_OK;
    }
    TRY(op, status);
    ENSURE(op, device.state != DEVICE_SUSPENDED, KW_E_STATE,
           "device '%s' is suspended, and its certificates with it: keywright device resume %s",
           device.id, device.id);
    return KW_OK;
}

static kw_status do_alone(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    const struct lone_deed *it = ctx;
    struct store_cert_brief cert;

    TRY(op, store_cert_brief_txn(op, txn, it->row, &cert));
    TRY(op, check_operators(op, txn, &cert, &it->deed));
    TRY(op, check_device(op, txn, &cert, &it->deed));
    return authority_do(op, it->service, txn, &cert, &it->deed);
}

static kw_status change_alone(struct kw_op *op, struct service *service,
                              const struct store_cert *cert, const struct authority_deed *deed)
{
    struct lone_deed it = {.service = service, .row = cert->row, .deed = *deed};

    it.deed.now_ms = os_clock_unix_ms();
    TRY(op, store_change(op, service->store, do_alone, &it), "recording the revocation");
    return KW_OK;
}

static kw_status revoke_alone(struct kw_op *op, struct service *service,
                              const struct store_cert *cert, const struct authority_deed *deed)
{
    char when[KW_TIME_TEXT];

    ENSURE(op, cert->state != CERT_STATE_REVOKED, KW_E_STATE, "it was revoked already at %s (%s)",
           kw_time_text(cert->revoked_s, when), revoke_reason_text(cert->reason));
    return change_alone(op, service, cert, deed);
}

kw_status authority_revoke(struct kw_op *op, struct service *service, const struct store_cert *cert,
                           int reason)
{
    return revoke_alone(op, service, cert,
                        &(struct authority_deed){.next = CERT_STATE_REVOKED, .reason = reason});
}

kw_status authority_revoke_still(struct kw_op *op, struct service *service,
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

kw_status authority_revoke_all(struct kw_op *op, struct service *service, const char *owner,
                               const uint8_t *key, int reason, unsigned *ret_n)
{
    struct store_cert_filter filter = {.owner = owner};
    struct store_cert cert;
    unsigned n = 0;

    *ret_n = 0;
    for (;;) {
        TRY(op, store_cert_list(op, service->store, &filter, 1, &cert, &n));
        if (n == 0) {
            return KW_OK;
        }
        filter.after_row = cert.row;
        bool meant = !key || memcmp(cert.pubkey, key, KW_HASH_BYTES) == 0;
        if (meant && cert.state != CERT_STATE_REVOKED) {
            TRY(op, authority_revoke_still(op, service, &cert, reason, ret_n));
        }
    }
}

kw_status authority_withdraw(struct kw_op *op, struct service *service,
                             const struct store_cert *cert)
{
    return revoke_alone(op, service, cert,
                        &(struct authority_deed){.next = CERT_STATE_REVOKED,
                                                 .reason = REVOKE_CESSATION_OF_OPERATION,
                                                 .unconfirmed = true});
}

kw_status authority_hold(struct kw_op *op, struct service *service, const struct store_cert *cert)
{
    return change_alone(
        op, service, cert,
        &(struct authority_deed){.next = CERT_STATE_HELD, .reason = REVOKE_CERTIFICATE_HOLD});
}

kw_status authority_release(struct kw_op *op, struct service *service,
                            const struct store_cert *cert)
{
    return change_alone(
        op, service, cert,
        &(struct authority_deed){.next = CERT_STATE_VALID, .reason = REVOKE_CERTIFICATE_HOLD});
}

/* --- finding ---------------------------------------------------------------------------------- */

static kw_status find_serial(struct kw_op *op, struct service *service, const char *ca,
                             const char *hex, struct store_cert *ret)
{
    uint8_t room[KW_SERIAL_MAX];
    struct kw_out serial = KW_OUT_ARRAY(room);

    ENSURE(op, kw_ok(kw_unhex_number(hex, &serial)), KW_E_INPUT,
           "'%s' is no serial number in hexadecimal", hex);
    return store_cert_by_serial(op, service->store, ca, kw_out_span(&serial), ret);
}

kw_status authority_find(struct kw_op *op, struct service *service, const char *id,
                         struct store_cert *ret)
{
    const char *slash = strchr(id, '/');
    char ca[KW_NAME_MAX];
    uint8_t fingerprint[KW_HASH_BYTES];
    struct kw_out out = KW_OUT_ARRAY(fingerprint);

    if (slash) {
        ENSURE(op, snprintf(ca, sizeof(ca), "%.*s", (int)(slash - id), id) < (int)sizeof(ca),
               KW_E_INPUT, "no CA has such a long name");
        return find_serial(op, service, ca, slash + 1, ret);
    }
    if (strlen(id) != 2 * (size_t)KW_HASH_BYTES) {
        return find_serial(op, service, /* ca= any */ NULL, id, ret);
    }
    ENSURE(op, kw_ok(kw_unhex(id, &out)), KW_E_INPUT, "'%s' is no fingerprint in hexadecimal", id);
    return store_cert_by_fingerprint(op, service->store, fingerprint, ret);
}
