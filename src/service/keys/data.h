/*
 * Keys for data: made and wrapped by a key-encrypting key (class data-kek) of the keeper. The
 * server keeps the wrapped form alone; when the KEK has a successor, every data key goes under it,
 * and the KEK before is no longer needed.
 */
#ifndef SERVICE_KEYS_DATA_H
#define SERVICE_KEYS_DATA_H

#include "base/secret.h"
#include "service/service.h"

/* What the keeper binds it to is its id, LF, and this. */
struct data_key_wish {
    char id[KW_NAME_MAX];  /* new for ever: 1..64 of A-Z a-z 0-9 . _ - */
    char kek[KW_NAME_MAX]; /* any key of the line; the newest active one wraps */
    char context[STORE_CONTEXT_MAX];
};

/**
 * Make a data key (AES-256). ret_plain: NULL = nobody sees it, it is wiped.
 * Errors: KW_E_INPUT; KW_E_CONFLICT the id was used before; KW_E_NOT_FOUND no active key of that
 * line; KW_E_DENIED it is no data-kek; those of the keeper.
 */
kw_status data_key_create(struct kw_op *op, struct service *service,
                          const struct data_key_wish *wish, struct store_data_key *ret,
                          struct kw_secret **ret_plain);
/* The key itself. The log says who asked before the keeper is asked. KW_E_NOT_FOUND; KW_E_STATE;
 * KW_E_INTEGRITY what is stored was altered. */
kw_status data_key_unwrap(struct kw_op *op, struct service *service, const char *id,
                          struct store_data_key *ret, struct kw_secret **ret_plain);

struct data_rewrap {
    char kek[KW_NAME_MAX];    /* the line */
    char newest[KW_NAME_MAX]; /* its newest active key */
    uint32_t generation;      /* of that one */
    uint64_t done, failed;    /* now */
    uint64_t left;            /* still under older ones, failed ones too */
    char unneeded[320];       /* older keys that wrap no data key any more: "kek, kek.2" */
    char why[256];            /* the first failure */
};
/**
 * Bring the data keys of a line under its newest active key, until shortly before op's deadline.
 * Each is a change of its own: whatever cuts it, doing it again goes on from there. A key that
 * cannot be rewrapped is counted and does not keep the others. Errors: KW_E_NOT_FOUND no active key
 * of that line; KW_E_UNAVAILABLE and its like where the keeper cannot be asked.
 */
kw_status data_rewrap(struct kw_op *op, struct service *service, const char *kek,
                      struct data_rewrap *ret);
/* How a line stands; nothing is changed. */
kw_status data_rewrap_status(struct kw_op *op, struct service *service, const char *kek,
                             struct data_rewrap *ret);
/* The same for each line that wraps data keys. ret_more: not all of it could be done yet, but some;
 * each line whatever becomes of the others; the first failure is returned. */
kw_status data_settle(struct kw_op *op, struct service *service, bool *ret_more);

#endif
