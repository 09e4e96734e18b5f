/*
 * Revocation filters (docs/protocol/filter.md) of each key of each CA, made in the background every
 * `filter_minutes`; none where that is 0.
 */
#ifndef SERVICE_VALIDATION_FILTER_MAKER_H
#define SERVICE_VALIDATION_FILTER_MAKER_H

#include "service/authorities.h"
#include "service/validation/crl_doc.h"

struct filter_shelf;

/* Sets service->filters and starts its thread, where filters are wanted; the first ones come when
 * the standings are in memory. */
kw_status filter_shelf_start(struct kw_op *op, struct service *service);
/* Before standings, store and keepers end. NULL is allowed. */
void filter_shelf_stop(struct filter_shelf *shelf);

/**
 * Make one now, from the standings in memory. Blocks for seconds where there are millions.
 * Errors: KW_E_UNAVAILABLE the standings are not in memory yet; KW_E_STATE a loss was accepted:
 * certificates may exist that are in no book; those of store and keeper.
 */
kw_status filter_make(struct kw_op *op, struct service *service, const struct ca *ca,
                      struct crl_doc **ret);

/* The newest one of a CA's key: a reference. KW_E_NOT_FOUND no such CA, or filters are not made;
 * KW_E_UNAVAILABLE not made yet, or the newest one has ended. */
kw_status filter_lend(struct kw_op *op, struct service *service, const char *ca,
                      struct crl_doc **ret);

#endif
