/* What must hold before a CRL is signed. */
#ifndef KEEPER_CMD_CRL_CHECKS_H
#define KEEPER_CMD_CRL_CHECKS_H

#include "cmd/keywright-keeper/keyring.h"
#include "crypto/crl.h"

struct crl_case {
    const struct keeper_key *ca;
    const struct crl *crl;
    int64_t now_unix;
};

struct crl_check {
    const char *name;
    bool (*holds)(const struct crl_case *c);
    const char *says;
};

extern const struct crl_check crl_checks[];
extern const size_t crl_checks_count;

kw_status crl_check_all(struct kw_op *op, const struct crl_case *c);

#endif
