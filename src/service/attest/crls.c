/* What makers of TPMs took back. */
#include <stdio.h>
#include <stdlib.h>

#include "os/clock.h"
#include "service/attest/attest_internal.h"

struct taking {
    struct service *service;
    struct kw_span der;
    struct ek_crl crl;
    struct store_ek_crl *row;
    unsigned n_failed;
};

static kw_status put_one(struct kw_op *op, void *ctx, const uint8_t issuer[KW_HASH_BYTES],
                         struct kw_span serial)
{
    return store_ek_revoked_put(op, ctx, issuer, serial);
}

/* Devices that are bound to what was taken back: rare, so one by one. */
static kw_status fail_devices(struct kw_op *op, struct store_txn *txn, struct taking *it)
{
    char device[KW_NAME_MAX] = "", next[KW_NAME_MAX];
    struct store_attest row;

    for (;;) {
        TRY(op, store_ek_revoked_device(op, txn, it->row->issuer, device, next));
        if (!*next) {
            return KW_OK;
        }
        KW_TEXT_SET(device, next);
        TRY(op, store_attest_get_txn(op, txn, device, &row));
        TRY(op,
            attest_settle(op, it->service, txn, &row, ATTEST_R_EK_REVOKED, "", os_clock_unix_ms()));
        it->n_failed++;
    }
}

static kw_status take(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    struct taking *it = ctx;
    struct event event = {.type = EVENT_ATTEST_ROOTS};

    it->n_failed = 0;
    TRY(op, store_ek_crl_put(op, txn, it->row));
    TRY(op, ek_crl_each(op, it->der, &it->crl, put_one, txn));
    TRY(op, fail_devices(op, txn, it));
    (void)snprintf(event.object, sizeof(event.object), "ek-crl:%.80s", it->row->name);
    (void)snprintf(event.detail, sizeof(event.detail), "%u taken back; %u devices here failed",
                   it->row->n, it->n_failed);
    return service_record(op, it->service, txn, &event);
}

static kw_status read_crl(struct kw_op *op, struct service *service, struct taking *it)
{
    struct kw_span cas[ATTEST_CAS_MAX];
    struct attest_cas *all = calloc(1, sizeof(*all));

    ENSURE(op, all, KW_E_MEMORY, "no memory for the EK roots");
    kw_status status =
        store_attest_root_list(op, service->store, NULL, ATTEST_CAS_MAX, all->at, &all->n);
    if (kw_ok(status)) {
        status = ek_crl_read(op, it->der, cas, attest_cas_certs(all, cas), &it->crl);
    }
    free(all);
    return status;
}

kw_status attest_crl_add(struct kw_op *op, struct service *service, struct kw_span der,
                         struct store_ek_crl *ret, unsigned *ret_failed)
{
    struct taking it = {.service = service, .der = der, .row = ret};

    TRY(op, read_crl(op, service, &it));
    *ret = (struct store_ek_crl){.this_update = it.crl.this_update,
                                 .next_update = it.crl.next_update,
                                 .n = it.crl.n,
                                 .added_ms = os_clock_unix_ms()};
    memcpy(ret->issuer, it.crl.issuer, sizeof(ret->issuer));
    (void)snprintf(ret->name, sizeof(ret->name), "%.190s", it.crl.name);
    TRY(op, store_change(op, service->store, take, &it));
    *ret_failed = it.n_failed;
    return KW_OK;
}
