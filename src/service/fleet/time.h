/* The time, signed for devices that have none: docs/protocol/device-time.md. */
#ifndef SERVICE_FLEET_TIME_H
#define SERVICE_FLEET_TIME_H

#include "model/statement.h"
#include "service/service.h"

struct fleet_time {
    char statement[STATEMENT_MAX];
    uint8_t signature[KW_SIG_MAX];
    uint32_t signature_len;
    char chain[4 * KW_CERT_MAX]; /* PEM: the signer, its CA, links between roots */
};
/**
 * State something over a key whose certificate leads to the root: any OCSP signer.
 * values: of the kind's fields. ret_key_id: of the keeper's key. Errors: KW_E_INPUT a value;
 * KW_E_UNAVAILABLE no OCSP signer, or its keeper is away.
 */
kw_status fleet_state(struct kw_op *op, struct service *service, enum statement_kind kind,
                      const char *const values[], unsigned n, char ret_key_id[KW_NAME_MAX],
                      struct fleet_time *ret);
/* State the time for this nonce (64 lower-case hex digits). Errors: KW_E_INPUT the nonce;
 * KW_E_UNAVAILABLE no OCSP signer, or its keeper is away. */
kw_status fleet_time(struct kw_op *op, struct service *service, const char *nonce,
                     struct fleet_time *ret);

#endif
