/* One certificate as a file: PEM, DER, or a PKCS#7 bundle, alone or with the CAs above it. */
#include <stdio.h>

#include "api/rest/rest.h"
#include "base/pem.h"
#include "crypto/cms.h"
#include "service/authorities.h"
#include "service/authority/revoke.h"

enum { CHAIN_MAX = 4 };

struct chain {
    unsigned n;
    struct kw_span der[CHAIN_MAX];
};

struct download {
    struct store_cert cert;
    struct chain chain;
    struct kw_bytes *body; /* the response's */
};

static kw_status as_pem(struct kw_op *op, struct download *it)
{
    TRY(op, kw_bytes_new(2 * KW_CERT_MAX, &it->body));
    for (unsigned i = 0; i < it->chain.n; i++) {
        TRY(op, kw_pem_encode("CERTIFICATE", it->chain.der[i], it->body));
    }
    return KW_OK;
}

static kw_status as_der(struct kw_op *op, struct download *it)
{
    ENSURE(op, it->chain.n == 1, KW_E_INPUT,
           "DER holds one certificate; take p7b or pem for a chain");
    return kw_bytes_copy(it->chain.der[0], &it->body);
}

static kw_status as_p7b(struct kw_op *op, struct download *it)
{
    return cms_certs_wrap(op, it->chain.der, it->chain.n, &it->body);
}

static const struct {
    const char *name, *type;
    kw_status (*make)(struct kw_op *op, struct download *it);
} formats[] = {
    {"pem", "application/x-pem-file",           as_pem},
    {"der", "application/pkix-cert",            as_der},
    {"p7b", "application/x-pkcs7-certificates", as_p7b},
};

static kw_status find(struct kw_op *op, void *ctx, const struct http_request *request,
                      struct store_cert *ret)
{
    char id[2 * KW_NAME_MAX];
    const char *ca = kw_uri_param(&request->params, "ca");

    (void)snprintf(id, sizeof(id), "%.90s%s%.90s", ca ? ca : "", ca ? "/" : "",
                   rest_param(request, "id"));
    TRY(op, authority_find(op, rest_service(ctx), id, ret), "certificate '%s'", id);
    ENSURE(op, ret->der_len > 0, KW_E_NOT_FOUND, "it is known from the log alone");
    return KW_OK;
}

/* The CA that issued it, and the root. */
static kw_status add_chain(struct kw_op *op, const struct authorities *all, const struct cert *root,
                           struct download *it)
{
    const struct ca *ca = NULL;

    TRY(op, authorities_find(op, all, it->cert.ca, &ca));
    it->chain.der[it->chain.n++] = cert_der(ca->cert);
    it->chain.der[it->chain.n++] = cert_der(root);
    return KW_OK;
}

REST_HANDLER(rest_cert_download)
{
    struct service *service = rest_service(ctx);
    AUTO(authorities) *all = service_authorities(service);
    AUTO(cert) *root = NULL;
    struct download it = {0};
    char text[16];
    const char *format = NULL;
    uint64_t chain = 0;

    TRY(op, rest_query_text(op, request, "format", text, sizeof(text), &format));
    TRY(op, rest_query_u64(op, request, "chain", 0, 1, &chain));
    TRY(op, find(op, ctx, request, &it.cert));
    it.chain.der[it.chain.n++] = KW_SPAN(it.cert.der, it.cert.der_len);
    if (chain) {
        TRY(op, service_cert_load(op, service, "root", &root));
        TRY(op, add_chain(op, all, root, &it));
    }
    for (unsigned i = 0; i < KW_COUNT(formats); i++) {
        if (strcmp(formats[i].name, format ? format : "pem") == 0) {
            kw_status status = formats[i].make(op, &it);
            response->body = it.body;
            response->content_type = formats[i].type;
            return status;
        }
    }
    return FAIL(op, KW_E_INPUT, "format is pem, der or p7b");
}
