/* What a batch changed in the standing of certificates and devices, told once it is durable. */
#include "store/store_internal.h"

enum { NOTICES_KEPT = 1024 }; /* room that stays between batches */

/* NULL: no memory; the change cannot succeed, for whoever listens must not miss it. */
static struct store_notice *add(struct store_txn *txn)
{
    struct notice_buffer *notices = &txn->notices;

    if (notices->n == notices->cap) {
        unsigned cap = notices->cap ? 2 * notices->cap : 64;
        struct store_notice *at = realloc(notices->at, cap * sizeof(*at));
        if (!at) {
            txn->spoilt = KW_FAIL(KW_E_MEMORY);
            return NULL;
        }
        notices->at = at;
        notices->cap = cap;
    }
    struct store_notice *notice = &notices->at[notices->n++];
    memset(notice, 0, sizeof(*notice));
    return notice;
}

kw_status notice_cert(struct kw_op *op, struct store_txn *txn, const struct store_cert *cert,
                      enum cert_state before)
{
    struct store_notice *notice = add(txn);

    ENSURE(op, notice, KW_E_MEMORY, "no memory for a change");
    notice->what = STORE_NOTICE_CERT;
    notice->before = before;
    notice->state = cert->state;
    notice->reason = cert->reason;
    notice->revoked_s = cert->revoked_s;
    notice->not_after = cert->not_after;
    notice->shard = cert->shard;
    memcpy(notice->serial, cert->serial, cert->serial_len);
    notice->serial_len = cert->serial_len;
    KW_TEXT_SET(notice->ca, cert->ca);
    KW_TEXT_SET(notice->owner, cert->owner);
    KW_TEXT_SET(notice->profile, cert->profile);
    return KW_OK;
}

kw_status notice_device(struct kw_op *op, struct store_txn *txn, const struct store_device *device)
{
    struct store_notice *notice = add(txn);

    ENSURE(op, notice, KW_E_MEMORY, "no memory for a change");
    notice->what = STORE_NOTICE_DEVICE;
    notice->device = device->state;
    notice->last_seen_ms = device->last_seen_ms;
    return names_device_owner(op, device->id, notice->owner);
}

void notice_buffer_cut(struct notice_buffer *notices, unsigned n)
{
    notices->n = n;
    if (n == 0 && notices->cap > NOTICES_KEPT) {
        notice_buffer_free(notices);
    }
}

void notice_buffer_free(struct notice_buffer *notices)
{
    free(notices->at);
    *notices = (struct notice_buffer){0};
}
