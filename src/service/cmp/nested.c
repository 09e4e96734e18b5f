/*
 * What a station nests (RFC 9483 section 5.2.2): its protection around one message of the same
 * transaction, whose answer is that one's own (5.2.2.1), or a batch of several, whose answers are
 * nested likewise (5.2.2.2). Each message is served by its own protection, as if it had come by
 * itself: the station adds no right, and is named in what is recorded.
 */
#include "service/cmp/serving.h"

struct parcel {
    unsigned n;
    struct kw_span at[CMP_NESTED_MAX];
    /* of each, and behind them of the nested message itself */
    struct kw_span transactions[CMP_NESTED_MAX + 1], nonces[CMP_NESTED_MAX + 1];
};

/* --- taking it apart -------------------------------------------------------------------------- */

/* Section 5.2.2.1: transactionID and senderNonce are those of the message in it. */
static kw_status check_copied(struct kw_op *op, struct serving *it, const struct parcel *parcel)
{
    it->fail = CMP_BAD_REQUEST;
    ENSURE(op, kw_span_equal(parcel->transactions[0], parcel->transactions[1]), KW_E_INPUT,
           "the transactionID of the message in it is another one");
    it->fail = CMP_BAD_SENDER_NONCE;
    ENSURE(op, kw_span_equal(parcel->nonces[0], parcel->nonces[1]), KW_E_INPUT,
           "the senderNonce of the message in it is another one");
    return KW_OK;
}

static bool all_differ(const struct kw_span at[], unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        for (unsigned k = i + 1; k < n; k++) {
            if (kw_span_equal(at[i], at[k])) {
                return false;
            }
        }
    }
    return true;
}

/* Section 5.2.2.2: the batch is a transaction of its own, as each message in it is. */
static kw_status check_apart(struct kw_op *op, struct serving *it, const struct parcel *parcel)
{
    it->fail = CMP_TRANSACTION_ID_IN_USE;
    ENSURE(op, all_differ(parcel->transactions, parcel->n + 1), KW_E_INPUT,
           "a transactionID is in the batch twice");
    it->fail = CMP_BAD_SENDER_NONCE;
    ENSURE(op, all_differ(parcel->nonces, parcel->n + 1), KW_E_INPUT,
           "a senderNonce is in the batch twice");
    return KW_OK;
}

static kw_status take_apart(struct kw_op *op, struct serving *it, struct parcel *ret)
{
    struct cmp_message inner;

    kw_status status = cmp_nested_read(op, it->message.content, ret->at, &ret->n);
    it->fail = status.code == KW_E_TOO_LARGE ? CMP_BAD_REQUEST : CMP_BAD_DATA_FORMAT;
    TRY(op, status);
    for (unsigned i = 0; i < ret->n; i++) {
        TRY(op, cmp_read(op, ret->at[i], &inner), "message %u in it", i + 1);
        ret->transactions[i] = inner.transaction_id;
        ret->nonces[i] = inner.sender_nonce;
    }
    ret->transactions[ret->n] = it->message.transaction_id;
    ret->nonces[ret->n] = it->message.sender_nonce;
    return ret->n == 1 ? check_copied(op, it, ret) : check_apart(op, it, ret);
}

/* The protection around it is a signature and holds, by a station that is in force. */
static kw_status unwrap(struct kw_op *op, struct serving *it, struct parcel *ret)
{
    TRY(op, cmp_check_header(op, it));
    it->fail = CMP_WRONG_INTEGRITY;
    ENSURE(op, cmp_protection_of(&it->message) != CMP_PROTECT_MAC, KW_E_DENIED,
           "what is put around a message is a signature");
    TRY(op, cmp_who(op, it));
    it->fail = CMP_NOT_AUTHORIZED;
    ENSURE(op, it->cert && !*it->device_id, KW_E_DENIED, "'%s' puts its protection around nothing",
           it->owner);
    return take_apart(op, it, ret);
}

/* --- serving it ------------------------------------------------------------------------------- */

static kw_status serve_inner(struct kw_op *op, const struct serving *outer, const char *operation,
                             struct kw_span message, struct kw_bytes **ret)
{
    __attribute__((cleanup(cmp_serving_done))) struct serving it = {.service = outer->service,
                                                                    .profile = outer->profile,
                                                                    .now_s = outer->now_s,
                                                                    .through = outer->owner};

    it.all = service_authorities(it.service);
    KW_TEXT_SET(op->principal, outer->owner); /* until it is known who asks in it */
    return cmp_serve_one(op, &it, strcmp(operation, CMP_NESTED_PATH) == 0 ? "" : operation, message,
                         ret);
}

struct answers {
    unsigned n;
    struct kw_bytes *at[CMP_NESTED_MAX];
    struct kw_span spans[CMP_NESTED_MAX];
    size_t room;
};

static void answers_done(struct answers *answers)
{
    for (unsigned i = 0; i < answers->n; i++) {
        kw_bytes_free(answers->at[i]);
    }
}

/* An answer that cannot be made, or has no room left, is a lost one (section 5.2.2.2); what it told
 * is kept for the same message again. */
static void put_answer(struct kw_op *op, kw_status status, struct kw_bytes *answer,
                       struct answers *into)
{
    if (!kw_ok(status) || answer->len > into->room) {
        kw_op_clear(op);
        kw_bytes_free(answer);
        return;
    }
    into->room -= answer->len;
    into->spans[into->n] = kw_bytes_span(answer);
    into->at[into->n++] = answer;
}

/* In their order. What would have no room for its answer is not begun. */
static kw_status serve_batch(struct kw_op *op, struct serving *outer, const char *operation,
                             const struct parcel *parcel)
{
    __attribute__((cleanup(answers_done))) struct answers answers = {.room = CMP_BATCH_ROOM};

    for (unsigned i = 0; i < parcel->n && answers.room >= CMP_BATCH_RESERVE; i++) {
        struct kw_bytes *answer = NULL;
        kw_status status = serve_inner(op, outer, operation, parcel->at[i], &answer);
        put_answer(op, status, answer, &answers);
    }
    KW_TEXT_SET(op->principal, outer->owner);
    ENSURE(op, answers.n > 0, KW_E_UNAVAILABLE, "no message of the batch could be answered");
    outer->type = CMP_NESTED;
    return cmp_list_value(op, answers.spans, answers.n, &outer->content);
}

kw_status cmp_serve_nested(struct kw_op *op, struct serving *it, const char *operation,
                           struct kw_bytes **ret)
{
    struct parcel parcel = {0};

    kw_status status = unwrap(op, it, &parcel);
    if (kw_ok(status) && parcel.n == 1) {
        return serve_inner(op, it, operation, parcel.at[0], ret);
    }
    if (kw_ok(status)) {
        status = serve_batch(op, it, operation, &parcel);
    }
    return kw_ok(status) ? cmp_finish(op, it, ret) : cmp_refuse(op, it, status, ret);
}
