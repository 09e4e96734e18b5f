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
 */
KEYWRIGHT_API enum keywright_result keywright_enrol(struct keywright *kw, const char *secret);
/* A new LDevID with a new key; the old one stays usable until the new one was proven by one
 * handshake. force: also before renew_at. OK too where nothing was due. */
KEYWRIGHT_API enum keywright_result keywright_renew(struct keywright *kw, int force);

KEYWRIGHT_C_END

#endif
