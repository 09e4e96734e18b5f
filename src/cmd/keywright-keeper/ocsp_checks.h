/* What must hold before an OCSP answer is signed: for the whole, and for each single response. */
#ifndef KEEPER_CMD_OCSP_CHECKS_H
#define KEEPER_CMD_OCSP_CHECKS_H

#include "cmd/keywright-keeper/keyring.h"
#include "crypto/ocsp.h"

struct ocsp_case {
    const struct keyring *keyring;
    const struct keeper_key *signer;
    const struct ocsp_tbs *tbs;
    const struct ocsp_single *single; /* the one in question; the first for checks of the whole */
    int64_t now_unix;
};

struct ocsp_check {
    const char *name;
    bool (*holds)(const struct ocsp_case *c);
    const char *says;
};

extern const struct ocsp_check ocsp_checks[];
extern const size_t ocsp_checks_count;

kw_status ocsp_check_all(struct kw_op *op, const struct keyring *keyring,
                         const struct keeper_key *signer, const struct ocsp_tbs *tbs,
                         int64_t now_unix);

#endif
