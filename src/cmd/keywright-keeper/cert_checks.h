/* What must hold before a certificate is signed: a table of named checks, all of them, in order. */
#ifndef KEEPER_CMD_CERT_CHECKS_H
#define KEEPER_CMD_CERT_CHECKS_H

#include "cmd/keywright-keeper/keyring.h"
#include "crypto/cert.h"

enum { CLOCK_SKEW_S = 300 }; /* so far may times of the gate lie beside the keeper's clock */

struct cert_case {
    const struct keeper_key *ca;
    const struct policy_rule *rule;
    const struct cert *cert; /* parsed from the TBSCertificate */
    int64_t now_unix;
};

struct cert_check {
    const char *name; /* stands first in the refusal */
    bool (*holds)(const struct cert_case *c);
    const char *says; /* what is wrong where it does not hold */
};

extern const struct cert_check cert_checks[];
extern const size_t cert_checks_count;

/* KW_E_DENIED "name: says" of the first that does not hold. */
kw_status cert_check_all(struct kw_op *op, const struct cert_case *c);

#endif
