/* Public areas: templates of what we make, names, and their form for the rest of the tree. */
#ifndef ROT_TPM2_PUBLIC_H
#define ROT_TPM2_PUBLIC_H

#include <tss2/tss2_tpm2_types.h>

#include "crypto/pubkey.h"
#include "rot/tpm2/index.h"

/* The storage key of TCG's provisioning guidance: ECC P-256, AES-128-CFB, always the same in one
 * TPM. */
extern const TPM2B_PUBLIC tpm2_srk_template;
/* A secret of the user's under a storage key. */
extern const TPM2B_PUBLIC tpm2_sealed_template;

/* Curve and hash of a signing key; NULL for algorithms that a TPM is not asked for. */
struct tpm2_curve {
    enum key_alg alg;
    TPMI_ECC_CURVE id;
    TPMI_ALG_HASH hash;
    unsigned n_bytes;  /* of a coordinate */
    const char *group; /* OpenSSL's names */
    const char *digest;
};
const struct tpm2_curve *tpm2_curve_of(enum key_alg alg);

/* A signing key: made in the TPM, never leaves it, outside dictionary-attack protection (it has no
 * password). */
TPM2B_PUBLIC tpm2_signing_template(const struct tpm2_curve *curve);
/* The same, but restricted: it signs only what the TPM itself says (TPM_GENERATED_VALUE). */
TPM2B_PUBLIC tpm2_attesting_template(const struct tpm2_curve *curve);
/* Is it made from this template, apart from the point? */
bool tpm2_public_fits(const TPMT_PUBLIC *area, const TPM2B_PUBLIC *template_);
bool tpm2_public_is_srk(const TPMT_PUBLIC *area);

/* Name = nameAlg || H(TPMT_PUBLIC), computed here. KW_E_UNSUPPORTED another nameAlg than SHA-256.
 */
kw_status tpm2_public_name(struct kw_op *op, const TPMT_PUBLIC *area, uint8_t ret[TPM2_NAME_BYTES]);
kw_status tpm2_public_key(struct kw_op *op, const TPMT_PUBLIC *area, const struct tpm2_curve *curve,
                          struct pubkey **ret);
/* These PCRs of the SHA-256 bank: bit n for PCR n. */
TPML_PCR_SELECTION tpm2_pcr_selection(uint32_t pcrs);
/* "fixedtpm|fixedparent|…" as tpm2-tools write them. */
void tpm2_attributes_text(TPMA_OBJECT attributes, char *text, size_t cap);

#endif
