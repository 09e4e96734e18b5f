/* CMS (RFC 5652): for now only the degenerate "certs-only" SignedData that EST uses. */
#ifndef CRYPTO_CMS_H
#define CRYPTO_CMS_H

#include "base/bytes.h"
#include "base/op.h"
#include "crypto/cert.h"

/* PKCS#7 v1 SignedData with certificates only, DER, no signers (RFC 7030 sections 4.1.3, 4.2.3). */
kw_status cms_certs_build(struct kw_op *op, struct cert *const certs[], unsigned n,
                          struct kw_bytes **ret);
/* The same of certificates of our own that are at hand as DER: they are not looked into. */
kw_status cms_certs_wrap(struct kw_op *op, const struct kw_span certs[], unsigned n,
                         struct kw_bytes **ret);
/* The certificates of such an object, at most max. KW_E_INPUT. */
kw_status cms_certs_parse(struct kw_op *op, struct kw_span der, struct cert *ret[], unsigned max,
                          unsigned *ret_n);

#endif
