/* TBSCertificate as an ASN.1 template, for cert_build.c and cert_parse.c. */
#ifndef CRYPTO_CERT_TBS_H
#define CRYPTO_CERT_TBS_H

#include "crypto/cert.h"
#include "crypto/ext.h"

struct cert_validity {
    ASN1_TIME *not_before, *not_after;
};

/*
 * RFC 5280 section 4.1, without the unique identifiers, which it forbids to make. The key stays
 * raw: X509 would have it decoded by OpenSSL 3's generic decoders, at ten times the cost of
 * pubkey_parse().
 */
struct cert_tbs {
    ASN1_INTEGER *version; /* NULL = v1 */
    ASN1_INTEGER *serial;
    X509_ALGOR *sig_alg;
    X509_NAME *issuer;
    struct cert_validity *validity;
    X509_NAME *subject;
    ASN1_STRING *key;    /* DER SubjectPublicKeyInfo */
    STACK_OF(ext) *exts; /* NULL = absent */
};
DECLARE_ASN1_ITEM(cert_tbs)

kw_status cert_tbs_new(struct kw_op *op, struct cert_tbs **ret);
void cert_tbs_free(struct cert_tbs *tbs);
KW_OWNED(cert_tbs, struct cert_tbs, cert_tbs_free)

/* The extensions that a description asks for, added to *exts (NULL: a new list). Errors as
 * cert_build()'s. */
kw_status cert_exts_make(struct kw_op *op, const struct cert_spec *spec, STACK_OF(ext) **exts);

#endif
