#include "model/cert_state.h"

#include <string.h>

#include "base/bytes.h"

static const char *const cert_states[] = {
    [CERT_STATE_VALID] = "valid",
    [CERT_STATE_SUPERSEDED] = "superseded",
    [CERT_STATE_HELD] = "held",
    [CERT_STATE_REVOKED] = "revoked",
};
_Static_assert(KW_COUNT(cert_states) == CERT_STATE_REVOKED + 1, "every state has a text");

static const char *const device_states[] = {
    [DEVICE_REGISTERED] = "registered",
    [DEVICE_ACTIVE] = "active",
    [DEVICE_SUSPENDED] = "suspended",
    [DEVICE_RETIRED] = "retired",
};
_Static_assert(KW_COUNT(device_states) == DEVICE_RETIRED + 1, "every state has a text");

/* RFC 5280 section 5.3.1: 7 is unused, 8 (removeFromCRL) stands in delta CRLs only. */
static const char *const reasons[REVOKE_REASON_MAX] = {
    [REVOKE_UNSPECIFIED] = "unspecified",
    [REVOKE_KEY_COMPROMISE] = "keyCompromise",
    [REVOKE_CA_COMPROMISE] = "cACompromise",
    [REVOKE_AFFILIATION_CHANGED] = "affiliationChanged",
    [REVOKE_SUPERSEDED] = "superseded",
    [REVOKE_CESSATION_OF_OPERATION] = "cessationOfOperation",
    [REVOKE_CERTIFICATE_HOLD] = "certificateHold",
    [REVOKE_PRIVILEGE_WITHDRAWN] = "privilegeWithdrawn",
    [REVOKE_AA_COMPROMISE] = "aACompromise",
};

static const bool bars[REVOKE_REASON_MAX] = {
    [REVOKE_UNSPECIFIED] = true,         [REVOKE_KEY_COMPROMISE] = true,
    [REVOKE_AFFILIATION_CHANGED] = true, [REVOKE_CESSATION_OF_OPERATION] = true,
    [REVOKE_CERTIFICATE_HOLD] = true,    [REVOKE_PRIVILEGE_WITHDRAWN] = true,
    [REVOKE_AA_COMPROMISE] = true,
};

/* Numbers come from the store and from peers: any may be out of range or a gap. */
static const char *text_at(const char *const texts[], unsigned n, unsigned i)
{
    return i < n && texts[i] ? texts[i] : "unknown";
}

const char *cert_state_text(enum cert_state s)
{
    return text_at(cert_states, KW_COUNT(cert_states), (unsigned)s);
}

const char *device_state_text(enum device_state s)
{
    return text_at(device_states, KW_COUNT(device_states), (unsigned)s);
}

const char *revoke_reason_text(int reason)
{
    return text_at(reasons, KW_COUNT(reasons), (unsigned)reason);
}

int revoke_reason_from_text(const char *text)
{
    for (int i = 0; i < REVOKE_REASON_MAX; i++) {
        if (reasons[i] && strcmp(reasons[i], text) == 0) {
            return i;
        }
    }
    return -1;
}

bool revoke_reason_bars(int reason)
{
    return reason >= 0 && reason < REVOKE_REASON_MAX && bars[reason];
}
