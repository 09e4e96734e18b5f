/* Between attest.c and quote.c: what the attestation key says. */
#ifndef ROT_TPM2_ATTEST_H
#define ROT_TPM2_ATTEST_H

#include "rot/tpm2/device.h"

/* KW_E_NOT_FOUND: rot_attest_keys() makes it. */
kw_status tpm2_ak_load(struct kw_op *op, struct tpm2 *self, struct tpm2_key **ret);
TPM2B_DATA tpm2_qualifying(struct kw_span octets);
/* A statement (TPMS_ATTEST) and its signature (TPMT_SIGNATURE) in their wire forms; the signature
 * is verified first. */
kw_status tpm2_statement_take(struct kw_op *op, const struct tpm2_key *ak, const TPM2B_ATTEST *said,
                              const TPMT_SIGNATURE *signature, struct kw_bytes **ret_attest,
                              struct kw_bytes **ret_sig);

#endif
