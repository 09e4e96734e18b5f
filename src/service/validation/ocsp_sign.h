/* One signed OCSP answer, from the question to its HTTP headers. */
#ifndef SERVICE_VALIDATION_OCSP_SIGN_H
#define SERVICE_VALIDATION_OCSP_SIGN_H

#include "service/authorities.h"
#include "service/service.h"
#include "service/validation/ocsp_cache.h"

/**
 * Look the subjects up and sign. nonce may be empty.
 * ret: one reference; NULL where none of them is known (unauthorized: no authoritative record).
 * Errors: KW_E_UNAVAILABLE in a gap; those of store and keeper.
 */
kw_status ocsp_sign(struct kw_op *op, struct service *service, const struct ca *ca,
                    const struct ocsp_certid at[], unsigned n, struct kw_span nonce,
                    struct ocsp_entry **ret);
/* Is what the answer says of its subjects still so? from_store: where memory does not know, the
 * store is asked; else "no". */
bool ocsp_entry_holds(struct service *service, const struct ocsp_entry *entry, bool from_store);

#endif
