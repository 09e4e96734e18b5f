/* Certificates as the certs-only CMS object that EST answers with (RFC 7030 sections 4.1.3
 * and 4.2.3). */
#ifndef SERVICE_AUTHORITY_CHAIN_H
#define SERVICE_AUTHORITY_CHAIN_H

#include "service/service.h"

/* Every issuing CA of ours with all its keys, cross certificates between these, then the root. ret:
 * DER. */
kw_status chain_of_cas(struct kw_op *op, struct service *service, struct kw_bytes **ret);
/* One issued certificate alone. */
kw_status chain_of_one(struct kw_op *op, const struct store_cert *cert, struct kw_bytes **ret);

#endif
