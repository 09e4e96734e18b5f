/*
 * A box for one recipient: whoever has the public key can put something in, only the holder of the
 * private key takes it out. X25519 with a fresh key for each box, HKDF-SHA-256, AES-256-GCM.
 * It says nothing about who sealed it. The private key is 32 octets, so that crypto/share.h can
 * split it.
 *
 *     32 octets  public half of the fresh key
 *     28 + n     AES-256-GCM (crypto/aead.h) of the content, aad = info, under
 *                HKDF-SHA-256(X25519(fresh, recipient), no salt, "keywright box v1" || fresh ||
 *                recipient)
 */
#ifndef CRYPTO_BOX_H
#define CRYPTO_BOX_H

#include "base/bytes.h"
#include "base/op.h"
#include "base/secret.h"
#include "crypto/aead.h"

enum { BOX_KEY_BYTES = 32, BOX_OVERHEAD_BYTES = BOX_KEY_BYTES + AEAD_OVERHEAD_BYTES };

/* A fresh private key. */
kw_status box_key_new(struct kw_op *op, struct kw_secret **ret);
/* Its public half. KW_E_INPUT it has not BOX_KEY_BYTES. */
kw_status box_key_public(struct kw_op *op, const struct kw_secret *key, uint8_t ret[BOX_KEY_BYTES]);
/* info: what the box is for; to be given again when it is opened. KW_E_INPUT no public key. */
kw_status box_seal(struct kw_op *op, const uint8_t recipient[BOX_KEY_BYTES], struct kw_span info,
                   struct kw_span plain, struct kw_bytes **ret);
/* KW_E_INTEGRITY another key, other info, or altered. */
kw_status box_open(struct kw_op *op, const struct kw_secret *key, struct kw_span info,
                   struct kw_span sealed, struct kw_secret **ret);

#endif
