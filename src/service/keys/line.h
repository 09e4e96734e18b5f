/* Lines of keys: "ocsp-devices", "ocsp-devices.2", "ocsp-devices.3" are one key after the other. */
#ifndef SERVICE_KEYS_LINE_H
#define SERVICE_KEYS_LINE_H

#include "service/service.h"

/* Split an id: "ocsp-devices.3" → "ocsp-devices", 3; an id without a number is the first of its
 * line. */
unsigned line_split(const char *key_id, char base[KW_NAME_MAX]);
/* The newest key of a line that the keeper has, whatever its state; of `states` only where that is
 * not 0 (bits 1 << enum key_state). KW_E_NOT_FOUND. */
kw_status line_newest(struct kw_op *op, struct service *service, const char *base, unsigned states,
                      struct keeper_key_info *ret);

#endif
