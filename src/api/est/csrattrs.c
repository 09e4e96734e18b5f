/* csrattrs (RFC 7030 section 4.5, RFC 9908): what the profile's requests shall look like. */
#include "api/est/est.h"
#include "crypto/csr_attrs.h"

static kw_status describe(struct kw_op *op, const struct profile *profile, struct csr_wish *ret)
{
    struct csr_wish wish = {.alg = key_alg_from_text(profile->key_algs[0])}; /* the first choice */

    wish.challenge = strcmp(profile->channel_binding, "required") == 0;
    TRY(op, profile_key_usage(profile, &wish.key_usage), "profile '%s'", profile->name);
    for (unsigned i = 0; i < profile->n_eku && i < CERT_EKU_MAX; i++) {
        wish.eku[i] = profile->eku[i];
    }
    *ret = wish;
    return KW_OK;
}

EST_HANDLER(est_csrattrs)
{
    struct service *service = ((struct api *)ctx)->service;
    const struct enrol_asker asker = est_asker(request);
    const struct profile *profile = NULL;
    const char *name = NULL;
    struct csr_wish wish;
    AUTO(kw_bytes) *der = NULL;

    TRY(op, est_label(op, service, request, &name));
    TRY(op, enrol_profile_for(op, service, &asker, name, &profile));
    TRY(op, describe(op, profile, &wish));
    TRY(op, csr_attrs_build(op, &wish, &der));
    return est_answer(op, kw_bytes_span(der), "application/csrattrs", response);
}
