/* The certificates of one CA's keys by each other (RFC 4210 section 4.4). */
#include <stdio.h>

#include "service/authorities_internal.h"

void authorities_cross_name(const struct ca *signer, const struct ca *subject,
                            char name[KW_NAME_MAX])
{
    (void)snprintf(name, KW_NAME_MAX, "cross-%.40s-by-%.40s", subject->id, signer->id);
}

static kw_status add_cross(struct kw_op *op, struct service *service, struct authorities *all,
                           const struct ca *signer, const struct ca *subject)
{
    struct cross *cross = &all->cross[all->n_cross];

    if (all->n_cross == SERVICE_CAS_MAX) {
        return KW_OK; /* the newest ones are found first */
    }
    authorities_cross_name(signer, subject, cross->name);
    kw_status status = service_cert_load(op, service, cross->name, &cross->cert);
    if (status.code == KW_E_NOT_FOUND) {
        kw_op_clear(op);
        return KW_OK;
    }
    TRY(op, status);
    all->n_cross++;
    return KW_OK;
}

/* A key that was taken back is vouched for by none of ours: that would be a way around the list. */
static bool belong(const struct ca *a, const struct ca *b)
{
    return a != b && strcmp(a->base, b->base) == 0 && !ca_is_taken_back(a) && !ca_is_taken_back(b);
}

kw_status authorities_load_crosses(struct kw_op *op, struct service *service,
                                   struct authorities *all)
{
    for (unsigned i = all->n; i-- > 0;) {
        for (unsigned k = all->n; k-- > 0;) {
            if (belong(&all->at[i], &all->at[k])) {
                TRY(op, add_cross(op, service, all, &all->at[i], &all->at[k]));
            }
        }
    }
    return KW_OK;
}
