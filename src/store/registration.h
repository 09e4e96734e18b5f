/* Rows of the registration authority: requests that wait for an officer. See store.h for the rules
 * of reading and changing. */
#ifndef STORE_REGISTRATION_H
#define STORE_REGISTRATION_H

#include "model/request.h"
#include "store/store.h"

enum { STORE_REASON_MAX = 160 };

struct store_ra_request {
    int64_t id; /* rising; set by insert */
    char owner[KW_NAME_MAX];
    char profile[KW_NAME_MAX];
    uint8_t sha256[KW_HASH_BYTES]; /* of the whole request */
    uint8_t key[KW_HASH_BYTES];    /* SHA-256 of its SubjectPublicKeyInfo */
    char subject[256];             /* as asked, for people */
    char via[KW_NAME_MAX];         /* who vouches; "" = the owner itself */
    enum ra_state state;
    int64_t opened_ms, lapses_ms, decided_ms; /* decided_ms 0 = not yet */
    char decided_by[KW_NAME_MAX];
    char reason[STORE_REASON_MAX];
    uint8_t csr[KW_CSR_MAX]; /* kept while it is open */
    uint32_t csr_len;
};
kw_status store_ra_request_insert(struct kw_op *op, struct store_txn *txn,
                                  struct store_ra_request *request);
/* State, lapses_ms, decided_ms, decided_by and reason. KW_E_NOT_FOUND; KW_E_STATE it is final. */
kw_status store_ra_request_update(struct kw_op *op, struct store_txn *txn,
                                  const struct store_ra_request *request);
kw_status store_ra_request_get(struct kw_op *op, struct store *store, int64_t id,
                               struct store_ra_request *ret);
kw_status store_ra_request_get_txn(struct kw_op *op, struct store_txn *txn, int64_t id,
                                   struct store_ra_request *ret);
/* The newest one of this owner with this content. KW_E_NOT_FOUND. */
kw_status store_ra_request_find(struct kw_op *op, struct store *store, const char *owner,
                                const uint8_t sha256[KW_HASH_BYTES], struct store_ra_request *ret);
kw_status store_ra_request_find_txn(struct kw_op *op, struct store_txn *txn, const char *owner,
                                    const uint8_t sha256[KW_HASH_BYTES],
                                    struct store_ra_request *ret);
/* How many wait: of one owner, or of all (NULL); counts no further than `max`. */
kw_status store_ra_request_waiting_txn(struct kw_op *op, struct store_txn *txn, const char *owner,
                                       unsigned max, unsigned *ret);

struct store_ra_filter {
    enum ra_state state; /* RA_NONE = any */
    const char *owner;   /* NULL = any */
    int64_t after;       /* listing goes on behind this id */
    int64_t due_ms;      /* not 0: only open ones that lapse before it */
};
/* Oldest first. */
kw_status store_ra_request_list(struct kw_op *op, struct store *store,
                                const struct store_ra_filter *filter, unsigned max,
                                struct store_ra_request *ret, unsigned *ret_n);

#endif
