/* Transactions: one live one an id, of one owner, under one protection. */
#include "service/cmp/serving.h"

#include "service/authority/revoke.h"

static void protector_of(const struct serving *it, uint8_t ret[KW_HASH_BYTES])
{
    memset(ret, 0, KW_HASH_BYTES);
    if (it->cert) {
        memcpy(ret, cert_sha256(it->cert), KW_HASH_BYTES);
    }
}

static bool is_same_asker(const struct serving *it, const struct store_cmp *transaction)
{
    uint8_t protector[KW_HASH_BYTES];

    protector_of(it, protector);
    return strcmp(it->owner, transaction->owner) == 0 &&
           memcmp(protector, transaction->protector, sizeof(protector)) == 0;
}

kw_status cmp_transaction_find(struct kw_op *op, struct serving *it, struct kw_bytes **ret_request)
{
    struct store_cmp found;

    it->fail = CMP_BAD_REQUEST;
    TRY(op,
        store_cmp_get(op, it->service->store, it->message.transaction_id, &found, ret_request,
                      NULL),
        "this message goes on with a transaction that is not there, or was ended by time");
    it->fail = CMP_WRONG_INTEGRITY;
    ENSURE(op, is_same_asker(it, &found), KW_E_DENIED,
           "the transaction was begun by another, or under another protection");
    it->fail = CMP_BAD_RECIPIENT_NONCE;
    ENSURE(op, kw_span_equal(it->message.recip_nonce, KW_SPAN_ARRAY(found.nonce)), KW_E_INPUT,
           "recipNonce is not the senderNonce of the last answer");
    it->transaction = found;
    return KW_OK;
}

/* --- beginning ----------------------------------------------------------------------------------
 */

struct beginning {
    struct serving *it;
    struct kw_span request;
};

static kw_status insert(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    const struct beginning *beginning = ctx;

    return store_cmp_begin(op, txn, &beginning->it->transaction, beginning->request);
}

static kw_status check_room(struct kw_op *op, struct serving *it)
{
    uint64_t of_owner = 0, all = 0;
    unsigned max = *it->device_id ? CMP_OWN_MAX : CMP_STATION_MAX;

    it->fail = CMP_SYSTEM_UNAVAIL;
    TRY(op, store_cmp_count(op, it->service->store, it->owner, &of_owner, &all));
    ENSURE(op, of_owner < max, KW_E_LIMIT,
           "'%s' has %u transactions within %d minutes: wait for them to end", it->owner, max,
           CMP_KEEP_S / 60);
    ENSURE(op, all < CMP_ALL_MAX, KW_E_LIMIT, "too many transactions are open");
    return KW_OK;
}

/* The same message while the first is worked on, or after a crash, goes on with it. */
static kw_status take_up(struct kw_op *op, struct serving *it)
{
    struct store_cmp found;

    kw_op_clear(op);
    it->fail = CMP_TRANSACTION_ID_IN_USE;
    TRY(op, store_cmp_get(op, it->service->store, it->message.transaction_id, &found, NULL, NULL));
    ENSURE(op,
           found.state == STORE_CMP_BEGUN && is_same_asker(it, &found) &&
               memcmp(found.message, it->sha256, sizeof(found.message)) == 0,
           KW_E_CONFLICT, "this transactionID is in use");
    return KW_OK;
}

kw_status cmp_transaction_begin(struct kw_op *op, struct serving *it, struct kw_span request)
{
    struct store_cmp *transaction = &it->transaction;
    struct kw_span id = it->message.transaction_id;
    struct beginning beginning = {.it = it, .request = request};

    TRY(op, check_room(op, it));
    memcpy(transaction->id, id.p, id.len);
    transaction->id_len = (uint32_t)id.len;
    KW_TEXT_SET(transaction->owner, it->owner);
    protector_of(it, transaction->protector);
    transaction->state = STORE_CMP_BEGUN;
    memcpy(transaction->message, it->sha256, sizeof(transaction->message));
    transaction->deadline_ms = (it->now_s + CMP_WORK_S) * 1000;
    it->fail = CMP_SYSTEM_FAILURE;
    kw_status status = store_change(op, it->service->store, insert, &beginning);
    return status.code == KW_E_CONFLICT ? take_up(op, it) : status;
}

/* --- ending -------------------------------------------------------------------------------------
 */

static kw_status forget(struct kw_op *op, struct store_txn *txn, void *ctx)
{
    const struct store_cmp *transaction = ctx;

    return store_cmp_end(op, txn, KW_SPAN(transaction->id, transaction->id_len));
}

kw_status cmp_transaction_end(struct kw_op *op, struct service *service,
                              const struct store_cmp *transaction)
{
    struct store_cmp copy = *transaction;

    return store_change(op, service->store, forget, &copy);
}

/* --- certificates of transactions ----------------------------------------------------------------
 */

kw_status cmp_cert_by_row(struct kw_op *op, struct service *service, int64_t row,
                          struct store_cert *ret)
{
    struct store_cert_filter filter = {.after_row = row - 1};
    unsigned n = 0;

    TRY(op, store_cert_list(op, service->store, &filter, 1, ret, &n));
    ENSURE(op, n == 1 && ret->row == row, KW_E_NOT_FOUND, "the certificate is not in the registry");
    return KW_OK;
}

kw_status cmp_withdraw(struct kw_op *op, struct service *service, const struct store_cert *cert)
{
    kw_status status = authority_withdraw(op, service, cert);

    if (status.code == KW_E_STATE) {
        kw_op_clear(op);
        return KW_OK;
    }
    return status;
}
