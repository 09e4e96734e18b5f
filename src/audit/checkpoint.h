/* Checkpoints: signed notes over a tree head (C2SP tlog-checkpoint, signed-note). */
#ifndef AUDIT_CHECKPOINT_H
#define AUDIT_CHECKPOINT_H

#include "audit/tlog.h"
#include "crypto/privkey.h"

/* Room for a body with extensions and the 16 signatures that a verifier MUST take (FACTS 33),
 * twice. */
enum { CHECKPOINT_TEXT_MAX = 8192, CHECKPOINT_VKEY_MAX = 256 };

struct checkpoint {
    char origin[KW_NAME_MAX];
    uint64_t size;
    struct tlog_hash root;
};

/* The text that is signed: origin, size, base64 root, each with its newline. */
kw_status checkpoint_body(struct kw_op *op, const struct checkpoint *cp, char *text, size_t cap);
/* Read a body or a whole note (signatures are not looked at). Strict. KW_E_INPUT. */
kw_status checkpoint_parse(struct kw_op *op, struct kw_span text, struct checkpoint *ret);
/* body + blank line + "— name base64(keyhash || sig)\n"; the key is Ed25519, name = origin. */
kw_status checkpoint_sign(struct kw_op *op, const struct checkpoint *cp, const struct privkey *key,
                          struct kw_bytes **ret);
/* Put a signature made elsewhere under a body. */
kw_status checkpoint_note(struct kw_op *op, const char *body, const char *name,
                          const struct pubkey *key, struct kw_span sig, struct kw_bytes **ret);
/* Another key's signature under a note that is there. */
kw_status checkpoint_add(struct kw_op *op, const char *name, const struct pubkey *key,
                         struct kw_span sig, struct kw_bytes *note);
/* Verifier key text "name+hex8+base64(0x01||pub)". */
kw_status checkpoint_vkey(struct kw_op *op, const char *name, const struct pubkey *key, char *text,
                          size_t cap);
/* Parse a vkey. */
kw_status checkpoint_vkey_parse(struct kw_op *op, const char *vkey, char *name, size_t cap,
                                struct pubkey **ret);
/* Verify a note against a vkey: unknown signatures are ignored, a bad known one refuses all.
 * KW_E_DENIED, KW_E_INPUT. */
kw_status checkpoint_verify(struct kw_op *op, struct kw_span note, const char *vkey,
                            struct checkpoint *ret);

#endif
