/* Checkpoints, announcements of keys, and the notes around them: a body that is read is the body
 * that would be written. */
#include <assert.h>

#include "audit/succession.h"

/* The key of the documentation of Go's package note. */
#define VKEY "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kw_span text = KW_SPAN(data, size);
    char body[CHECKPOINT_TEXT_MAX];
    struct checkpoint cp;
    struct kw_op op;

    kw_op_init(&op, NULL, 0);
    if (kw_ok(checkpoint_parse(&op, text, &cp)) &&
        kw_ok(checkpoint_body(&op, &cp, body, sizeof(body)))) {
        assert(kw_span_equal(kw_span_sub(text, 0, strlen(body)), kw_span_text(body)));
    }
    /* An announcement of the next key: a body, or a note with a known key's line. */
    char origin[KW_NAME_MAX], next[CHECKPOINT_VKEY_MAX];
    struct succession keys;
    bool taken = false;
    (void)kw_ok(succession_parse(&op, text, origin, next));
    kw_op_init(&op, NULL, 0);
    if (kw_ok(succession_begin(&op, VKEY, &keys))) {
        (void)kw_ok(succession_take(&op, &keys, text, &taken));
        assert(!taken || keys.n == 2);
    }
    kw_op_init(&op, NULL, 0);
    (void)checkpoint_verify(&op, text, VKEY, &cp); /* any word but a crash */

    /* The same octets as a verifier key. */
    AUTO(kw_bytes) *vkey = NULL;
    AUTO(pubkey) *key = NULL;
    char name[KW_NAME_MAX], again[CHECKPOINT_VKEY_MAX];
    if (!kw_ok(kw_bytes_copy(text, &vkey)) || !kw_ok(kw_bytes_append(vkey, KW_SPAN("", 1)))) {
        return 0;
    }
    if (kw_ok(checkpoint_vkey_parse(&op, (const char *)vkey->p, name, sizeof(name), &key))) {
        bool written = kw_ok(checkpoint_vkey(&op, name, key, again, sizeof(again)));
        assert(written && strcmp(again, (const char *)vkey->p) == 0);
    }
    return 0;
}
