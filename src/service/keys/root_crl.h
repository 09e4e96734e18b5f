/* Lists of what roots and other offline CAs take back: made offline (`keywright ca crl`), served
 * here. */
#ifndef SERVICE_KEYS_ROOT_CRL_H
#define SERVICE_KEYS_ROOT_CRL_H

#include "service/service.h"
#include "service/validation/crl_doc.h"

struct root_crl {
    char id[KW_NAME_MAX]; /* "root", "root.2", name of another offline CA */
    uint64_t number, entries;
    int64_t this_update, next_update;
};

/**
 * Serve this list (PEM) from now on. It is signed by an offline CA of ours, of now, complete, its
 * number is above that of the present one, and everything that is on that is on it.
 * KW_E_INPUT, KW_E_DENIED not by any of them; KW_E_CONFLICT older, or it lacks something.
 */
kw_status root_crl_install(struct kw_op *op, struct service *service, struct kw_span pem,
                           struct root_crl *ret);
/**
 * The list in force. KW_E_UNAVAILABLE it has ended, or the log tells of a newer one than a restored
 * store has: better none than one that has forgotten. The caller has the reference.
 */
kw_status root_crl_lend(struct kw_op *op, struct service *service, const char *id,
                        struct crl_doc **ret);
/* The log tells of list `number` of this CA (restore replay): an older one is not served. */
kw_status root_crl_told(struct kw_op *op, struct store_txn *txn, const char *id, uint64_t number);

#endif
