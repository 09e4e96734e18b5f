/* What must hold before a CRL is signed. */
#ifndef KEEPER_CMD_CRL_CHECKS_H
#define KEEPER_CMD_CRL_CHECKS_H

#include "cmd/keywright-keeper/crl_numbers.h"
#include "cmd/keywright-keeper/keyring.h"
#include "crypto/crl_read.h"

struct crl_case {
    const struct keeper_key *ca;
    const struct crl_reader *crl;      /* read to its end */
    const struct crl_numbers *numbers; /* of its scope; NULL: none was signed yet */
    struct crl_claim claim;
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
