/*
 * The keys of one log, one after the other. Each but the first is announced by the one before it,
 * with a signed note of three lines:
 *     example.org/log                          the log's origin
 *     successor
 *     example.org/log+1a2b3c4d+AS…             verifier key of the key that follows
 * "successor" is no size, so no such text is a checkpoint, nor a checkpoint such a text. Whoever
 * trusts the first key alone can follow to the newest.
 */
#ifndef AUDIT_SUCCESSION_H
#define AUDIT_SUCCESSION_H

#include "audit/checkpoint.h"

enum { SUCCESSION_KEYS_MAX = 32, SUCCESSION_TEXT_MAX = 512 };

/* Verifier keys that are trusted, oldest first. */
struct succession {
    unsigned n;
    char at[SUCCESSION_KEYS_MAX][CHECKPOINT_VKEY_MAX];
};

/* The three lines. KW_E_INPUT, KW_E_UNSUPPORTED the key is not Ed25519. */
kw_status succession_body(struct kw_op *op, const char *origin, const struct pubkey *next,
                          char *text, size_t cap);
/* Read the three lines, exactly as succession_body() writes them. vkey has CHECKPOINT_VKEY_MAX.
 * KW_E_INPUT. */
kw_status succession_parse(struct kw_op *op, struct kw_span body, char origin[KW_NAME_MAX],
                           char *vkey);
/* Begin with the key that is trusted from elsewhere. */
kw_status succession_begin(struct kw_op *op, const char *vkey, struct succession *ret);
/**
 * Hear an announcement. By a key that is not known it says nothing and is passed over (*ret_taken
 * false). Errors: KW_E_DENIED a known key's signature does not verify, or it speaks of another log;
 * KW_E_INPUT; KW_E_LIMIT.
 */
kw_status succession_take(struct kw_op *op, struct succession *keys, struct kw_span note,
                          bool *ret_taken);
/* Verify a checkpoint by the newest of these keys that has signed it. KW_E_DENIED none has, or its
 * signature is bad. */
kw_status succession_verify(struct kw_op *op, const struct succession *keys, struct kw_span note,
                            struct checkpoint *ret);

#endif
