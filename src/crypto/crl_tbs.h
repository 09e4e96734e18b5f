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

enum { CRL_REASON_REMOVE = 8, CRL_REASON_MAX = 10 }; /* RFC 5280 section 5.3.1 */
/* May an entry say so? 0 is never said. */
bool crl_reason_fits(int reason, bool delta);
/* As numbers; both without leading zeroes. */
int crl_serial_compare(struct kw_span a, struct kw_span b);
/* Append the entries of spec->next(), one behind the other. Errors as crl_build(). */
kw_status crl_entries_encode(struct kw_op *op, const struct crl_spec *spec, struct kw_bytes *into);

/* Append the value of an issuingDistributionPoint. KW_E_INPUT no such scope. */
kw_status crl_scope_encode(struct kw_op *op, const struct crl_scope *scope, struct kw_bytes *into);
/* Append a CRLDistributionPoints with one URL, as freshestCRL has it. */
kw_status crl_points_encode(struct kw_op *op, const char *url, struct kw_bytes *into);
/* False where it is not exactly what those two write: indirect lists, some reasons, other names. */
bool crl_scope_read(struct kw_span value, struct crl_scope *ret);
bool crl_points_read(struct kw_span value, char url[KW_CRL_URL_MAX]);

#endif
