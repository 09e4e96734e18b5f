/* Transactions of the Certificate Management Protocol: what is still to be confirmed, what waits,
 * and the last answers, for requests that come again. */
#ifndef STORE_CMP_H
#define STORE_CMP_H

#include "store/store.h"

enum { STORE_CMP_ID_MAX = 32, STORE_CMP_NONCE = 16 };

/* Stored: append only. */
enum store_cmp_state {
    STORE_CMP_BEGUN = 1,   /* being worked on; after a crash a certificate may be there or not */
    STORE_CMP_WAITING,     /* for somebody's approval; asked again by pollReq */
    STORE_CMP_UNCONFIRMED, /* the certificate was sent, its receipt not confirmed */
    STORE_CMP_DONE         /* kept for a while: the same request again gets the same answer */
};

struct store_cmp {
    uint8_t id[STORE_CMP_ID_MAX]; /* transactionID */
    uint32_t id_len;
    char owner[KW_NAME_MAX];          /* "device:DEV1": whose transaction it is */
    uint8_t protector[KW_HASH_BYTES]; /* SHA-256 of the protecting certificate; zero: a MAC */
    enum store_cmp_state state;
    int type;                       /* of the request: tag number of its body */
    int64_t request_id;             /* certReqId */
    bool implicit;                  /* implicit confirmation was asked for */
    uint8_t message[KW_HASH_BYTES]; /* SHA-256 of the message that was answered last */
    uint8_t asked[KW_HASH_BYTES];   /* SHA-256 of the request for a certificate */
    char profile[KW_NAME_MAX];      /* as asked for; "" by the proof */
    uint8_t nonce[STORE_CMP_NONCE]; /* senderNonce of the last answer; zero: none yet */
    int64_t cert;                   /* row of the certificate; 0: none yet */
    int64_t deadline_ms;            /* then it is ended */
};

/* request: contents of its body. KW_E_CONFLICT this id is in use. */
kw_status store_cmp_begin(struct kw_op *op, struct store_txn *txn, const struct store_cmp *it,
                          struct kw_span request);
/* State, message, nonce, cert, deadline and the answer. KW_E_NOT_FOUND. */
kw_status store_cmp_answered(struct kw_op *op, struct store_txn *txn, const struct store_cmp *it,
                             struct kw_span answer);
/* Forget it; nothing where it is not there. */
kw_status store_cmp_end(struct kw_op *op, struct store_txn *txn, struct kw_span id);
/* KW_E_NOT_FOUND. request, answer: may be NULL; *ret_answer stays NULL where there is none. */
kw_status store_cmp_get(struct kw_op *op, struct store *store, struct kw_span id,
                        struct store_cmp *ret, struct kw_bytes **ret_request,
                        struct kw_bytes **ret_answer);
/* Those whose deadline is past, the oldest first. */
kw_status store_cmp_due(struct kw_op *op, struct store *store, int64_t now_ms, unsigned max,
                        struct store_cmp *ret, unsigned *ret_n);
/* How many there are: of this owner, and of all. */
kw_status store_cmp_count(struct kw_op *op, struct store *store, const char *owner,
                          uint64_t *ret_of_owner, uint64_t *ret_all);
/* How many others of the same owner ask for the very same certificate. */
kw_status store_cmp_others(struct kw_op *op, struct store *store, const struct store_cmp *it,
                           uint64_t *ret_n);

#endif
