/*
 * What a TPM says, as it is on the wire (TCG TPM 2.0 part 2): public areas, statements, signatures.
 * Only what attestation takes; all else is refused. Everything is borrowed from the input.
 */
#ifndef CRYPTO_TPM_READ_H
#define CRYPTO_TPM_READ_H

#include "base/bytes.h"
#include "base/limits.h"
#include "base/op.h"
#include "crypto/pubkey.h"

/* TPMA_OBJECT */
enum tpm_attribute {
    TPM_FIXED_TPM = 1 << 1,
    TPM_FIXED_PARENT = 1 << 4,
    TPM_SENSITIVE_DATA_ORIGIN = 1 << 5,
    TPM_USER_WITH_AUTH = 1 << 6,
    TPM_RESTRICTED = 1 << 16,
    TPM_DECRYPT = 1 << 17,
    TPM_SIGN = 1 << 18,
};
enum {
    TPM_ALG_RSA = 0x0001,
    TPM_ALG_AES = 0x0006,
    TPM_ALG_SHA256 = 0x000b,
    TPM_ALG_NULL = 0x0010,
    TPM_ALG_ECDSA = 0x0018,
    TPM_ALG_ECC = 0x0023,
    TPM_ALG_CFB = 0x0043,
    TPM_NAME_BYTES = 2 + KW_HASH_BYTES,
    TPM_PCRS = 24,
};

struct tpm_public {
    struct kw_span area; /* TPMT_PUBLIC, without a size */
    uint16_t type, name_alg;
    uint32_t attributes;
    uint16_t symmetric, symmetric_bits, symmetric_mode;
    uint16_t scheme, scheme_hash;
    uint16_t bits;                /* RSA */
    uint32_t exponent;            /* RSA; 0 = 65537 */
    uint16_t curve;               /* ECC: 3 is P-256 */
    struct kw_span n, x, y;       /* RSA; ECC */
    uint8_t name[TPM_NAME_BYTES]; /* its name; only SHA-256 names are taken */
};
/* A TPM2B_PUBLIC (with_size), or a TPMT_PUBLIC. KW_E_INPUT, KW_E_UNSUPPORTED another name algorithm
 * than SHA-256, or neither RSA nor ECC. */
kw_status tpm_public_read(struct kw_op *op, struct kw_span octets, bool with_size,
                          struct tpm_public *ret);
/* Its key as DER SubjectPublicKeyInfo: RSA of 2048 to 4096 bits, P-256. KW_E_UNSUPPORTED. */
kw_status tpm_public_spki(struct kw_op *op, const struct tpm_public *area, struct kw_bytes **ret);

enum tpm_statement_kind { TPM_STATEMENT_CERTIFY = 0x8017, TPM_STATEMENT_QUOTE = 0x8018 };
enum { TPM_MAGIC = 0xff544347 };
struct tpm_statement {
    uint32_t magic; /* TPM_MAGIC, or it was not made by a TPM; not judged here */
    uint16_t kind;  /* enum tpm_statement_kind; of another kind nothing below `firmware` is read */
    struct kw_span signer, extra;
    uint64_t clock_ms;
    uint32_t reset_count, restart_count;
    bool clock_safe;
    uint64_t firmware;
    struct kw_span name;       /* certify */
    bool one_sha256_bank;      /* quote: exactly one selection, of the SHA-256 bank */
    uint8_t pcr_mask[3];       /* quote */
    struct kw_span pcr_digest; /* quote */
};
/* TPMS_ATTEST. KW_E_INPUT. */
kw_status tpm_statement_read(struct kw_op *op, struct kw_span octets, struct tpm_statement *ret);
/* Is TPMT_SIGNATURE (ECDSA, SHA-256) the key's over the octets? KW_E_INPUT malformed, KW_E_DENIED.
 */
kw_status tpm_signature_verify(struct kw_op *op, const struct pubkey *key, struct kw_span octets,
                               struct kw_span signature);

#endif
