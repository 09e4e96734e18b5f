/* Is this certificate good now? One answer for the gate, for OCSP and for the command line. */
#ifndef SERVICE_VALIDATION_STATUS_H
#define SERVICE_VALIDATION_STATUS_H

#include "service/service.h"

/**
 * KW_OK only for a certificate that we issued, that is in force at now_s and belongs to a device
 * that is in force. Errors: KW_E_DENIED not ours, or its device is suspended or retired;
 * KW_E_REVOKED; KW_E_EXPIRED; KW_E_UNAVAILABLE the registry cannot be asked.
 */
kw_status status_check(struct kw_op *op, struct service *service, const struct cert *cert,
                       int64_t now_s, struct store_cert_status *ret);
/* The same, but a device's certificate is still good for so long after its end as its profile says
 * (renew_expired_hours): for its renewal, and for nothing else. */
kw_status status_check_late(struct kw_op *op, struct service *service, const struct cert *cert,
                            int64_t now_s, struct store_cert_status *ret);
/* The most that any profile gives, in seconds: what TLS must let through to be judged. */
int64_t status_late_max_s(const struct service *service);

#endif
