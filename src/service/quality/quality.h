/* The key-quality gate: no certificate for a public key whose private half others may have. */
#ifndef SERVICE_QUALITY_QUALITY_H
#define SERVICE_QUALITY_QUALITY_H

#include "service/service.h"

/**
 * Look at a public key before a certificate is issued for it: RSA's arithmetic (size, exponent,
 * small factors, prime or square modulus, close primes, ROCA), keys made without randomness, and
 * the block list. That a key is used once only, for all time and across all CAs, is the store's own
 * rule (store_pubkey_insert()); what was found about other keys of its batch,
 * batch_refuse_quarantined()'s. Errors: KW_E_DENIED "the key is refused (TEST): …".
 */
kw_status quality_check(struct kw_op *op, struct service *service, const struct pubkey *key);

#endif
