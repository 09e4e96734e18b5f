/* C2SP signed-note with Ed25519 keys (FACTS 33): a text, an empty line, one line a signature. */
#ifndef AUDIT_NOTE_H
#define AUDIT_NOTE_H

#include "base/bytes.h"
#include "base/limits.h"
#include "base/op.h"
#include "crypto/pubkey.h"

/* A verifier MUST take 16 signatures; more than this no log of ours meets. */
enum { NOTE_SIGNATURES_MAX = 64, NOTE_KEY_ID_BYTES = 4 };

/* A note split, borrowed from the input. */
struct note {
    struct kw_span text;       /* what is signed, with its last line end */
    struct kw_span signatures; /* the lines behind the empty one */
};

/* What signature lines call a key. */
struct note_key {
    char name[KW_NAME_MAX];
    uint8_t id[NOTE_KEY_ID_BYTES]; /* SHA-256(name || 0x0A || 0x01 || public key)[:4] */
};

/* A key's name: not empty, no white space, no '+'. */
bool note_name_valid(const char *name);
/* UTF-8 without control characters. */
bool note_text_plain(struct kw_span line);
/* Move the first line, without its line end, from *rest to *ret. False where no line end is left.
 */
bool note_take_line(struct kw_span *rest, struct kw_span *ret);
/* Is there an empty line, as notes have and bodies have not? */
bool note_has_signatures(struct kw_span text);
/* KW_E_INPUT no empty line, no signature, or a line that is none. */
kw_status note_split(struct kw_op *op, struct kw_span text, struct note *ret);
/* Is there a line that names this key? */
bool note_has_key(const struct note *note, const struct note_key *key);
/* Signatures of other keys are ignored. KW_E_DENIED: none by this key, or one that does not verify.
 */
kw_status note_verify(struct kw_op *op, const struct note *note, const struct note_key *key,
                      const struct pubkey *public_key);
/* Append "— name base64(id || sig)\n". KW_E_INPUT name or signature malformed; KW_E_UNSUPPORTED not
 * Ed25519. */
kw_status note_put_signature(struct kw_op *op, const char *name, const struct pubkey *public_key,
                             struct kw_span sig, struct kw_bytes *into);

/* Verifier key text "name+hex8+base64(0x01 || public key)". */
kw_status note_vkey(struct kw_op *op, const char *name, const struct pubkey *public_key, char *text,
                    size_t cap);
/* KW_E_INPUT; KW_E_UNSUPPORTED another algorithm than Ed25519. */
kw_status note_vkey_parse(struct kw_op *op, const char *vkey, struct note_key *ret,
                          struct pubkey **ret_public_key);

#endif
