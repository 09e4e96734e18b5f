/* TBSCertificate as an ASN.1 template, for cert_build.c and cert_parse.c. */
#ifndef CRYPTO_CERT_TBS_H
#define CRYPTO_CERT_TBS_H

#include "crypto/cert.h"
#include "crypto/ext.h"

struct cert_validity {
    ASN1_TIME *not_before, *not_after;
};

/*
 * RFC 5280 section 4.1, without the unique identifiers, which it forbids to make. Names and key
 * stay raw. X509 would have the key decoded by OpenSSL 3's generic decoders, at ten times the cost
 * of pubkey_parse(); X509_NAME takes a name apart, puts it together and makes a form of it to
 * compare, none of which is asked for here: dn_check() says whether it is one.
 */
struct cert_tbs {
    ASN1_INTEGER *version; /* NULL = v1 */
    ASN1_INTEGER *serial;
    X509_ALGOR *sig_alg;
    ASN1_STRING *issuer; /* DER Name */
    struct cert_validity *validity;
    ASN1_STRING *subject; /* DER Name */
    ASN1_STRING *key;     /* DER SubjectPublicKeyInfo */
    STACK_OF(ext) *exts;  /* NULL = absent */
};
DECLARE_ASN1_ITEM(cert_tbs)

kw_status cert_tbs_new(struct kw_op *op, struct cert_tbs **ret);
void cert_tbs_free(struct cert_tbs *tbs);
KW_OWNED(cert_tbs, struct cert_tbs, cert_tbs_free)

/* Put a name in its place. Errors: KW_E_INPUT it is none. */
kw_status cert_tbs_name(struct kw_op *op, struct kw_span dn, const char *what, ASN1_STRING *ret);

/* The extensions that a description asks for, added to *exts (NULL: a new list). Errors as
 * cert_build()'s. */
kw_status cert_exts_make(struct kw_op *op, const struct cert_spec *spec, STACK_OF(ext) **exts);

#endif
