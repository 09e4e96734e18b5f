/* TBSCertList as ASN.1 templates, for crl_build.c and crl_parse.c. */
#ifndef CRYPTO_CRL_TBS_H
#define CRYPTO_CRL_TBS_H

#include "crypto/crl.h"
#include "crypto/ext.h"

/* RFC 5280 section 5.1. The entries stay raw: a million of OpenSSL's objects take 400 MB. */
struct crl_tbs {
    ASN1_INTEGER *version; /* NULL = v1 */
    X509_ALGOR *sig_alg;
    X509_NAME *issuer;
    ASN1_TIME *this_update;
    ASN1_TIME *next_update; /* NULL = absent */
    ASN1_STRING *revoked;   /* DER SEQUENCE OF crl_item; NULL = absent */
    STACK_OF(ext) *exts;    /* NULL = absent */
};
DECLARE_ASN1_ITEM(crl_tbs)

/* One of revokedCertificates. */
struct crl_item {
    ASN1_INTEGER *serial;
    ASN1_TIME *date;
    STACK_OF(ext) *exts; /* NULL = absent */
};
DECLARE_ASN1_ITEM(crl_item)

void crl_tbs_free(struct crl_tbs *tbs);
KW_OWNED(crl_tbs, struct crl_tbs, crl_tbs_free)
void crl_item_free(struct crl_item *item);
KW_OWNED(crl_item, struct crl_item, crl_item_free)

enum { CRL_REASON_MAX = 10 }; /* aACompromise, RFC 5280 section 5.3.1 */

#endif
