#include "service/registration/receipt.h"

#include <stdio.h>

#include "base/b64.h"
#include "base/hex.h"
#include "crypto/cert.h"
#include "model/object.h"
#include "os/clock.h"
#include "service/authority/revoke.h"
#include "service/fleet/wipe.h"

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
    struct service *service;
    const char *id;         /* whose key it was */
    struct wipe_order wipe; /* that this ends */
    uint8_t key[KW_HASH_BYTES];
    const struct device_receipt *receipt;
    unsigned n;
    int64_t rows[CERTS_OF_KEY_MAX]; /* its certificates */
};

/* The public key comes from a certificate of this device: nothing but our own record says whose a
 * key is. */
static kw_status find_certs(struct kw_op *op, const char *owner, struct destruction *it,
                            struct cert **ret)
{
    struct store_cert_filter filter = {.owner = owner};
    struct store_cert cert;
    unsigned n = 0;

    for (;;) {
        TRY(op, store_cert_list(op, it->service->store, &filter, 1, &cert, &n));
        if (n == 0) {
            ENSURE(op, it->n > 0, KW_E_DENIED, "this key is not known as the device's");
            return KW_OK;
        }
        filter.after_row = cert.row;
        if (memcmp(cert.pubkey, it->key, KW_HASH_BYTES) != 0) {
            continue;
        }
        ENSURE(op, it->n < CERTS_OF_KEY_MAX, KW_E_LIMIT, "the key has too many certificates");
        it->rows[it->n++] = cert.row;
        if (!*ret) {
            TRY(op, cert_parse(op, KW_SPAN(cert.der, cert.der_len), ret));
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
            TRY(op, authority_do(op, it->service, txn, &cert, &deed));
        }
    }
    return KW_OK;
}

/* An order is obeyed where the birth identity is gone, which goes last: who keeps that can have all
 * else again, and whoever took one key of a device could say that it was wiped. */
static kw_status end_wipe(struct kw_op *op, struct store_txn *txn, const struct destruction *it,
                          const struct store_pubkey *key)
{
    bool obeyed = it->wipe.state == WIPE_ORDERED && key->class_ == KEY_CLASS_DEVICE_IDEVID;

    return obeyed ? wipe_end(op, txn, it->id, &it->wipe, WIPE_DONE) : KW_OK;
}

/* Without its birth identity; who is suspended or retired stays so. */
static kw_status start_over(struct kw_op *op, struct store_txn *txn, const char *id)
{
    struct store_device device;

    TRY(op, store_device_get_txn(op, txn, id, &device));
    if (device.state != DEVICE_ACTIVE) {
        return KW_OK;
    }
    device.state = DEVICE_REGISTERED;
    return store_device_update(op, txn, &device);
}

/* The receipt's signature says who did it, nobody else does. */
static kw_status record(struct kw_op *op, struct store_txn *txn, const struct destruction *it,
                        const char *owner)
{
    struct event event = {.type = EVENT_KEY_DESTROY};

    object_write(OBJECT_KEY, it->receipt->key_id, event.object);
    KW_TEXT_SET(event.actor, owner);
    (void)snprintf(event.detail, sizeof(event.detail), "signed: %.280s; read back: %.280s",
                   it->receipt->proof, it->receipt->readback);
    return service_record(op, it->service, txn, &event);
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
    if (key.class_ == KEY_CLASS_DEVICE_IDEVID) {
        TRY(op, start_over(op, txn, it->id));
    }
    return record(op, txn, it, key.owner);
}

kw_status device_take_receipt(struct kw_op *op, struct service *service, const char *id,
                              const struct device_receipt *receipt)
{
    struct destruction it = {.service = service, .id = id, .receipt = receipt};
    struct kw_out key = KW_OUT_ARRAY(it.key);
    char owner[KW_NAME_MAX];
    AUTO(cert) *cert = NULL;

    ENSURE(op, strcmp(receipt->action, "wipe") == 0, KW_E_INPUT, "a receipt of '%s' is not known",
           receipt->action);
    ENSURE(op, kw_ok(kw_unhex(receipt->key_id, &key)) && key.len == KW_HASH_BYTES, KW_E_INPUT,
           "key id is not a SHA-256 in hexadecimal");
    object_write(OBJECT_DEVICE, id, owner);
    TRY(op, find_certs(op, owner, &it, &cert));
    TRY(op, verify_receipt(op, id, receipt, cert));
    TRY(op, wipe_get(op, service, id, &it.wipe));
    return store_change(op, service->store, destroy_key, &it);
}
