/* Extensions of a certificate to be, as DER (RFC 5280 section 4.2). For crypto/ only. */
#ifndef CRYPTO_CERT_EXT_H
#define CRYPTO_CERT_EXT_H

#include "crypto/cert.h"
#include "crypto/der_write.h"

bool cert_spec_has_san(const struct cert_spec *spec);
bool cert_spec_has_constraints(const struct cert_spec *spec);
/* A Name without a part. */
bool cert_is_empty_name(struct kw_span dn);
/* All that the description asks for, one element each. KW_E_INPUT. */
kw_status cert_ext_put_all(struct kw_op *op, const struct cert_spec *spec, struct der_writer *w);
/* The value of nameConstraints, without its header. KW_E_INPUT. */
kw_status cert_ext_put_constraints(struct kw_op *op, const struct cert_spec *spec,
                                   struct der_writer *w);

#endif
