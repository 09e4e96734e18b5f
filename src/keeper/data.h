/*
 * Keys for data, from the keeper: data keys wrapped by a key that never leaves it, derived keys,
 * authentication codes, small sealed data. Plaintext data keys cross the channel, as in every key
 * management service; key-wrapping, master and authentication keys never do. Blocking, threads and
 * errors as for all calls of keeper/keeper.h; further errors of all: KW_E_NOT_FOUND no such key,
 * KW_E_DENIED the key is of another class or its policy does not allow it, KW_E_STATE,
 * KW_E_EXPIRED.
 */
#ifndef KEEPER_DATA_H
#define KEEPER_DATA_H

#include "base/secret.h"
#include "keeper/keeper.h"
#include "keeper/wrapped.h"

/**
 * A fresh AES-256 key, and itself wrapped under `kek_id` for this context.
 *
 * context  0..KEEPER_CONTEXT_MAX octets that say what the key is for ("device DEV1 storage"):
 * needed again to unwrap, and no secret wrapped  reset, then filled; room of WRAPPED_MAX. To be
 * kept with the data
 */
kw_status keeper_data_key(struct kw_op *op, struct keeper *keeper, const char *kek_id,
                          struct kw_span context, struct kw_secret **ret, struct kw_out *wrapped);
/* Wrap a key of somebody else's: 1..KEEPER_DATA_KEY_MAX octets. */
kw_status keeper_data_wrap(struct kw_op *op, struct keeper *keeper, const char *kek_id,
                           struct kw_span context, const struct kw_secret *plain,
                           struct kw_out *wrapped);
/* With the KEK that the wrapped key names. KW_E_INTEGRITY altered, or another context; KW_E_INPUT
 * nothing that was wrapped. */
kw_status keeper_data_unwrap(struct kw_op *op, struct keeper *keeper, struct kw_span context,
                             struct kw_span wrapped, struct kw_secret **ret);
/* The same key under a later generation of its KEK; what it protects stays as it is, and the key is
 * seen by nobody. Repeatable: what is under `kek_id` already is wrapped anew. */
kw_status keeper_data_rewrap(struct kw_op *op, struct keeper *keeper, const char *kek_id,
                             struct kw_span context, struct kw_span wrapped, struct kw_out *ret);
/**
 * HKDF-SHA-256 (RFC 5869; REQ-KEY-KDF-01) with the master key as input keying material.
 * label    the kind of key, beginning as the master key's policy says ("session/")
 * salt     0..KEEPER_SALT_MAX octets; context 0..KEEPER_CONTEXT_MAX. info is label || 0 || context
 * len      16..KEEPER_DERIVE_MAX octets
 */
kw_status keeper_data_derive(struct kw_op *op, struct keeper *keeper, const char *master_id,
                             const char *label, struct kw_span salt, struct kw_span context,
                             unsigned len, struct kw_secret **ret);
/* HMAC-SHA-256 of a message of at most KEEPER_MAC_MESSAGE_MAX octets (of more: of its hash). */
kw_status keeper_data_mac(struct kw_op *op, struct keeper *keeper, const char *key_id,
                          struct kw_span message, uint8_t ret[KW_HASH_BYTES]);
/* KW_E_INTEGRITY it is not the message's. */
kw_status keeper_data_mac_verify(struct kw_op *op, struct keeper *keeper, const char *key_id,
                                 struct kw_span message, const uint8_t mac[KW_HASH_BYTES]);
/* AES-256-GCM of at most KEEPER_SEAL_MAX octets, bound to `aad` (0..KEEPER_AAD_MAX, not stored).
 * sealed: reset, then filled; room of SEALED_MAX. */
kw_status keeper_data_seal(struct kw_op *op, struct keeper *keeper, const char *kek_id,
                           struct kw_span aad, struct kw_span plain, struct kw_out *sealed);
/* With the key that the sealed data names. KW_E_INTEGRITY altered, or bound to something else. */
kw_status keeper_data_open(struct kw_op *op, struct keeper *keeper, struct kw_span aad,
                           struct kw_span sealed, struct kw_secret **ret);

#endif
