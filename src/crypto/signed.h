/*
 * RFC 5280 section 4.1.1: SIGNED{} = SEQUENCE { to be signed, AlgorithmIdentifier, BIT STRING },
 * the outer form of certificates, requests, revocation lists and OCSP answers. For crypto/ only.
 */
#ifndef CRYPTO_SIGNED_H
#define CRYPTO_SIGNED_H

#include "crypto/der.h"
#include "crypto/privkey.h"
#include "crypto/pubkey.h"

struct signed_der {
    struct kw_span tbs;       /* with its header */
    struct kw_span alg;       /* DER AlgorithmIdentifier */
    struct kw_span signature; /* octets of the BIT STRING, which has no unused bits */
    enum key_alg key_alg;     /* KEY_ALG_NONE for an algorithm that we do not make */
};

/* Split; everything is borrowed from der. Strict DER only. KW_E_INPUT. */
kw_status signed_parse(struct kw_op *op, struct kw_span der, struct signed_der *ret);
/* KW_E_DENIED also where the algorithm is not the one of the key. */
kw_status signed_verify(struct kw_op *op, const struct signed_der *object,
                        const struct pubkey *key);
/*
 * The proof in what others ask for (PKCS#10, CRMF, CMP): SHA-256, SHA-384 or SHA-512 with any key
 * of the algorithm's kind, since `openssl req` signs with SHA-256 whatever the curve. `alg` is the
 * DER AlgorithmIdentifier. KW_E_UNSUPPORTED for other algorithms, KW_E_INPUT where it is none,
 * KW_E_DENIED where the signature is not the key's.
 */
kw_status signed_verify_request(struct kw_op *op, struct kw_span alg, struct kw_span message,
                                struct kw_span signature, const struct pubkey *key);
/* Does signed_verify_request() take signatures by this algorithm? */
bool signed_alg_is_taken(struct kw_span alg);
/* Sign `tbs`, whose own algorithm field is signed_alg_new() of the same key. Errors: those of the
 * key. */
kw_status signed_build(struct kw_op *op, struct kw_span tbs, const struct privkey *key,
                       struct kw_bytes **ret);
/* The same form with an empty signature: what a keeper is asked to sign, made readable. */
kw_status signed_wrap(struct kw_op *op, struct kw_span tbs, struct kw_span alg,
                      struct kw_bytes **ret);

/* The AlgorithmIdentifier of signatures by such a key: parameters absent, NULL for RSA. */
kw_status signed_alg_new(struct kw_op *op, enum key_alg alg, X509_ALGOR **ret);
/* KEY_ALG_NONE for others and for wrong parameters. */
enum key_alg signed_alg_of(const X509_ALGOR *algor);

#endif
