/* Rows of the registration authority: requests that wait for an officer, batches, blocked keys,
 * suspensions, and who follows the log. See store.h for the rules of reading and changing. */
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

/* --- batches ---------------------------------------------------------------------------------- */
/* Stored: append only. */
struct store_batch {
    char name[KW_NAME_MAX];
    char product[KW_NAME_MAX];
    uint32_t quota; /* units at most; 0 = any number */
    enum batch_state state;
    int64_t opened_ms, closed_ms; /* 0 = not yet */
    uint32_t checked;             /* RSA keys that were compared at its close */
    char finding[256];
    uint64_t units; /* devices of it */
};
/* KW_E_CONFLICT. */
kw_status store_batch_insert(struct kw_op *op, struct store_txn *txn,
                             const struct store_batch *batch);
/* quota, state, closed_ms, checked, units, finding. KW_E_NOT_FOUND. */
kw_status store_batch_update(struct kw_op *op, struct store_txn *txn,
                             const struct store_batch *batch);
kw_status store_batch_get(struct kw_op *op, struct store *store, const char *name,
                          struct store_batch *ret);
kw_status store_batch_get_txn(struct kw_op *op, struct store_txn *txn, const char *name,
                              struct store_batch *ret);
/* By name, behind `after`; state 0 = any. */
kw_status store_batch_list(struct kw_op *op, struct store *store, const char *after,
                           enum batch_state state, unsigned max, struct store_batch *ret,
                           unsigned *ret_n);
/* Ids of a batch's devices in the order of ids, behind `after`. */
kw_status store_batch_device_next(struct kw_op *op, struct store *store, const char *batch,
                                  const char *after, char ret[KW_NAME_MAX]);

/* --- blocked keys ----------------------------------------------------------------------------- */
/* Which hash of the key (crypto/weak_key.h). Stored: append only. */
enum blocked_kind { BLOCKED_SPKI = 1, BLOCKED_NUMBER, BLOCKED_MODULUS };
struct store_blocked {
    enum blocked_kind kind;
    uint8_t id[KW_HASH_BYTES];
    uint32_t id_len;
    char list[KW_NAME_MAX];
    int64_t added_ms;
};
/* ret_new: it was not there before. */
kw_status store_blocked_add(struct kw_op *op, struct store_txn *txn,
                            const struct store_blocked *blocked, bool *ret_new);
/* Any of a key's names, by kind from BLOCKED_SPKI on (empty: it has none of that kind).
 * KW_E_NOT_FOUND. */
kw_status store_blocked_find(struct kw_op *op, struct store *store,
                             const struct kw_span names[BLOCKED_MODULUS],
                             struct store_blocked *ret);
/* In order of kind and id, behind `after` (NULL = from the start). */
kw_status store_blocked_list(struct kw_op *op, struct store *store,
                             const struct store_blocked *after, unsigned max,
                             struct store_blocked *ret, unsigned *ret_n);
/* The next known public key whose id begins with these 8 octets or more, behind `after` (NULL).
 * KW_E_NOT_FOUND. */
kw_status store_pubkey_like(struct kw_op *op, struct store *store, struct kw_span head,
                            uint8_t ret[KW_HASH_BYTES]);

/* --- suspensions ------------------------------------------------------------------------------ */
struct store_suspension {
    char owner[KW_NAME_MAX];
    char cause[KW_NAME_MAX]; /* "operator:NAME" or "batch:NAME" */
    char reason[STORE_REASON_MAX];
    enum device_state before;
    int64_t at_ms;
};
/* KW_E_CONFLICT it is suspended already. */
kw_status store_suspension_insert(struct kw_op *op, struct store_txn *txn,
                                  const struct store_suspension *suspension);
/* KW_E_NOT_FOUND. */
kw_status store_suspension_get_txn(struct kw_op *op, struct store_txn *txn, const char *owner,
                                   struct store_suspension *ret);
/* Ends it; forgets which certificates it holds, too. */
kw_status store_suspension_delete(struct kw_op *op, struct store_txn *txn, const char *owner);
/* The owner of the next suspension for this cause, behind `after`. KW_E_NOT_FOUND. */
kw_status store_suspension_next(struct kw_op *op, struct store *store, const char *cause,
                                const char *after, char ret[KW_NAME_MAX]);
/* Hold all certificates of the owner that are in force, and remember what they were. */
kw_status store_suspension_hold(struct kw_op *op, struct store_txn *txn, const char *owner,
                                int64_t now_s, unsigned *ret_n);
/* Give those their states back that are held still. */
kw_status store_suspension_release(struct kw_op *op, struct store_txn *txn, const char *owner,
                                   unsigned *ret_n);

/* --- who follows the log ---------------------------------------------------------------------- */
struct store_consumer {
    char name[KW_NAME_MAX];
    char principal[KW_NAME_MAX]; /* who reads under this name */
    uint64_t cursor;             /* log entries below it were taken */
    int64_t at_ms;               /* when it said so last */
};
/* Record that it took everything below `cursor`; made where it is new. Nothing where it has come as
 * far before. KW_E_DENIED the name is another's. */
kw_status store_consumer_ack(struct kw_op *op, struct store_txn *txn,
                             const struct store_consumer *consumer);
kw_status store_consumer_get(struct kw_op *op, struct store *store, const char *name,
                             struct store_consumer *ret);
/* By name, behind `after`. */
kw_status store_consumer_list(struct kw_op *op, struct store *store, const char *after,
                              unsigned max, struct store_consumer *ret, unsigned *ret_n);
/* When this consumer had first taken the entry of this index. KW_E_NOT_FOUND not yet (or nobody has
 * this name). */
kw_status store_consumer_passed(struct kw_op *op, struct store *store, const char *name,
                                uint64_t index, int64_t *ret_at_ms);

/* --- what devices say of themselves ----------------------------------------------------------- */
kw_status store_device_said(struct kw_op *op, struct store_txn *txn, const char *device,
                            const uint8_t fingerprint[KW_HASH_BYTES], int64_t at_ms);
/* KW_E_NOT_FOUND it said nothing yet. */
kw_status store_device_says(struct kw_op *op, struct store *store, const char *device,
                            uint8_t ret[KW_HASH_BYTES], int64_t *ret_at_ms);

#endif
