#include <openssl/err.h>

#include "crypto/cert.h"
#include "crypto/openssl.h"

enum {
    PATH_DEPTH_MAX = 8, /* our hierarchies have three levels */
    SECURITY_LEVEL = 2, /* OpenSSL's: 112 bits, so no SHA-1 and no RSA below 2048 in any link */
};

/* Borrowing stack: the certificates stay their owners'. */
static void x509_stack_free(STACK_OF(X509) *stack)
{
    sk_X509_free(stack);
}
KW_OWNED(x509_stack, STACK_OF(X509), x509_stack_free)

static bool has_eku(const struct cert *cert, const char *eku)
{
    for (unsigned i = 0; i < cert_eku_count(cert); i++) {
        if (strcmp(cert_eku(cert, i), eku) == 0) {
            return true;
        }
    }
    return false;
}

static kw_status stack_new(struct kw_op *op, struct cert *const certs[], unsigned n,
                           STACK_OF(X509) **ret)
{
    AUTO(x509_stack) *stack = sk_X509_new_null();

    OSSL_ENSURE(op, stack, KW_E_MEMORY, "verifying a path");
    for (unsigned i = 0; i < n; i++) {
        X509 *x509 = cert_x509(certs[i]);
        ENSURE(op, x509, KW_E_INPUT, "OpenSSL does not take one of the certificates");
        OSSL_ENSURE(op, sk_X509_push(stack, x509) > 0, KW_E_MEMORY, "verifying a path");
    }
    *ret = TAKE(stack);
    return KW_OK;
}

/* No X509_V_FLAG_PARTIAL_CHAIN: only a self-signed root ends a path. */
static kw_status set_up(struct kw_op *op, X509_STORE_CTX *ctx, X509 *leaf,
                        STACK_OF(X509) *intermediates, STACK_OF(X509) *roots, int64_t at_unix)
{
    OSSL_ENSURE(op, X509_STORE_CTX_init(ctx, NULL, leaf, intermediates), KW_E_MEMORY,
                "verifying a path");
    X509_STORE_CTX_set0_trusted_stack(ctx, roots);
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
    X509_VERIFY_PARAM_set_time(param, (time_t)at_unix);
    X509_VERIFY_PARAM_set_depth(param, PATH_DEPTH_MAX);
    X509_VERIFY_PARAM_set_auth_level(param, SECURITY_LEVEL);
    OSSL_ENSURE(op, X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_X509_STRICT), KW_E_INTERNAL,
                "verifying a path");
    return KW_OK;
}

static enum kw_code code_of(int error)
{
    switch (error) {
    case X509_V_ERR_CERT_NOT_YET_VALID:
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return KW_E_EXPIRED;
    case X509_V_ERR_OUT_OF_MEM:
        return KW_E_MEMORY;
    default:
        return KW_E_DENIED;
    }
}

static kw_status verify(struct kw_op *op, X509_STORE_CTX *ctx)
{
    int verdict = X509_verify_cert(ctx);
    int error = X509_STORE_CTX_get_error(ctx);

    ERR_clear_error();
    if (verdict == 1 && error == X509_V_OK) {
        return KW_OK;
    }
    error = error == X509_V_OK ? X509_V_ERR_UNSPECIFIED : error;
    return FAIL(op, code_of(error), "%s at depth %d", X509_verify_cert_error_string(error),
                X509_STORE_CTX_get_error_depth(ctx));
}

kw_status cert_verify_path(struct kw_op *op, const struct cert *leaf,
                           struct cert *const intermediates[], unsigned n_intermediates,
                           struct cert *const roots[], unsigned n_roots, const char *eku,
                           int64_t at_unix)
{
    AUTO(x509_stack) *between = NULL;
    AUTO(x509_stack) *trusted = NULL;
    AUTO(X509_STORE_CTX) *ctx = X509_STORE_CTX_new();
    X509 *x509 = cert_x509(leaf);

    ENSURE(op, x509, KW_E_INPUT, "OpenSSL does not take the certificate");
    ENSURE(op, !eku || has_eku(leaf, eku), KW_E_DENIED, "the certificate is not for purpose %s",
           eku);
    OSSL_ENSURE(op, ctx, KW_E_MEMORY, "verifying a path");
    TRY(op, stack_new(op, intermediates, n_intermediates, &between));
    TRY(op, stack_new(op, roots, n_roots, &trusted));
    TRY(op, set_up(op, ctx, x509, between, trusted, at_unix));
    return verify(op, ctx);
}
