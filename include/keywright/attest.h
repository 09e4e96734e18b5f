/* Proving to the server what this device is. */
#ifndef KEYWRIGHT_ATTEST_H
#define KEYWRIGHT_ATTEST_H

#include <keywright/types.h>

KEYWRIGHT_C_BEGIN

/* Append only. */
enum keywright_verdict {
    KEYWRIGHT_VERDICT_NONE = 0, /* nothing was shown yet */
    KEYWRIGHT_VERDICT_TRUSTED = 1,
    KEYWRIGHT_VERDICT_SUSPECT = 2, /* the last round was not good; no conclusion yet */
    KEYWRIGHT_VERDICT_FAILED = 3
};

/* What the server says. */
struct keywright_attestation {
    enum keywright_verdict verdict;
    int level;           /* of assurance: 0 software, 1 secure element, 2 DICE or PUF, 3 TPM */
    int simulated;       /* a stand-in for hardware: never counts as hardware */
    int64_t valid_until; /* Unix seconds: attest again at half of it; 0 where not trusted */
    char reason[32];     /* "ok", or a word of docs/protocol/attest.md */
    char detail[192];    /* one sentence for people; may be empty */
    uint32_t reserved_[8];
};

/**
 * One round of attestation, with the current identity or, where that has ended, the birth identity.
 * A root of trust that can attest (a TPM) binds its attestation key the first time and then quotes
 * its PCRs, together with the firmware's event log; others sign the server's nonce.
 *
 * ret  written on success only; a verdict that is not trusted is a success of this call
 *
 * Errors  REFUSED the server does not take this device's keys (keywright_error() begins with its
 *         reason) or the TPM is locked; UNAVAILABLE no line, or root of trust absent or busy;
 *         NO_IDENTITY enrol first; LOST the TPM was cleared or replaced
 */
KEYWRIGHT_API enum keywright_result keywright_attest(struct keywright *kw,
                                                     struct keywright_attestation *ret);

KEYWRIGHT_C_END

#endif
