/*
 * A private key that can be used: held in this process (soft), or held elsewhere behind a function (remote:
 * the keeper, a TPM). Both serve X.509, CSR, CRL, OCSP and TLS alike, through one small OpenSSL provider.
 */
#ifndef CRYPTO_PRIVKEY_H
#define CRYPTO_PRIVKEY_H

#include "base/bytes.h"
#include "base/op.h"
#include "base/secret.h"
#include "crypto/pubkey.h"

struct privkey; /* immutable, reference counted */

/**
 * Sign a whole message elsewhere.
 *
 * op       the operation of the thread that signs (see privkey_sign and crypto/scope.h); never NULL: where OpenSSL
 *          signs by itself (TLS handshake) it is a fresh one with a deadline of PRIVKEY_TLS_DEADLINE_MS
 * ctx      as given to privkey_remote()
 * message  the exact octets to be signed (a TBSCertificate, a TLS CertificateVerify content, …), not a digest
 * sig      EC: DER ECDSA-Sig-Value, Ed25519: 64 octets, RSA: PKCS#1 v1.5 or PSS as `pss` says
 */
typedef kw_status (*privkey_sign_fn)(struct kw_op *op, void *ctx, struct kw_span message, bool pss,
                                     struct kw_out *sig);

enum { PRIVKEY_TLS_DEADLINE_MS = 500 };

/* A fresh key from OpenSSL's DRBG. */
kw_status privkey_generate(struct kw_op *op, enum key_alg alg, struct privkey **ret);
/* From PKCS#8 DER. KW_E_INPUT. */
kw_status privkey_from_pkcs8(struct kw_op *op, const struct kw_secret *pkcs8, struct privkey **ret);
/* To PKCS#8 DER; soft keys only, KW_E_DENIED for remote ones. */
kw_status privkey_to_pkcs8(struct kw_op *op, const struct privkey *key, struct kw_secret **ret);
/**
 * A key that lives elsewhere. `ctx` is handed to `sign`, from any thread, until the last reference goes;
 * then ctx_free(ctx) is called (may be NULL).
 */
kw_status privkey_remote(struct kw_op *op, const struct pubkey *public_key, privkey_sign_fn sign,
                         void *ctx, void (*ctx_free)(void *ctx), struct privkey **ret);
struct privkey *privkey_ref(const struct privkey *key);
void privkey_unref(struct privkey *key);
KW_OWNED(privkey, struct privkey, privkey_unref)

const struct pubkey *privkey_public(const struct privkey *key); /* borrowed */
bool privkey_is_remote(const struct privkey *key);
/* Sign a message with the algorithm's own hash (see pubkey_verify). Room of KW_SIG_MAX always suffices. */
kw_status privkey_sign(struct kw_op *op, const struct privkey *key, struct kw_span message,
                       struct kw_out *sig);
/* The EVP_PKEY, borrowed, for OpenSSL calls in crypto/ and net/tls. */
void *privkey_evp(const struct privkey *key);

/*
 * While OpenSSL code runs that may sign with a remote key, this operation is the one that its sign function gets
 * (deadline, principal, reason of a refusal). Per thread, nests; crypto's own builders do it themselves.
 *     PRIVKEY_SCOPE(op);
 */
struct kw_op *privkey_scope_enter(struct kw_op *op);
void privkey_scope_leave(struct kw_op **previous);
#define PRIVKEY_SCOPE(op)                                                                          \
    __attribute__((cleanup(privkey_scope_leave), unused)) struct kw_op *scope_previous_ =          \
        privkey_scope_enter(op)

#endif
