#include "crypto/cert.h"
#include "crypto/openssl.h"

kw_status cert_ocsp_url(struct kw_op *op, const struct cert *cert, char *url, size_t cap)
{
    X509 *x509 = cert_x509(cert);
    STACK_OF(OPENSSL_STRING) *urls = x509 ? X509_get1_ocsp(x509) : NULL;
    const char *first =
        urls && sk_OPENSSL_STRING_num(urls) > 0 ? sk_OPENSSL_STRING_value(urls, 0) : NULL;
    bool fits = first && kw_text_copy(url, cap, first);

    X509_email_free(urls);
    ENSURE(op, x509, KW_E_MEMORY, "no memory for the certificate");
    ENSURE(op, first, KW_E_NOT_FOUND, "the certificate names no OCSP responder");
    ENSURE(op, fits, KW_E_TOO_LARGE, "the OCSP responder's URL is too long");
    return KW_OK;
}
