/* The sealed policies of a CA and of who answers by OCSP for it, from what is data: the authority's
 * file, and the profiles that name it. */
#ifndef SERVICE_KEYS_CA_POLICY_H
#define SERVICE_KEYS_CA_POLICY_H

#include "model/authority.h"
#include "service/service.h"

/**
 * What the CA's key will refuse to go beyond: its name, a rule for every profile of
 * service->profiles that is for it, where its CRLs lie. Its period begins now.
 * KW_E_INPUT, KW_E_LIMIT with the profile.
 */
kw_status ca_policy(struct kw_op *op, const struct service *service,
                    const struct authority *authority, struct key_policy *ret);
/* The same of its delegated OCSP signer. ca_key: the CA's. */
kw_status ca_ocsp_policy(struct kw_op *op, const struct service *service,
                         const struct authority *authority, const struct pubkey *ca_key,
                         struct key_policy *ret);
/* Do two policies of a CA bound it in the same way? Their periods are not looked at. */
bool ca_policy_same(const struct key_policy *a, const struct key_policy *b);

#endif
