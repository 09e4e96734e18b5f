/* Public keys: SubjectPublicKeyInfo in and out, identification, verification. */
#ifndef CRYPTO_PUBKEY_H
#define CRYPTO_PUBKEY_H

#include "base/bytes.h"
#include "base/limits.h"
#include "base/op.h"
#include "crypto/alg.h"

struct pubkey; /* immutable, reference counted: share it between threads freely */

/**
 * Read a DER SubjectPublicKeyInfo. One key has exactly one form here: named curve, uncompressed
 * point. Errors: KW_E_INPUT not DER, point not on the curve or compressed, explicit curve
 * parameters, trailing octets, even RSA modulus; KW_E_UNSUPPORTED an algorithm or size that has no
 * enum key_alg (RSA outside 3072..4096 bits, a public exponent below 65537 or over 64 bits);
 * KW_E_TOO_LARGE.
 */
kw_status pubkey_parse(struct kw_op *op, struct kw_span spki, struct pubkey **ret);
/*
 * From an EVP_PKEY (const EVP_PKEY *), of which only the public half is looked at. Who has the DER
 * (a certificate's or request's X509_PUBKEY, by i2d_X509_PUBKEY()) parses that instead: three times
 * faster, and what OpenSSL tolerated is not lost from sight.
 */
kw_status pubkey_from_evp(struct kw_op *op, const void *evp_pkey, struct pubkey **ret);
struct pubkey *pubkey_ref(const struct pubkey *key);
void pubkey_unref(struct pubkey *key);
KW_OWNED(pubkey, struct pubkey, pubkey_unref)

enum key_alg pubkey_alg(const struct pubkey *key);
/* The DER SubjectPublicKeyInfo, borrowed. */
struct kw_span pubkey_spki(const struct pubkey *key);
/* SHA-256 over the DER SubjectPublicKeyInfo: the name of this key everywhere in Keywright.
 * Borrowed. */
const uint8_t *pubkey_id(const struct pubkey *key);
/* SHA-1 over the BIT STRING value (RFC 5280 section 4.2.1.2 method 1): SKI, AKI and OCSP key hash.
 */
const uint8_t *pubkey_sha1(const struct pubkey *key);
/* SHA-256 over the same BIT STRING value: the key hash of SHA-256 OCSP CertIDs. Borrowed. */
const uint8_t *pubkey_bits_sha256(const struct pubkey *key);
bool pubkey_equal(const struct pubkey *a, const struct pubkey *b);
/* Raw key: 32 octets for Ed25519; KW_E_UNSUPPORTED for others. */
kw_status pubkey_raw(struct kw_op *op, const struct pubkey *key, struct kw_out *out);
/* The EVP_PKEY, borrowed, for OpenSSL calls in crypto/, net/ and rot/; any thread. NULL: no memory,
 * which those calls refuse. */
void *pubkey_evp(const struct pubkey *key);

/**
 * Verify a signature over a message with the algorithm's own hash (P-256/SHA-256, P-384/SHA-384,
 * Ed25519, RSA PKCS#1 v1.5/SHA-256).  KW_E_DENIED "signature does not verify".
 */
kw_status pubkey_verify(struct kw_op *op, const struct pubkey *key, struct kw_span message,
                        struct kw_span signature);
/* The same with another hash, by its OpenSSL name; NULL: Ed25519, which has none of its own. */
kw_status pubkey_verify_hashed(struct kw_op *op, const struct pubkey *key, const char *hash,
                               struct kw_span message, struct kw_span signature);

#endif
