/* What time ends: certificates that nobody confirmed, answers that nobody asks for again. */
#include "service/cmp/cmp.h"
#include "service/cmp/serving.h"

enum { AT_ONCE = 16 };

struct found {
    const struct store_cmp *transaction;
    struct store_cert *ret;
};

static kw_status find_by_request(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    const struct found *found = ctx;

    return store_cert_by_csr_txn(op, txn, found->transaction->owner, found->transaction->asked,
                                 found->ret);
}

/* Begun and not answered: the server ended in between, with or without a certificate. */
static kw_status find_cert(struct kw_op *op, struct service *service,
                           const struct store_cmp *transaction, struct store_cert *ret)
{
    struct found found = {.transaction = transaction, .ret = ret};

    if (transaction->state == STORE_CMP_UNCONFIRMED) {
        return cmp_cert_by_row(op, service, transaction->cert, ret);
    }
    return store_change(op, service->store, find_by_request, &found);
}

static bool may_have_cert(const struct store_cmp *transaction)
{
    return transaction->state == STORE_CMP_UNCONFIRMED ||
           (transaction->state == STORE_CMP_BEGUN && transaction->type != CMP_RR);
}

/* Another transaction brought the same certificate, as the peer asked again when no answer came:
 * whether it is wanted is said there. */
static kw_status is_alone(struct kw_op *op, struct service *service,
                          const struct store_cmp *transaction, bool *ret)
{
    uint64_t n = 0;

    TRY(op, store_cmp_others(op, service->store, transaction, &n));
    *ret = n == 0;
    return KW_OK;
}

static kw_status settle_one(struct kw_op *op, struct service *service,
                            const struct store_cmp *transaction)
{
    struct store_cert cert;
    bool alone = false;

    TRY(op, is_alone(op, service, transaction, &alone));
    if (alone && may_have_cert(transaction)) {
        kw_status status = find_cert(op, service, transaction, &cert);
        if (kw_ok(status)) {
            TRY(op, cmp_withdraw(op, service, &cert), "a certificate that was not confirmed");
        } else if (status.code != KW_E_NOT_FOUND) {
            return status;
        }
        kw_op_clear(op);
    }
    return cmp_transaction_end(op, service, transaction);
}

kw_status cmp_settle(struct kw_op *op, struct service *service, int64_t now_ms)
{
    struct store_cmp due[AT_ONCE];
    unsigned n = 0;
    kw_status first = KW_OK;

    TRY(op, store_cmp_due(op, service->store, now_ms, AT_ONCE, due, &n));
    for (unsigned i = 0; i < n; i++) {
        struct kw_op own;
        kw_op_init(&own, op->principal, op->deadline_ms);
        kw_status status = settle_one(kw_ok(first) ? op : &own, service, &due[i]);
        first = kw_ok(first) ? status : first;
    }
    return first;
}
