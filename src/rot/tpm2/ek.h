/* The endorsement key: who made this TPM. TCG EK Credential Profile 2.x, low-range templates L-1
 * (RSA-2048) and L-2 (ECC P-256). */
#ifndef ROT_TPM2_EK_H
#define ROT_TPM2_EK_H

#include "rot/tpm2/device.h"

struct tpm2_ek_form {
    TPM2_HANDLE certificate; /* NV index */
    TPM2_HANDLE persistent;  /* where provisioning may have left the key */
    const TPM2B_PUBLIC *template_;
};

/* Which endorsement key this TPM is known by: the one that has a certificate; P-256 where both or
 * none has. */
kw_status tpm2_ek_choose(struct kw_op *op, struct tpm2_session *s, const struct tpm2 *self,
                         const struct tpm2_ek_form **ret);
/* DER; empty where the TPM has none. KW_E_DEVICE: what lies there is no certificate. */
kw_status tpm2_ek_certificate(struct kw_op *op, struct tpm2_session *s,
                              const struct tpm2_ek_form *form, struct kw_bytes **ret);
/* The persistent one, or made anew (always the same in one TPM). Flushed by the session. */
kw_status tpm2_ek_open(struct kw_op *op, struct tpm2_session *s, const struct tpm2_ek_form *form,
                       ESYS_TR *ret, TPM2B_PUBLIC **ret_public);

#endif
