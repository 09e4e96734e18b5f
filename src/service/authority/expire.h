/* What time does by itself: replaced certificates whose overlap has ended are revoked. */
#ifndef SERVICE_AUTHORITY_EXPIRE_H
#define SERVICE_AUTHORITY_EXPIRE_H

#include "service/service.h"

/* One round over all superseded certificates. Idempotent. */
kw_status expire_superseded(struct kw_op *op, struct service *service);

#endif
