/* TPM2_MakeCredential without a TPM (TCG TPM 2.0 part 1, annexes B.10.4, C.6.4 and section 24). */
#ifndef CRYPTO_TPM_CREDENTIAL_H
#define CRYPTO_TPM_CREDENTIAL_H

#include "crypto/tpm_read.h"

/**
 * Encrypt `secret` so that only the TPM that holds `ek` gives it back, and only where a key of this
 * name lies in it. ek: RSA or P-256 with AES-128 or AES-256 CFB, SHA-256 name.
 * ret_blob: TPM2B_ID_OBJECT; ret_seed: TPM2B_ENCRYPTED_SECRET; both with their size.
 */
kw_status tpm_credential_make(struct kw_op *op, const struct tpm_public *ek, struct kw_span name,
                              struct kw_span secret, struct kw_bytes **ret_blob,
                              struct kw_bytes **ret_seed);

#endif
