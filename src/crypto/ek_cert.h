/* Certificates of endorsement keys (TCG EK Credential Profile). Their keys and issuers are smaller
 * than what pubkey.h takes (RSA-2048), so they are read apart. */
#ifndef CRYPTO_EK_CERT_H
#define CRYPTO_EK_CERT_H

#include "base/bytes.h"
#include "base/op.h"

/* A certificate that may vouch for EKs: its subject as one line, and whether it signed itself.
 * KW_E_INPUT not DER, not a CA. */
kw_status ek_root_check(struct kw_op *op, struct kw_span der, char *ret_name, size_t cap,
                        bool *ret_self_signed);
/* KW_E_DENIED the certificate's key is not this one (DER SubjectPublicKeyInfo). KW_E_INPUT. */
kw_status ek_cert_is_of(struct kw_op *op, struct kw_span der, struct kw_span spki);
/**
 * Does it lead to one of these roots? at_unix: the time to judge by.
 * KW_E_DENIED, KW_E_EXPIRED with OpenSSL's reason; KW_E_INPUT.
 */
kw_status ek_cert_verify(struct kw_op *op, struct kw_span der, const struct kw_span intermediates[],
                         unsigned n_intermediates, const struct kw_span roots[], unsigned n_roots,
                         int64_t at_unix);

#endif
