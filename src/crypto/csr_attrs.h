/* What a server wants to see in certification requests: CsrAttrs (RFC 7030 section 4.5.2, RFC 8951
 * section 4, RFC 9908 section 3). */
#ifndef CRYPTO_CSR_ATTRS_H
#define CRYPTO_CSR_ATTRS_H

#include "base/bytes.h"
#include "base/op.h"
#include "crypto/alg.h"
#include "crypto/cert.h"

/* AttrOrOID: an attribute where it has values (their DER, one after the other; may be empty), else
 * the OID alone. */
struct csr_attr {
    const char *oid; /* dotted */
    bool has_values;
    struct kw_span values;
};
/* ret: DER. KW_E_INPUT an OID is none. */
kw_status csr_attrs_encode(struct kw_op *op, const struct csr_attr attrs[], unsigned n,
                           struct kw_bytes **ret);

/* A wish in RFC 9908's clear form. */
struct csr_wish {
    enum key_alg alg;   /* the key's type and parameters, and its signature's algorithm */
    bool challenge;     /* a challengePassword: the channel's binding */
    unsigned key_usage; /* enum cert_key_usage; 0 = nothing is said */
    const char *eku[CERT_EKU_MAX]; /* dotted OIDs, up to the first NULL */
};
kw_status csr_attrs_build(struct kw_op *op, const struct csr_wish *wish, struct kw_bytes **ret);

#endif
