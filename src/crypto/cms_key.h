/* Private keys made for others, in transit (RFC 7030 section 4.4.2, RFC 5958, RFC 5652). */
#ifndef CRYPTO_CMS_KEY_H
#define CRYPTO_CMS_KEY_H

#include "base/bytes.h"
#include "base/op.h"
#include "crypto/privkey.h"

/**
 * EnvelopedData (AES-256-CBC) for one recipient, of SignedData of an AsymmetricKeyPackage. It is
 * signed by the key that is in it, so the certificate issued for that key verifies it.
 *
 * key           soft; a copy of it leaves in ret, encrypted
 * recipient     EC (ECDH with SHA-256, AES-256 wrap) or RSA (OAEP with SHA-256)
 * recipient_id  subject key identifier by which the recipient knows its key, 1..64 octets
 *
 * Errors  KW_E_UNSUPPORTED nothing can be encrypted to such a key, or the new one signs no CMS
 * Secrets what it writes on the way lies in memory that is wiped
 */
kw_status cms_key_seal(struct kw_op *op, const struct privkey *key, const struct pubkey *recipient,
                       struct kw_span recipient_id, struct kw_bytes **ret);

#endif
