/* Each certificate is looked at once more before it is signed: by the standards' rules
 * (crypto/cert_lint.h) and by its profile's. */
#ifndef SERVICE_AUTHORITY_LINT_H
#define SERVICE_AUTHORITY_LINT_H

#include "crypto/cert.h"
#include "model/profile.h"

struct lint_subject {
    const struct profile *profile;
    const struct cert *issuer;
};

/* For struct cert_spec. ctx: struct lint_subject. KW_E_INTERNAL names the rule: what we build is to
 * be right, whatever was asked for. */
kw_status lint_before_signing(struct kw_op *op, struct kw_span tbs, void *ctx);

#endif
