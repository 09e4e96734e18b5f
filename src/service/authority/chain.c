#include "service/authority/chain.h"

#include "base/time.h"
#include "crypto/cms.h"
#include "os/clock.h"

/* A server as its ceremony made it hands out no more than a device takes. */
_Static_assert(2 * PLAN_MAX <= KW_CA_CERTS_MAX, "with a certificate's room for each to roll over");

/* What ended leads nowhere: no certificate outlives its CA's. */
static unsigned add(struct cert *cert, int64_t now_s, struct cert *ret[CHAIN_MAX], unsigned n)
{
    if (cert_not_after(cert) < now_s) {
        return n;
    }
    ret[n] = cert;
    return n + 1;
}

unsigned chain_list(const struct authorities *all, int64_t now_s, struct cert *ret[CHAIN_MAX])
{
    struct cert *roots[AUTHORITIES_ROOTS_MAX];
    unsigned n = 0, n_roots = authorities_trusted(all, roots);

    for (unsigned i = 0; i < all->n; i++) {
        n = add(all->at[i].cert, now_s, ret, n);
    }
    for (unsigned i = 0; i < all->n_cross; i++) {
        n = add(all->cross[i].cert, now_s, ret, n);
    }
    for (unsigned i = 0; i < all->n_above; i++) {
        n = add(all->above[i].cert, now_s, ret, n);
    }
    for (unsigned i = 0; i < all->n_links; i++) {
        n = add(all->links[i].cert, now_s, ret, n);
    }
    for (unsigned i = 0; i < n_roots; i++) {
        n = add(roots[i], now_s, ret, n);
    }
    return n;
}

kw_status chain_room(struct kw_op *op, const struct authorities *all, int64_t now_s, unsigned more)
{
    struct cert *list[CHAIN_MAX];
    unsigned n = chain_list(all, now_s, list);
    int64_t end_s = INT64_MAX;
    char when[KW_TIME_TEXT];

    for (unsigned i = 0; i < n; i++) {
        end_s = cert_not_after(list[i]) < end_s ? cert_not_after(list[i]) : end_s;
    }
    ENSURE(
        op, n + more <= KW_CA_CERTS_MAX, KW_E_LIMIT,
        "devices hold %d CA certificates; %u are in force, this makes %u more; the first ends at "
        "%s",
        (int)KW_CA_CERTS_MAX, n, more, kw_time_text(end_s, when));
    return KW_OK;
}

kw_status chain_room_for_key(struct kw_op *op, const struct authorities *all, int64_t now_s,
                             bool first)
{
    ENSURE(op, all->n < SERVICE_CAS_MAX, KW_E_LIMIT,
           "the issuing CAs of a server have at most %d keys, and all are there",
           (int)SERVICE_CAS_MAX);
    return chain_room(op, all, now_s, first ? 1 : 3);
}

kw_status chain_of_cas(struct kw_op *op, struct service *service, struct kw_bytes **ret)
{
    AUTO(authorities) *all = service_authorities(service);
    struct cert *chain[CHAIN_MAX];
    unsigned n = chain_list(all, os_clock_unix_s(), chain);

    return cms_certs_build(op, chain, n, ret);
}

kw_status chain_of_one(struct kw_op *op, const struct store_cert *cert, struct kw_bytes **ret)
{
    struct kw_span der = KW_SPAN(cert->der, cert->der_len);

    return cms_certs_wrap(op, &der, 1, ret);
}
