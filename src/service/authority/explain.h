/* What a certificate would be, field by field, beside what was asked for. */
#ifndef SERVICE_AUTHORITY_EXPLAIN_H
#define SERVICE_AUTHORITY_EXPLAIN_H

#include "crypto/csr.h"
#include "model/profile.h"
#include "service/authority/terms.h"
#include "service/service.h"

struct explain_case {
    const struct profile *profile;
    const char *ca_key_id;
    const struct csr *asked;
};

/* tbs: the very octets that would be signed. Adds lines to terms; the last says whether the CA's
 * sealed policy has this rule at all. Errors: those of reading and of the keeper. */
kw_status explain_tbs(struct kw_op *op, struct service *service, const struct explain_case *c,
                      struct kw_span tbs, struct terms *terms);

#endif
