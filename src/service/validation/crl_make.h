/* One CRL: its number, its entries, its signature, its word in the log. */
#ifndef SERVICE_VALIDATION_CRL_MAKE_H
#define SERVICE_VALIDATION_CRL_MAKE_H

#include "service/authorities.h"
#include "service/validation/crl_doc.h"
#include "service/validation/crl_journal.h"
#include "service/validation/crl_lists.h"

struct crl_order {
    struct service *service;
    const struct authorities *all;
    const struct ca *ca;
    struct crl_list_id id;
    struct crl_journal *journal;
    /* Who ended before this stood on a list that was made after his end, and needs not stand on
     * this one (RFC 5280 section 5.1: "until it appears on one regularly scheduled CRL issued
     * beyond the revoked certificate's validity period"). */
    int64_t not_after_from;
    uint64_t base_number, base_mark; /* of a delta */
    bool has_delta;                  /* of a whole list: tell where its deltas are */
};

/**
 * Make it. Blocks for as long as the store and the keeper take, without holding up either.
 * Errors: KW_E_NOT_FOUND a delta cannot be made: the base's mark is too old; those of store and
 * keeper. A number that was taken is lost then.
 */
kw_status crl_make(struct kw_op *op, const struct crl_order *order, struct crl_doc **ret);

#endif
