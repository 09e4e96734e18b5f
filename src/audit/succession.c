#include "audit/succession.h"

#include <stdio.h>

#include "audit/note.h"

static const char SUCCESSOR[] = "successor";

kw_status succession_body(struct kw_op *op, const char *origin, const struct pubkey *next,
                          char *text, size_t cap)
{
    char vkey[CHECKPOINT_VKEY_MAX];

    TRY(op, note_vkey(op, origin, next, vkey, sizeof(vkey)));
    int n = snprintf(text, cap, "%s\n%s\n%s\n", origin, SUCCESSOR, vkey);
    ENSURE(op, n > 0 && (size_t)n < cap, KW_E_TOO_LARGE, "an announcement of %d octets", n);
    return KW_OK;
}

static bool take_text(struct kw_span *rest, char *text, size_t cap)
{
    struct kw_span line;

    if (!note_take_line(rest, &line) || line.len >= cap || !note_text_plain(line)) {
        return false;
    }
    memcpy(text, line.p, line.len);
    text[line.len] = '\0';
    return true;
}

kw_status succession_parse(struct kw_op *op, struct kw_span body, char origin[KW_NAME_MAX],
                           char *vkey)
{
    char word[sizeof(SUCCESSOR)], again[SUCCESSION_TEXT_MAX];
    struct kw_span rest = body;
    struct note_key named;
    AUTO(pubkey) *key = NULL;

    ENSURE(op,
           take_text(&rest, origin, KW_NAME_MAX) && take_text(&rest, word, sizeof(word)) &&
               strcmp(word, SUCCESSOR) == 0 && take_text(&rest, vkey, CHECKPOINT_VKEY_MAX),
           KW_E_INPUT, "no announcement of a log's next key");
    TRY(op, note_vkey_parse(op, vkey, &named, &key), "the key that is announced");
    TRY(op, succession_body(op, origin, key, again, sizeof(again)));
    ENSURE(op, kw_span_equal(kw_span_text(again), body), KW_E_INPUT,
           "an announcement of a log's next key has three lines");
    return KW_OK;
}

kw_status succession_begin(struct kw_op *op, const char *vkey, struct succession *ret)
{
    struct note_key named;
    AUTO(pubkey) *key = NULL;

    memset(ret, 0, sizeof(*ret));
    TRY(op, note_vkey_parse(op, vkey, &named, &key), "reading the log's key");
    ENSURE(op, kw_text_copy(ret->at[0], CHECKPOINT_VKEY_MAX, vkey), KW_E_INPUT,
           "the log's key is too long");
    ret->n = 1;
    return KW_OK;
}

/* The newest key that has a signature line, verified; NULL where none of ours has. */
static kw_status find_signer(struct kw_op *op, const struct succession *keys,
                             const struct note *note, const char **ret)
{
    *ret = NULL;
    for (unsigned i = keys->n; i-- > 0;) {
        AUTO(pubkey) *key = NULL;
        struct note_key named;
        TRY(op, note_vkey_parse(op, keys->at[i], &named, &key));
        if (note_has_key(note, &named)) {
            TRY(op, note_verify(op, note, &named, key));
            *ret = keys->at[i];
            return KW_OK;
        }
    }
    return KW_OK;
}

/* A vkey begins with its log's origin. */
static bool speaks_for(const char *vkey, const char *origin)
{
    size_t n = strlen(origin);

    return strncmp(vkey, origin, n) == 0 && vkey[n] == '+';
}

static bool is_known(const struct succession *keys, const char *vkey)
{
    for (unsigned i = 0; i < keys->n; i++) {
        if (strcmp(keys->at[i], vkey) == 0) {
            return true;
        }
    }
    return false;
}

kw_status succession_take(struct kw_op *op, struct succession *keys, struct kw_span text,
                          bool *ret_taken)
{
    char origin[KW_NAME_MAX], vkey[CHECKPOINT_VKEY_MAX];
    const char *signer = NULL;
    struct note note;

    *ret_taken = false;
    ENSURE(op, text.len <= CHECKPOINT_TEXT_MAX, KW_E_INPUT, "an announcement of %zu octets",
           text.len);
    TRY(op, note_split(op, text, &note), "reading an announcement of the log's next key");
    TRY(op, succession_parse(op, note.text, origin, vkey));
    TRY(op, find_signer(op, keys, &note, &signer), "announcement of the log's next key");
    if (!signer || is_known(keys, vkey)) {
        return KW_OK;
    }
    ENSURE(op, speaks_for(signer, origin), KW_E_DENIED, "'%.60s' announced a key of '%s'", signer,
           origin);
    ENSURE(op, keys->n < SUCCESSION_KEYS_MAX, KW_E_LIMIT, "a log with over %d keys",
           SUCCESSION_KEYS_MAX);
    memcpy(keys->at[keys->n++], vkey, sizeof(vkey));
    *ret_taken = true;
    return KW_OK;
}

kw_status succession_verify(struct kw_op *op, const struct succession *keys, struct kw_span text,
                            struct checkpoint *ret)
{
    const char *signer = NULL;
    struct note note;

    ENSURE(op, text.len <= CHECKPOINT_TEXT_MAX, KW_E_INPUT, "a checkpoint of %zu octets", text.len);
    TRY(op, note_split(op, text, &note), "reading the checkpoint");
    TRY(op, find_signer(op, keys, &note, &signer));
    ENSURE(op, signer, KW_E_DENIED, "not signed by '%.60s', nor by a key that it announced",
           keys->at[0]);
    return checkpoint_verify(op, text, signer, ret);
}
