/* Files that leave a device: signed by it, then encrypted for one reader (RFC 5652, RFC 5083). */
#ifndef CRYPTO_CMS_FILE_H
#define CRYPTO_CMS_FILE_H

#include "base/bytes.h"
#include "base/op.h"
#include "crypto/cert.h"
#include "crypto/privkey.h"

enum { CMS_FILE_MAX = 16 << 20, CMS_FILE_CHAIN_MAX = 4 };

/**
 * AuthEnvelopedData (AES-256-GCM) of SignedData of the content. The signature covers content, time
 * and the signer's certificate (RFC 5035); the certificates are inside, so that only the reader
 * learns who wrote.
 *
 * content    1..CMS_FILE_MAX octets
 * key        EC, may be remote; chain[0] is its certificate
 * recipient  EC (ECDH with SHA-256, AES-256 wrap) or RSA (OAEP with SHA-256); the caller has judged
 *            it
 * at_unix    the time to state
 *
 * Errors  KW_E_TOO_LARGE; KW_E_UNSUPPORTED nothing can be encrypted to such a key; those of the
 *         key, with its words
 * Blocks  as the key does
 */
kw_status cms_file_protect(struct kw_op *op, struct kw_span content, const struct privkey *key,
                           struct cert *const chain[], unsigned n_chain,
                           const struct cert *recipient, int64_t at_unix, struct kw_bytes **ret);

#endif
