/* AUTO for OpenSSL's types, and its error queue as our status. For crypto/, net/tls* and rot/ only.
 */
#ifndef CRYPTO_OPENSSL_H
#define CRYPTO_OPENSSL_H

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/cms.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/ocsp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/bytes.h"
#include "base/op.h"

KW_OWNED(X509, X509, X509_free)
KW_OWNED(X509_REQ, X509_REQ, X509_REQ_free)
KW_OWNED(X509_CRL, X509_CRL, X509_CRL_free)
KW_OWNED(X509_NAME, X509_NAME, X509_NAME_free)
KW_OWNED(X509_EXTENSION, X509_EXTENSION, X509_EXTENSION_free)
KW_OWNED(X509_STORE, X509_STORE, X509_STORE_free)
KW_OWNED(X509_STORE_CTX, X509_STORE_CTX, X509_STORE_CTX_free)
KW_OWNED(X509_REVOKED, X509_REVOKED, X509_REVOKED_free)
KW_OWNED(EVP_PKEY, EVP_PKEY, EVP_PKEY_free)
KW_OWNED(EVP_PKEY_CTX, EVP_PKEY_CTX, EVP_PKEY_CTX_free)
KW_OWNED(EVP_MD_CTX, EVP_MD_CTX, EVP_MD_CTX_free)
KW_OWNED(EVP_MAC_CTX, EVP_MAC_CTX, EVP_MAC_CTX_free)
KW_OWNED(EVP_CIPHER_CTX, EVP_CIPHER_CTX, EVP_CIPHER_CTX_free)
KW_OWNED(BIO, BIO, BIO_free_all)
KW_OWNED(BIGNUM, BIGNUM, BN_free)
KW_OWNED(ASN1_INTEGER, ASN1_INTEGER, ASN1_INTEGER_free)
KW_OWNED(ASN1_OCTET_STRING, ASN1_OCTET_STRING, ASN1_OCTET_STRING_free)
KW_OWNED(ASN1_TIME, ASN1_TIME, ASN1_TIME_free)
KW_OWNED(OCSP_REQUEST, OCSP_REQUEST, OCSP_REQUEST_free)
KW_OWNED(OCSP_RESPONSE, OCSP_RESPONSE, OCSP_RESPONSE_free)
KW_OWNED(OCSP_BASICRESP, OCSP_BASICRESP, OCSP_BASICRESP_free)
KW_OWNED(OCSP_CERTID, OCSP_CERTID, OCSP_CERTID_free)
KW_OWNED(CMS_ContentInfo, CMS_ContentInfo, CMS_ContentInfo_free)
KW_OWNED(SSL_CTX, SSL_CTX, SSL_CTX_free)
KW_OWNED(SSL, SSL, SSL_free)

/**
 * Fail with the first telling reason of OpenSSL's error queue appended ("making the key:
 * <reason>"), and empty the queue. Where a remote key's sign function refused (privkey.h), its code
 * and words win over `code`. Only reasons are told, never the data that OpenSSL attached to them.
 */
kw_status crypto_fail(struct kw_op *op, enum kw_code code, const char *file, int line,
                      const char *what);
/**
 * For OpenSSL's callbacks, after which it looks at its error queue itself: the queue stays as it
 * is. Did a remote key's sign function refuse, or has OpenSSL itself failed (no memory, a fault of
 * its own)? Then fail with that, as crypto_fail() would, otherwise KW_OK: the queue is empty, or
 * begins with what is wrong with the other side's octets.
 */
kw_status crypto_own_fault(struct kw_op *op, const char *what);
#define OSSL_ENSURE(op, cond, code, what)                                                          \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            return crypto_fail((op), (code), KW_HERE_FILE, KW_HERE_LINE, (what));                  \
        }                                                                                          \
    } while (0)

#endif
