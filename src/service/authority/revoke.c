#include "service/authority/revoke.h"

#include <stdio.h>

#include "base/hex.h"
#include "base/time.h"
#include "os/clock.h"
#include "service/authorities.h"

struct revocation {
    struct service *service;
    const struct store_cert *cert;
    int reason;
    int64_t now_ms;
};

static bool is_compromise(int reason)
{
    return reason == REVOKE_KEY_COMPROMISE || reason == REVOKE_CA_COMPROMISE ||
           reason == REVOKE_AA_COMPROMISE;
}

/* The key goes with its certificate; a key that was destroyed meanwhile stays so. */
static kw_status retire_key(struct kw_op *op, struct store_txn *txn, const struct revocation *it)
{
    struct store_pubkey key;
    enum key_state next = KEY_STATE_MAX;
    enum key_event event = is_compromise(it->reason) ? KEY_EVENT_COMPROMISE : KEY_EVENT_DEACTIVATE;

    TRY(op, store_pubkey_get_txn(op, txn, it->cert->pubkey, &key));
    if (!kw_ok(key_step(key.state, event, &next))) {
        return KW_OK;
    }
    return store_pubkey_set_state(op, txn, key.id, next, it->now_ms);
}

static kw_status revoke_in(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    const struct revocation *it = ctx;
    const struct store_cert *cert = it->cert;
    char serial[2 * KW_SERIAL_MAX + 1];
    struct event event = {.type = EVENT_CERT_REVOKE, .unix_ms = it->now_ms};

    TRY(op, store_cert_set_state(op, txn, cert->row, CERT_STATE_REVOKED, it->now_ms / 1000,
                                 it->reason));
    TRY(op, retire_key(op, txn, it));
    kw_hex(KW_SPAN(cert->serial, cert->serial_len), serial, sizeof(serial));
    (void)snprintf(event.object, sizeof(event.object), "cert:%.48s/%.40s", cert->ca, serial);
    (void)snprintf(event.detail, sizeof(event.detail), "%.95s of %.95s, reason %s", cert->profile,
                   cert->owner, revoke_reason_text(it->reason));
    return service_record(op, it->service, txn, &event);
}

kw_status authority_revoke(struct kw_op *op, struct service *service, const struct store_cert *cert,
                           int reason)
{
    struct revocation it = {
        .service = service, .cert = cert, .reason = reason, .now_ms = os_clock_unix_ms()};
    char when[KW_TIME_TEXT];

    ENSURE(op, cert->state != CERT_STATE_REVOKED, KW_E_STATE, "it was revoked already at %s (%s)",
           kw_time_text(cert->revoked_s, when), revoke_reason_text(cert->reason));
    TRY(op, store_change(op, service->store, revoke_in, &it), "recording the revocation");
    return KW_OK;
}

static kw_status find_serial(struct kw_op *op, struct service *service, const char *ca,
                             const char *hex, struct store_cert *ret)
{
    uint8_t room[KW_SERIAL_MAX];
    struct kw_out serial = KW_OUT_ARRAY(room);

    ENSURE(op, kw_ok(kw_unhex_number(hex, &serial)), KW_E_INPUT,
           "'%s' is no serial number in hexadecimal", hex);
    return store_cert_by_serial(op, service->store, ca, kw_out_span(&serial), ret);
}

static kw_status find_serial_any(struct kw_op *op, struct service *service, const char *hex,
                                 struct store_cert *ret)
{
    AUTO(authorities) *all = service_authorities(service);

    for (unsigned i = 0; i < all->n; i++) {
        kw_status status = find_serial(op, service, all->at[i].id, hex, ret);
        if (status.code != KW_E_NOT_FOUND) {
            return status;
        }
        kw_op_clear(op);
    }
    return FAIL(op, KW_E_NOT_FOUND, "no certificate '%s'", hex);
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
        return find_serial_any(op, service, id, ret);
    }
    ENSURE(op, kw_ok(kw_unhex(id, &out)), KW_E_INPUT, "'%s' is no fingerprint in hexadecimal", id);
    return store_cert_by_fingerprint(op, service->store, fingerprint, ret);
}
