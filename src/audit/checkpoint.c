/*
 * Checkpoints as text: C2SP tlog-checkpoint inside of C2SP signed-note.
 *
 *     example.org/log                                     origin, here also the name of the log's
 * key 20852163                                            leaves, decimal
 *     CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=        root
 *                                                         further lines (extensions), then an empty
 * one — example.org/log base64(key id, 4 octets || signature)
 */
#include "audit/checkpoint.h"

#include "audit/note.h"
#include "base/b64.h"
#include "base/reader.h"

enum { ROOT_B64 = 44 }; /* characters for KW_HASH_BYTES octets */

kw_status checkpoint_body(struct kw_op *op, const struct checkpoint *cp, char *text, size_t cap)
{
    AUTO(kw_bytes) *root = NULL;

    ENSURE(op, note_name_valid(cp->origin), KW_E_INPUT, "'%s' cannot name a log", cp->origin);
    ENSURE(op, cp->size <= TLOG_SIZE_MAX, KW_E_INPUT, "a log of over 2^60 entries");
    TRY(op, kw_bytes_new(ROOT_B64 + 1, &root));
    TRY(op, kw_b64_encode(KW_SPAN_ARRAY(cp->root.b), /* line_len= */ 0, root));
    int n = snprintf(text, cap, "%s\n%ju\n%.*s\n", cp->origin, (uintmax_t)cp->size, (int)root->len,
                     (const char *)root->p);
    ENSURE(op, n > 0 && (size_t)n < cap, KW_E_TOO_LARGE, "a checkpoint of %d octets", n);
    return KW_OK;
}

/* Decimal without sign, blanks or leading zeros; sizes above any log's are refused. */
static bool parse_size(struct kw_span line, uint64_t *ret)
{
    uint64_t v = 0;

    if (line.len == 0 || line.len > 19 || (line.len > 1 && line.p[0] == '0')) {
        return false;
    }
    for (size_t i = 0; i < line.len; i++) {
        if (line.p[i] < '0' || line.p[i] > '9') {
            return false;
        }
        v = v * 10 + (uint64_t)(line.p[i] - '0');
    }
    *ret = v;
    return v <= TLOG_SIZE_MAX;
}

/* The length is judged before, so white space that kw_b64_decode() tolerates can never make 32
 * octets. */
static bool parse_root(struct kw_span line, struct tlog_hash *ret)
{
    AUTO(kw_bytes) *octets = NULL;

    if (line.len != ROOT_B64 || !kw_ok(kw_b64_decode(line, KW_HASH_BYTES, &octets)) ||
        octets->len != KW_HASH_BYTES) {
        return false;
    }
    memcpy(ret->b, octets->p, KW_HASH_BYTES);
    return true;
}

static bool parse_origin(struct kw_span line, char origin[KW_NAME_MAX])
{
    if (line.len == 0 || line.len >= KW_NAME_MAX || !note_text_plain(line)) {
        return false;
    }
    memcpy(origin, line.p, line.len);
    origin[line.len] = '\0';
    return true;
}

/* Three lines, and where extensions are allowed further ones that are not empty. */
static kw_status parse_body(struct kw_op *op, struct kw_span body, bool extensions,
                            struct checkpoint *ret)
{
    struct checkpoint cp = {0};
    struct kw_span line;

    ENSURE(op, note_take_line(&body, &line) && parse_origin(line, cp.origin), KW_E_INPUT,
           "a checkpoint without an origin");
    ENSURE(op, note_take_line(&body, &line) && parse_size(line, &cp.size), KW_E_INPUT,
           "a checkpoint of '%s' without a size", cp.origin);
    ENSURE(op, note_take_line(&body, &line) && parse_root(line, &cp.root), KW_E_INPUT,
           "a checkpoint of '%s' without a root hash", cp.origin);
    while (extensions && body.len > 0) {
        ENSURE(op, note_take_line(&body, &line) && line.len > 0 && note_text_plain(line),
               KW_E_INPUT, "a checkpoint of '%s' with a malformed extension", cp.origin);
    }
    ENSURE(op, body.len == 0, KW_E_INPUT,
           "a checkpoint of '%s' with more text than its three lines", cp.origin);
    *ret = cp;
    return KW_OK;
}

kw_status checkpoint_parse(struct kw_op *op, struct kw_span text, struct checkpoint *ret)
{
    struct note note;

    ENSURE(op, text.len <= CHECKPOINT_TEXT_MAX, KW_E_INPUT, "a checkpoint of %zu octets", text.len);
    if (!note_has_signatures(text)) {
        return parse_body(op, text, /* extensions= */ false, ret);
    }
    TRY(op, note_split(op, text, &note));
    return parse_body(op, note.text, /* extensions= */ true, ret);
}

kw_status checkpoint_note(struct kw_op *op, const char *body, const char *name,
                          const struct pubkey *key, struct kw_span sig, struct kw_bytes **ret)
{
    AUTO(kw_bytes) *note = NULL;

    TRY(op, kw_bytes_new(CHECKPOINT_TEXT_MAX, &note));
    TRY(op, kw_bytes_append_text(note, body));
    TRY(op, kw_bytes_append_text(note, "\n"));
    TRY(op, note_put_signature(op, name, key, sig, note));
    ENSURE(op, note->len <= CHECKPOINT_TEXT_MAX, KW_E_TOO_LARGE, "a checkpoint of %zu octets",
           note->len);
    *ret = TAKE(note);
    return KW_OK;
}

kw_status checkpoint_add(struct kw_op *op, const char *name, const struct pubkey *key,
                         struct kw_span sig, struct kw_bytes *note)
{
    TRY(op, note_put_signature(op, name, key, sig, note));
    ENSURE(op, note->len <= CHECKPOINT_TEXT_MAX, KW_E_TOO_LARGE, "a checkpoint of %zu octets",
           note->len);
    return KW_OK;
}

kw_status checkpoint_sign(struct kw_op *op, const struct checkpoint *cp, const struct privkey *key,
                          struct kw_bytes **ret)
{
    char body[CHECKPOINT_TEXT_MAX];
    uint8_t room[KW_SIG_MAX];
    struct kw_out sig = KW_OUT_ARRAY(room);

    TRY(op, checkpoint_body(op, cp, body, sizeof(body)));
    TRY(op, privkey_sign(op, key, kw_span_text(body), &sig), "signing the checkpoint of '%s'",
        cp->origin);
    return checkpoint_note(op, body, cp->origin, privkey_public(key), kw_out_span(&sig), ret);
}

kw_status checkpoint_vkey(struct kw_op *op, const char *name, const struct pubkey *key, char *text,
                          size_t cap)
{
    return note_vkey(op, name, key, text, cap);
}

kw_status checkpoint_vkey_parse(struct kw_op *op, const char *vkey, char *name, size_t cap,
                                struct pubkey **ret)
{
    struct note_key key;
    AUTO(pubkey) *parsed = NULL;

    TRY(op, note_vkey_parse(op, vkey, &key, &parsed));
    ENSURE(op, kw_text_copy(name, cap, key.name), KW_E_TOO_LARGE, "the name '%s' is too long",
           key.name);
    *ret = TAKE(parsed);
    return KW_OK;
}

kw_status checkpoint_verify(struct kw_op *op, struct kw_span text, const char *vkey,
                            struct checkpoint *ret)
{
    AUTO(pubkey) *public_key = NULL;
    struct checkpoint cp;
    struct note_key key;
    struct note note;

    ENSURE(op, text.len <= CHECKPOINT_TEXT_MAX, KW_E_INPUT, "a checkpoint of %zu octets", text.len);
    TRY(op, note_vkey_parse(op, vkey, &key, &public_key), "reading the log's key");
    TRY(op, note_split(op, text, &note), "reading the checkpoint");
    TRY(op, note_verify(op, &note, &key, public_key));
    TRY(op, parse_body(op, note.text, /* extensions= */ true, &cp));
    /* tlog-checkpoint: the log's key bears the name of its origin. */
    ENSURE(op, strcmp(cp.origin, key.name) == 0, KW_E_DENIED, "'%s' signed a checkpoint of '%s'",
           key.name, cp.origin);
    *ret = cp;
    return KW_OK;
}
