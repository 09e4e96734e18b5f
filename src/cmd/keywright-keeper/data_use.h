/* What all uses of secrets have in common: the key for it, its count, its line in the journal. */
#ifndef KEEPER_CMD_DATA_USE_H
#define KEEPER_CMD_DATA_USE_H

#include "cmd/keywright-keeper/server.h"
#include "keeper/wrapped.h"

/* The key for this use now, and the use counted. Errors: those of keyring_use() and of counting. */
kw_status data_begin(struct kw_op *op, struct server *server, const struct request *request,
                     const char *key_id, enum keeper_purpose purpose, struct keeper_key **ret);
/* Write down what it was used for, before the answer leaves. `about` is public: a wrapped key, a
 * label, never what it protects. */
kw_status data_end(struct kw_op *op, struct server *server, const struct request *request,
                   struct keeper_key *key, enum keeper_purpose purpose, struct kw_span about);

/**
 * A key of its own for each use of a secret: HKDF-SHA-256(secret, info = label || context).
 * Labels are of one length, so that no label and context read as others.
 */
kw_status data_subkey(struct kw_op *op, const struct keeper_key *key, const char *label,
                      struct kw_span context, struct kw_secret **ret);
/* The head of what this key gives out. */
struct wrapped data_head(const struct keeper_key *key, enum wrapped_kind kind);
/* A blob of this kind. KW_E_INPUT "blob: …"; KW_E_DENIED where key_id is not the key it names. */
kw_status data_blob(struct kw_op *op, struct kw_span octets, enum wrapped_kind kind,
                    const char *key_id, struct wrapped *ret);
/* The blob's key is the key of its generation. KW_E_INTEGRITY: the head was altered. */
kw_status data_blob_of(struct kw_op *op, const struct wrapped *blob, const struct keeper_key *key);
/* Octets for the answer, in the request's own room, which is wiped when the answer has left. */
kw_status data_answer(struct kw_op *op, struct request *request, struct kw_span octets);

#endif
