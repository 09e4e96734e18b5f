/* What the registry knows of a certificate and of a device. */
#ifndef MODEL_CERT_STATE_H
#define MODEL_CERT_STATE_H

#include <stdbool.h>

#include "base/status.h"

/* Stored: append only. */
enum cert_state {
    CERT_STATE_VALID = 1,
    CERT_STATE_SUPERSEDED,
    CERT_STATE_HELD,
    CERT_STATE_REVOKED
};
const char *cert_state_text(enum cert_state s);

/* RFC 5280 section 5.3.1 CRLReason. */
enum revoke_reason {
    REVOKE_UNSPECIFIED = 0,
    REVOKE_KEY_COMPROMISE = 1,
    REVOKE_CA_COMPROMISE = 2,
    REVOKE_AFFILIATION_CHANGED = 3,
    REVOKE_SUPERSEDED = 4,
    REVOKE_CESSATION_OF_OPERATION = 5,
    REVOKE_CERTIFICATE_HOLD = 6,
    REVOKE_PRIVILEGE_WITHDRAWN = 9,
    REVOKE_AA_COMPROMISE = 10,
    REVOKE_REASON_MAX = 11
};
const char *revoke_reason_text(int reason);    /* "keyCompromise", …; "unknown" */
int revoke_reason_from_text(const char *text); /* -1 where unknown */
/* Does it judge the holder? Then a device may not come back with another certificate by itself.
 * superseded and cACompromise do not: what was wrong there was the certificate, or its issuer. */
bool revoke_reason_bars(int reason);

/* Stored: append only. */
enum device_state { DEVICE_REGISTERED = 1, DEVICE_ACTIVE, DEVICE_SUSPENDED, DEVICE_RETIRED };
const char *device_state_text(enum device_state s);

#endif
