/* Serial numbers fetched ahead from the keeper, so that issuing costs no further round trip. */
#ifndef SERVICE_AUTHORITY_SERIALS_H
#define SERVICE_AUTHORITY_SERIALS_H

#include "service/authorities.h"

kw_status serials_new(struct kw_op *op, struct serial_pool **ret);
void serials_free(struct serial_pool *pool);
/* Take one serial of this CA. Any thread. */
kw_status serials_take(struct kw_op *op, struct service *service, const struct ca *ca,
                       uint8_t ret[KW_SERIAL_BYTES]);
/* Forget those fetched: a restarted keeper does not know them any more. */
void serials_drop(struct service *service, const struct ca *ca);

#endif
