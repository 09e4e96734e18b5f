/* An open TPM root of trust, inside rot/tpm2 only. */
#ifndef ROT_TPM2_DEVICE_H
#define ROT_TPM2_DEVICE_H

#include "rot/ops.h"
#include "rot/tpm2/public.h"
#include "rot/tpm2/session.h"

struct tpm2 {
    struct rot_info info;
    unsigned algs; /* KEY_ALG_BIT of what it can make */
    char dir[KW_PATH_BYTES];
    char index_path[KW_PATH_BYTES];
    char tcti[KW_URI_MAX];
    int64_t timeout_ms; /* of a visit */
    uint32_t pcrs;      /* bits: what seals are bound to; 0: to this TPM alone */
};

struct tpm2_key {
    struct tpm2_entry entry; /* as it was when the key was opened */
    struct pubkey *public_key;
};
void tpm2_key_free(struct tpm2_key *key);
KW_OWNED(tpm2_key, struct tpm2_key, tpm2_key_free)

/* A visit within timeout= of the URI. Where an earlier one was given up it first takes away what
 * that left loaded. */
kw_status tpm2_visit(struct kw_op *op, const struct tpm2 *self, struct tpm2_session **ret);

/**
 * The storage key: the persistent one at 0x81000001 where it is TCG's, otherwise made anew (same
 * key, same Name). want_name: which it has to be (TPM2_NAME_BYTES), NULL for any; KW_E_INTEGRITY
 * where this TPM has no such key. ret_name may be NULL. Flushed by the session.
 */
kw_status tpm2_srk_open(struct kw_op *op, struct tpm2_session *s, const uint8_t *want_name,
                        ESYS_TR *ret, uint8_t ret_name[TPM2_NAME_BYTES]);

/* What the entry's key is made from: the attestation key where its label says so. */
TPM2B_PUBLIC tpm2_entry_template(const struct tpm2_entry *entry, const struct tpm2_curve *curve);
/* The entry's object, which must be the one that was made under this label; KW_E_INTEGRITY where
 * the TPM has it no more. */
kw_status tpm2_key_open(struct kw_op *op, struct tpm2_session *s, const struct tpm2_entry *entry,
                        ESYS_TR *ret);
/* What the TPM says of it now; its Name is computed here and compared. */
kw_status tpm2_key_read(struct kw_op *op, struct tpm2_session *s, const struct tpm2_entry *entry,
                        TPM2B_PUBLIC **ret);
/* r and s as DER ECDSA-Sig-Value. */
kw_status tpm2_signature_der(struct kw_op *op, const TPMS_SIGNATURE_ECDSA *from,
                             struct kw_out *sig);

/* Read what it is: fills info and algs. KW_E_DEVICE not a TPM 2.0. */
kw_status tpm2_identify(struct kw_op *op, struct tpm2_session *s, struct tpm2 *self);
/* One capability, freed with AUTO(TPMS_CAPABILITY_DATA). */
kw_status tpm2_capability(struct kw_op *op, struct tpm2_session *s, TPM2_CAP which, uint32_t from,
                          uint32_t count, TPMS_CAPABILITY_DATA **ret);

/**
 * Clear up behind a power cut: pending entries (and their persistent objects, where the Name is the
 * entry's), and transient objects of ours on a TPM without resource manager. The folder is locked
 * by the caller.
 */
kw_status tpm2_sweep(struct kw_op *op, struct tpm2_session *s, const struct tpm2 *self,
                     struct tpm2_index *index);
/* The transient ones alone; the folder need not be locked. */
kw_status tpm2_sweep_loaded(struct kw_op *op, struct tpm2_session *s,
                            const struct tpm2_index *index);
/* Take a persistent object away. */
kw_status tpm2_evict(struct kw_op *op, struct tpm2_session *s, ESYS_TR object, TPM2_HANDLE handle);
/* Has this object the Name? */
bool tpm2_has_name(struct tpm2_session *s, ESYS_TR object, const uint8_t name[TPM2_NAME_BYTES]);

/* The operations of rot/ops.h. */
kw_status tpm2_generate(struct kw_op *op, void *self, const char *label, enum key_alg alg,
                        void **ret_key, struct pubkey **ret_public);
kw_status tpm2_load(struct kw_op *op, void *self, const char *label, void **ret_key,
                    struct pubkey **ret_public);
void tpm2_key_close(void *self, void *key);
kw_status tpm2_sign(struct kw_op *op, void *self, void *key, enum key_alg alg,
                    struct kw_span message, struct kw_out *sig);
kw_status tpm2_attributes(struct kw_op *op, void *self, void *key, char *text, size_t cap);
kw_status tpm2_destroy(struct kw_op *op, void *self, const char *label, char *ret_proof,
                       size_t cap);
kw_status tpm2_each(struct kw_op *op, void *self,
                    kw_status (*each)(struct kw_op *op, const char *label, void *ctx), void *ctx);
kw_status tpm2_seal(struct kw_op *op, void *self, const struct kw_secret *plain,
                    struct kw_bytes **ret);
kw_status tpm2_unseal(struct kw_op *op, void *self, struct kw_span sealed, struct kw_secret **ret);
kw_status tpm2_attest_keys(struct kw_op *op, void *self, struct rot_attest_keys *ret);
kw_status tpm2_attest_activate(struct kw_op *op, void *self, struct kw_span blob,
                               struct kw_span secret, struct kw_secret **ret);
kw_status tpm2_attest_certify(struct kw_op *op, void *self, void *key, struct kw_span qualifying,
                              struct rot_certified *ret);
kw_status tpm2_attest_quote(struct kw_op *op, void *self, struct kw_span qualifying,
                            const uint8_t mask[ROT_PCR_MASK_BYTES], struct rot_quote *ret);

#endif
