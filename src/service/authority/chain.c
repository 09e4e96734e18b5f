#include "service/authority/chain.h"

#include "crypto/cms.h"
#include "service/authorities.h"

kw_status chain_of_cas(struct kw_op *op, struct service *service, struct kw_bytes **ret)
{
    AUTO(authorities) *all = service_authorities(service);
    struct cert *chain[2 * SERVICE_CAS_MAX + PLAN_MAX + 3 * AUTHORITIES_ROOTS_MAX];
    unsigned n = 0;

    for (unsigned i = 0; i < all->n; i++) {
        chain[n++] = all->at[i].cert;
    }
    for (unsigned i = 0; i < all->n_cross; i++) {
        chain[n++] = all->cross[i].cert;
    }
    for (unsigned i = 0; i < all->n_above; i++) {
        chain[n++] = all->above[i].cert;
    }
    for (unsigned i = 0; i < all->n_links; i++) {
        chain[n++] = all->links[i].cert;
    }
    n += authorities_trusted(all, chain + n);
    return cms_certs_build(op, chain, n, ret);
}

kw_status chain_of_one(struct kw_op *op, const struct store_cert *cert, struct kw_bytes **ret)
{
    struct kw_span der = KW_SPAN(cert->der, cert->der_len);

    return cms_certs_wrap(op, &der, 1, ret);
}
