/* What a profile's requests shall look like, told to those who ask before (RFC 7030 section 4.5).
 */
#include "crypto/csr_attrs.h"
#include "service/registration/enrol_internal.h"

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

kw_status enrol_attributes(struct kw_op *op, struct service *service,
                           const struct enrol_asker *asker, const char *label,
                           struct kw_bytes **ret)
{
    const struct profile *profile = NULL;
    struct csr_wish wish;

    TRY(op, enrol_profile_for(op, service, asker, label, &profile));
    TRY(op, describe(op, profile, &wish));
    return csr_attrs_build(op, &wish, ret);
}
