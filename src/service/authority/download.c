#include "service/authority/download.h"

#include "base/pem.h"
#include "crypto/cms.h"
#include "service/authorities.h"

enum { CHAIN_MAX = AUTHORITIES_PATH_MAX + 2 };

struct chain {
    unsigned n;
    struct kw_span der[CHAIN_MAX];
};

static kw_status as_pem(struct kw_op *op, const struct chain *chain, struct kw_bytes **ret)
{
    AUTO(kw_bytes) *pem = NULL;

    TRY(op, kw_bytes_new(2 * KW_CERT_MAX, &pem));
    for (unsigned i = 0; i < chain->n; i++) {
        TRY(op, kw_pem_encode("CERTIFICATE", chain->der[i], pem));
    }
    *ret = TAKE(pem);
    return KW_OK;
}

static kw_status as_der(struct kw_op *op, const struct chain *chain, struct kw_bytes **ret)
{
    ENSURE(op, chain->n == 1, KW_E_INPUT, "DER holds one certificate; take p7b or pem for a chain");
    return kw_bytes_copy(chain->der[0], ret);
}

static kw_status as_p7b(struct kw_op *op, const struct chain *chain, struct kw_bytes **ret)
{
    return cms_certs_wrap(op, chain->der, chain->n, ret);
}

static const struct {
    const char *name, *type;
    kw_status (*make)(struct kw_op *op, const struct chain *chain, struct kw_bytes **ret);
} formats[] = {
    {"pem", "application/x-pem-file",           as_pem},
    {"der", "application/pkix-cert",            as_der},
    {"p7b", "application/x-pkcs7-certificates", as_p7b},
};

static kw_status add_path(struct kw_op *op, const struct authorities *all, const char *ca_id,
                          struct chain *chain)
{
    struct cert *path[AUTHORITIES_PATH_MAX];
    const struct ca *ca = NULL;

    TRY(op, authorities_find(op, all, ca_id, &ca));
    unsigned n = authorities_path(all, ca, path);
    for (unsigned i = 0; i < n; i++) {
        chain->der[chain->n++] = cert_der(path[i]);
    }
    const struct cert *root = authorities_root_of(all, ca);
    if (root) {
        chain->der[chain->n++] = cert_der(root);
    }
    return KW_OK;
}

kw_status download_cert(struct kw_op *op, struct service *service, const struct store_cert *cert,
                        const char *format, bool chain, struct kw_bytes **ret,
                        const char **ret_type)
{
    AUTO(authorities) *all = service_authorities(service);
    struct chain it = {0};

    ENSURE(op, cert->der_len > 0, KW_E_NOT_FOUND, "it is known from the log alone");
    it.der[it.n++] = KW_SPAN(cert->der, cert->der_len);
    if (chain) {
        TRY(op, add_path(op, all, cert->ca, &it));
    }
    for (unsigned i = 0; i < KW_COUNT(formats); i++) {
        if (strcmp(formats[i].name, format) == 0) {
            *ret_type = formats[i].type;
            return formats[i].make(op, &it, ret);
        }
    }
    return FAIL(op, KW_E_INPUT, "format is pem, der or p7b");
}
