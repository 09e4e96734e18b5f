/* How an identity begins and goes on. */
#ifndef KEYWRIGHT_ENROL_H
#define KEYWRIGHT_ENROL_H

#include <keywright/types.h>

KEYWRIGHT_C_BEGIN

/**
 * Get the birth identity (IDevID) with a one-time registration secret, then the operational one
 * (LDevID) with the IDevID. May be cut at any point and called again: the same keys and requests
 * are used, so the server gives the same certificates.
 *
 * secret  NULL once the IDevID exists
 *
 * Errors  BAD_INPUT no server or device id was ever given, or a secret is needed; REFUSED the
 * secret is wrong or used, or the server knows no such device, or has suspended it; NOT_TRUSTED the
 *         server; UNAVAILABLE no line, server or root of trust busy; LOST the key that the request
 *         was made with is gone; STORAGE
 * Blocks  up to timeout_ms
 */
KEYWRIGHT_API enum keywright_result keywright_enrol(struct keywright *kw, const char *secret);
/**
 * A new LDevID with a new key; the old one stays usable until the new one was proven by one
 * handshake. OK too where nothing was due.
 *
 * force  not zero: also before renew_at
 *
 * Errors  NO_IDENTITY enrol first; REFUSED the server gives none (revoked, suspended, or it asks
 * for attestation first); NOT_TRUSTED the server; UNAVAILABLE; LOST the root of trust does not hold
 * the key any more; STORAGE. The identity in use stays as it was. Blocks  up to timeout_ms
 */
KEYWRIGHT_API enum keywright_result keywright_renew(struct keywright *kw, int force);

KEYWRIGHT_C_END

#endif
