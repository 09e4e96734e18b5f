/*
 * CRLs are made in the background: after revocations, gathered for a moment, and at half of their
 * life. The longer a list takes the rarer it is made; its delta is there meanwhile.
 */
#ifndef SERVICE_VALIDATION_CRL_MAKER_H
#define SERVICE_VALIDATION_CRL_MAKER_H

#include "service/service.h"
#include "service/validation/crl_doc.h"

/* Before the store is opened: its notices go there. */
kw_status crl_maker_new(struct kw_op *op, struct service *service, struct crl_maker **ret);
/* Start the thread; makes each CA's first lists before it returns, where none is kept. */
kw_status crl_maker_start(struct kw_op *op, struct crl_maker *maker);
void crl_maker_stop(struct crl_maker *maker);
void crl_maker_free(struct crl_maker *maker); /* after the store was closed */
/* The store's notices: what was revoked, held or released belongs on new lists soon. */
void crl_maker_notice(struct service *service, const struct store_notice at[], unsigned n);
/* A commit's outcome is unknown: make all lists anew. */
void crl_maker_doubt(struct service *service);
/* Make new lists of this CA soon. Never blocks for long. */
void crl_maker_wake(struct service *service, const char *ca);

/**
 * The newest list by the stem of its file: "devices", "devices.2", "devices.delta", "devices.life",
 * "devices.s3", "root". A reference. Errors: KW_E_NOT_FOUND; KW_E_UNAVAILABLE where it is not made
 * yet, or the only one has expired.
 */
kw_status crl_lend(struct kw_op *op, struct service *service, const char *stem,
                   struct crl_doc **ret);
/* The same as a copy. */
kw_status crl_get(struct kw_op *op, struct service *service, const char *stem,
                  struct kw_bytes **ret);

#endif
