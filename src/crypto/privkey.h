/*
 * A private key that can be used: held in this process (soft), or held elsewhere behind a function
 * (remote: the keeper, a TPM). Both serve X.509, CSR, CRL, OCSP and TLS alike, through one small
 * OpenSSL provider (remote_provider.c).
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
 * op       the operation of the thread that signs (see privkey_sign() and PRIVKEY_SCOPE); never
 * NULL: where OpenSSL signs by itself (TLS handshake) it is a fresh one with a deadline of
 *          PRIVKEY_TLS_DEADLINE_MS. The reason of a refusal goes here.
 * ctx      as given to privkey_remote()
 * message  the exact octets to be signed (a TBSCertificate, a TLS CertificateVerify content, …),
 * not a digest; borrowed for the call pss      RSA only: PSS with SHA-256, MGF1-SHA-256 and a salt
 * of 32 octets (TLS 1.3) rather than PKCS#1 v1.5 with SHA-256 sig      EC: DER ECDSA-Sig-Value,
 * Ed25519: 64 octets, RSA: as long as the modulus. Room of KW_SIG_MAX.
 */
typedef kw_status (*privkey_sign_fn)(struct kw_op *op, void *ctx, struct kw_span message, bool pss,
                                     struct kw_out *sig);

enum { PRIVKEY_TLS_DEADLINE_MS = 2000 };

/**
 * Have OpenSSL overwrite all memory that it frees, also where it forgets to (its PKCS#8 code does).
 * For processes that hold keys; before any other call to OpenSSL. False where it is too late.
 */
bool crypto_wipe_freed(void);
/**
 * Have OpenSSL keep private numbers in a heap of its own that is locked in memory, left out of core
 * dumps and guarded. After crypto_wipe_freed(), before the first key. False where the lock limit
 * forbids it: then keys lie in ordinary memory of a process that leaves no core dump.
 */
bool crypto_lock_keys(void);

/* A fresh key from OpenSSL's DRBG. KW_E_UNSUPPORTED no such algorithm. */
kw_status privkey_generate(struct kw_op *op, enum key_alg alg, struct privkey **ret);
/**
 * From PKCS#8 DER. Its public half is recomputed or tested with a signature, never just believed.
 * Errors: KW_E_INPUT not exactly one unencrypted PKCS#8, or its halves do not match;
 * KW_E_UNSUPPORTED.
 */
kw_status privkey_from_pkcs8(struct kw_op *op, const struct kw_secret *pkcs8, struct privkey **ret);
/* To PKCS#8 DER; soft keys only, KW_E_DENIED for remote ones. */
kw_status privkey_to_pkcs8(struct kw_op *op, const struct privkey *key, struct kw_secret **ret);
/**
 * A key that lives elsewhere. `ctx` is handed to `sign`, from any thread and many at once, until
 * the last reference goes (OpenSSL's own in an SSL_CTX included); then ctx_free(ctx) is called (may
 * be NULL). On failure ctx stays the caller's.
 */
kw_status privkey_remote(struct kw_op *op, const struct pubkey *public_key, privkey_sign_fn sign,
                         void *ctx, void (*ctx_free)(void *ctx), struct privkey **ret);
struct privkey *privkey_ref(const struct privkey *key);
void privkey_unref(struct privkey *key);
KW_OWNED(privkey, struct privkey, privkey_unref)

const struct pubkey *privkey_public(const struct privkey *key); /* borrowed */
bool privkey_is_remote(const struct privkey *key);
/**
 * Sign a message with the algorithm's own hash (see pubkey_verify). Room of KW_SIG_MAX always
 * suffices; sig is unchanged on failure. A remote key's function is called directly with this op.
 * Errors: those of the sign function; KW_E_DEVICE it gave no possible signature; KW_E_TOO_LARGE
 * sig.
 */
kw_status privkey_sign(struct kw_op *op, const struct privkey *key, struct kw_span message,
                       struct kw_out *sig);
/*
 * The EVP_PKEY, borrowed, for OpenSSL calls in crypto/ and net/tls: X509_sign(),
 * SSL_CTX_use_PrivateKey(), … Only signing works with a remote one: put
 * pubkey_evp(privkey_public(key)) into certificates and requests, and verify with that.
 */
void *privkey_evp(const struct privkey *key);

/*
 * While OpenSSL code runs that may sign with a remote key, this operation is the one that its sign
 * function gets (deadline, principal, reason of a refusal), and OSSL_ENSURE() hands its code on.
 * Per thread, nests; starts with an empty OpenSSL error queue. crypto's own builders do it
 * themselves. PRIVKEY_SCOPE(op);
 */
struct kw_op *privkey_scope_enter(struct kw_op *op);
void privkey_scope_leave(struct kw_op **previous);
#define PRIVKEY_SCOPE(op) PRIVKEY_SCOPE_AT_(op, __LINE__)
#define PRIVKEY_SCOPE_AT_(op, line) PRIVKEY_SCOPE_NAMED_(op, line)
#define PRIVKEY_SCOPE_NAMED_(op, line)                                                             \
    __attribute__((cleanup(privkey_scope_leave), unused)) struct kw_op *scope_previous_##line =    \
        privkey_scope_enter(op)

#endif
