/* CRLs are made in the background: after revocations (gathered for a moment) and at half of their
 * life. */
#ifndef SERVICE_VALIDATION_CRL_MAKER_H
#define SERVICE_VALIDATION_CRL_MAKER_H

#include "service/service.h"

/* Start the thread; makes each CA's first CRL before it returns. */
kw_status crl_maker_start(struct kw_op *op, struct service *service, struct crl_maker **ret);
void crl_maker_stop(struct crl_maker *maker);
/* The store's notices: what was revoked, held or released belongs on new lists soon. */
void crl_maker_notice(struct service *service, const struct store_notice at[], unsigned n);
/* A commit's outcome is unknown: make all lists anew. */
void crl_maker_doubt(struct service *service);
/* Make a new CRL of this CA soon. Never blocks. */
void crl_maker_wake(struct service *service, const char *ca);
/* The newest CRL of a CA, DER. KW_E_NOT_FOUND, KW_E_UNAVAILABLE where the only one has expired. */
kw_status crl_get(struct kw_op *op, struct service *service, const char *ca, struct kw_bytes **ret);

#endif
