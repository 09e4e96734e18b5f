/*
 * Roots of trust: where private keys live. One table of operations; callers ask for capabilities,
 * never for names. Opened by URI: "soft:dir=PATH[,key=FILE]" or "tpm2:dir=PATH,tcti=TCTI", where
 * TCTI is the rest of the line as tpm2-tools take it ("device:/dev/tpmrm0",
 * "swtpm:host=127.0.0.1,port=2321") and PATH keeps which label is which handle; or, as RFC 7512
 * has it, "pkcs11:token=LABEL?module-path=LIBRARY&pin-source=file:PATH" (docs/HSM.md).
 */
#ifndef ROT_ROT_H
#define ROT_ROT_H

#include "base/bytes.h"
#include "base/limits.h"
#include "base/op.h"
#include "base/secret.h"
#include "crypto/privkey.h"
#include "crypto/pubkey.h"

/* PUF and DICE roots come with their own backend: its row in roots_*.c, its URI scheme, and a level
 * of assurance (2); no caller of this header changes for them. */
enum rot_cap {
    ROT_CAP_HARDWARE =
        1 << 0, /* keys are held outside this machine's memory (also true for its simulator) */
    ROT_CAP_SIMULATED =
        1 << 1,            /* a stand-in for hardware: shown wherever the root of trust is shown */
    ROT_CAP_SEAL = 1 << 2, /* seal and unseal */
    ROT_CAP_NO_EXPORT = 1 << 3, /* the private key cannot leave, proven by rot_key_attributes() */
    ROT_CAP_RANDOM = 1 << 4,    /* own random number generator */
    ROT_CAP_ATTEST = 1 << 5,    /* rot_attest_*: says of itself what runs and which keys it holds */
};

struct rot; /* an open root of trust; its operations are serialised inside, any thread may call */
struct rot_key; /* an open key of it */

struct rot_info {
    char scheme[16]; /* "soft", "tpm2", "pkcs11" */
    char vendor[68]; /* "software file", TPM manufacturer and firmware version, HSM and serial */
    unsigned caps;   /* enum rot_cap */
    unsigned
        assurance_level; /* docs/DEVICE.md 3.3: 0 software, 1 secure element, 2 DICE/PUF, 3 TPM */
};

/**
 * Open by URI. Errors: KW_E_INPUT bad URI, KW_E_UNSUPPORTED scheme, KW_E_UNAVAILABLE device absent
 * or busy (retry is safe), KW_E_DEVICE not what it claims to be. Blocks.
 */
kw_status rot_open(struct kw_op *op, const char *uri, struct rot **ret);
void rot_close(struct rot *rot);
KW_OWNED(rot, struct rot, rot_close)
struct rot_info rot_info(const struct rot *rot);

/**
 * Make a signing key inside the root of trust under a label ("idevid", "ldevid-2"; letters, digits,
 * '-', at most 32). Durable on return. Errors: KW_E_CONFLICT the label is taken, KW_E_UNSUPPORTED
 * algorithm, KW_E_FULL no room left, KW_E_UNAVAILABLE. Nothing remains after a failure.
 */
kw_status rot_key_generate(struct kw_op *op, struct rot *rot, const char *label, enum key_alg alg,
                           struct rot_key **ret);
/* Open an existing key. KW_E_NOT_FOUND; KW_E_INTEGRITY its stored form was altered. */
kw_status rot_key_load(struct kw_op *op, struct rot *rot, const char *label, struct rot_key **ret);
void rot_key_close(struct rot_key *key);
KW_OWNED(rot_key, struct rot_key, rot_key_close)

const struct pubkey *rot_key_public(const struct rot_key *key); /* borrowed */
/* Sign a message with the algorithm's hash (see pubkey_verify). Errors: KW_E_UNAVAILABLE,
 * KW_E_DENIED, KW_E_DEVICE. Blocks. */
kw_status rot_key_sign(struct kw_op *op, struct rot_key *key, struct kw_span message,
                       struct kw_out *sig);
/* The same key for OpenSSL users (CSR, TLS). Takes over `key` (pass TAKE(key)), also where it
 * fails. */
kw_status rot_key_privkey(struct kw_op *op, struct rot_key *key, struct privkey **ret);
/* What the root of trust itself says of the key, one line: "tpm2 handle=0x81004b01
 * fixedtpm|fixedparent|…". */
kw_status rot_key_attributes(struct kw_op *op, struct rot_key *key, char *text, size_t cap);
/**
 * Destroy the key and prove that it is gone: the object is removed, then loading it must fail and,
 * for files, the place on disk is overwritten and read back as zeroes before it is unlinked.
 * KW_E_DEVICE where the proof fails. Fine (KW_OK) where the label was absent. ret_proof: one line
 * for the receipt. Open keys of that label sign no more from here on (KW_E_STATE), whatever comes
 * of it. Where a TPM was cleared or replaced there is no proof (KW_E_DEVICE), but the label is free
 * again.
 */
kw_status rot_key_destroy(struct kw_op *op, struct rot *rot, const char *label, char *ret_proof,
                          size_t cap);
/* Where no key is left: what was ever sealed here opens no more, nor do older copies of its files.
 * Does nothing where other keys are left, or where what seals is not this one's alone: a token's
 * sealing key, a TPM's storage key, a key-encrypting key in a file of somebody else's. */
kw_status rot_forget(struct kw_op *op, struct rot *rot);
/* Call each(label) for every key that rot_key_load() opens. */
kw_status rot_key_each(struct kw_op *op, struct rot *rot,
                       kw_status (*each)(struct kw_op *op, const char *label, void *ctx),
                       void *ctx);

/* Seal octets (≤ 128) so that only this root of trust opens them. KW_E_UNSUPPORTED without
 * ROT_CAP_SEAL. */
kw_status rot_seal(struct kw_op *op, struct rot *rot, const struct kw_secret *plain,
                   struct kw_bytes **ret);
/* KW_E_INTEGRITY altered or another root of trust's. */
kw_status rot_unseal(struct kw_op *op, struct rot *rot, struct kw_span sealed,
                     struct kw_secret **ret);

/*
 * Attestation (docs/ROOTS-OF-TRUST.md). The attestation key has its own label, which no other key
 * can have; it is made when it is first needed and destroyed by rot_key_destroy(ROT_ATTEST_LABEL).
 * All four: KW_E_UNSUPPORTED without ROT_CAP_ATTEST; KW_E_INTEGRITY the TPM was cleared or
 * replaced; otherwise the errors of rot_key_sign().
 */
#define ROT_ATTEST_LABEL "ak"
enum { ROT_PCRS = 24, ROT_PCR_MASK_BYTES = 3, ROT_QUALIFYING_MAX = 32 };

struct rot_attest_keys {
    struct kw_bytes *ek_cert; /* DER; empty where the manufacturer left none in the TPM */
    struct kw_bytes *ek_public, *ak_public; /* TPM2B_PUBLIC as the TPM has it */
};
void rot_attest_keys_done(struct rot_attest_keys *keys);

/* A key of this root of trust, certified by its attestation key (TPM2_Certify). */
struct rot_certified {
    struct kw_bytes *key_public; /* TPM2B_PUBLIC */
    struct kw_bytes *attest;     /* TPMS_ATTEST, no size before it */
    struct kw_bytes *sig;        /* TPMT_SIGNATURE */
};
void rot_certified_done(struct rot_certified *certified);

struct rot_quote {
    struct kw_bytes *attest;               /* TPMS_ATTEST */
    struct kw_bytes *sig;                  /* TPMT_SIGNATURE */
    uint8_t pcrs[ROT_PCRS][KW_HASH_BYTES]; /* those of the mask; the others are zeroes */
};
void rot_quote_done(struct rot_quote *quote);

/**
 * Endorsement key and attestation key. The latter is a restricted P-256 signing key that never
 * leaves (fixedTPM, fixedParent, sensitiveDataOrigin), outside dictionary-attack protection.
 * ret: zeroes before; filled on success, freed with rot_attest_keys_done(). Blocks; the first call
 * makes keys.
 */
kw_status rot_attest_keys(struct kw_op *op, struct rot *rot, struct rot_attest_keys *ret);
/**
 * Prove that the attestation key lies in the same TPM as the endorsement key: open a credential
 * that was made for both (TPM2_MakeCredential). blob: TPM2B_ID_OBJECT, secret:
 * TPM2B_ENCRYPTED_SECRET. KW_E_DENIED: it was made for other keys, or altered. KW_E_INPUT: no such
 * structures.
 */
kw_status rot_attest_activate(struct kw_op *op, struct rot *rot, struct kw_span blob,
                              struct kw_span secret, struct kw_secret **ret);
/* key: opened from the same root of trust. qualifying: at most ROT_QUALIFYING_MAX octets. */
kw_status rot_attest_certify(struct kw_op *op, struct rot *rot, struct rot_key *key,
                             struct kw_span qualifying, struct rot_certified *ret);
/**
 * The PCRs (SHA-256 bank) that the mask has, bit 0 of its first octet being PCR 0, signed together
 * with `qualifying`. The values returned are those that were signed. KW_E_UNAVAILABLE: they changed
 * each time while they were read (retry is safe).
 */
kw_status rot_attest_quote(struct kw_op *op, struct rot *rot, struct kw_span qualifying,
                           const uint8_t mask[ROT_PCR_MASK_BYTES], struct rot_quote *ret);

#endif
