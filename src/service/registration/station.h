/* Stations: registration authorities that enrol devices in their name (RFC 7030 section 3.7). */
#ifndef SERVICE_REGISTRATION_STATION_H
#define SERVICE_REGISTRATION_STATION_H

#include "service/service.h"

/* Let a station enrol the devices of a product. Its certificate is issued apart from that
 * (`keywright cert issue`, profile station). KW_E_INPUT, KW_E_CONFLICT it may already. */
kw_status station_grant(struct kw_op *op, struct service *service, const char *station,
                        const char *product);
/* From now on it may not; what it enrolled stays. KW_E_NOT_FOUND. */
kw_status station_end(struct kw_op *op, struct service *service, const char *station,
                      const char *product);

#endif
