/* PKCS#10 certification requests (RFC 2986). */
#ifndef CRYPTO_CSR_H
#define CRYPTO_CSR_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/op.h"
#include "crypto/privkey.h"
#include "crypto/pubkey.h"

struct csr; /* a parsed request whose signature was verified: there is no other kind */

/**
 * Read a DER request and check its proof of possession.
 * Errors: KW_E_INPUT not DER, trailing octets, over KW_CSR_MAX; KW_E_UNSUPPORTED key algorithm;
 *         KW_E_DENIED the signature does not verify with the request's own key.
 */
kw_status csr_parse(struct kw_op *op, struct kw_span der, struct csr **ret);
void csr_free(struct csr *csr);
KW_OWNED(csr, struct csr, csr_free)

/* The DER of the first request in a text. False: there is none. The older label is keytool's and
 * Windows' (RFC 7468 section 7). */
bool csr_find_pem(struct kw_span text, struct kw_bytes **ret);

/* All borrowed. */
struct kw_span csr_der(const struct csr *csr);
const uint8_t *csr_sha256(const struct csr *csr);
/* SHA-256 of what is asked for, without signature and challengePassword: the same for the same
 * request made anew, for another connection too. */
const uint8_t *csr_asked_sha256(const struct csr *csr);
const struct pubkey *csr_public(const struct csr *csr);
struct kw_span csr_subject(const struct csr *csr); /* DER Name: a request, never an authorisation */
const char *csr_challenge(const struct csr *csr);  /* challengePassword or NULL */
/* RFC 7030 section 4.4.1: by which key the client will decrypt a private key that is made for it.
 * Empty = not said. */
struct kw_span csr_decrypt_key(const struct csr *csr); /* AsymmetricDecryptKeyIdentifier */
struct kw_span csr_decrypt_secret(
    const struct csr *csr); /* DecryptKeyIdentifier: of a symmetric one */
unsigned csr_san_count(const struct csr *csr);
const char *csr_san(const struct csr *csr, unsigned i); /* as cert_san() */

/* Make a request with a soft or remote key. ret: DER. */
kw_status csr_build(struct kw_op *op, struct kw_span subject_dn, const struct privkey *key,
                    struct kw_bytes **ret);

#endif
