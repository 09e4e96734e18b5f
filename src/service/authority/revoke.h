/* Revocation of certificates. */
#ifndef SERVICE_AUTHORITY_REVOKE_H
#define SERVICE_AUTHORITY_REVOKE_H

#include "service/service.h"

/**
 * Revoke one certificate, for ever. The key's record goes to compromised (keyCompromise,
 * cACompromise) or deactivated. On return OCSP and the gate refuse it; the CRL follows within a
 * second (crl_maker). Errors: KW_E_NOT_FOUND, KW_E_STATE already revoked (when and why is said).
 */
kw_status authority_revoke(struct kw_op *op, struct service *service, const struct store_cert *cert,
                           int reason);
/* Find by "ca/serialhex", serial hex (any CA) or fingerprint hex. KW_E_NOT_FOUND, KW_E_INPUT. */
kw_status authority_find(struct kw_op *op, struct service *service, const char *id,
                         struct store_cert *ret);

#endif
