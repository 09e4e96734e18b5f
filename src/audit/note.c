#include "audit/note.h"

#include <assert.h>

#include "base/b64.h"
#include "base/hex.h"
#include "base/utf8.h"
#include "base/writer.h"
#include "crypto/digest.h"

enum { ALG_ED25519 = 0x01, RAW_KEY = 32, RAW_SIG = 64 };

/* U+2014 and a blank. */
static const char dash[] = "\xe2\x80\x94 ";

/* SubjectPublicKeyInfo of an Ed25519 key up to the key itself (RFC 8410 section 4). */
static const uint8_t spki_head[] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03,
                                    0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};

bool note_text_plain(struct kw_span line)
{
    return kw_utf8_is_plain(line);
}

/* Unicode's white space beyond ASCII: U+00A0, U+1680, U+2000..200A, U+2028, 2029, 202F, 205F,
 * U+3000. */
static bool has_wide_blank(const char *name)
{
    static const char *const blanks[] = {
        "\xc2\xa0",     "\xe1\x9a\x80", "\xe2\x80\x80", "\xe2\x80\x81", "\xe2\x80\x82",
        "\xe2\x80\x83", "\xe2\x80\x84", "\xe2\x80\x85", "\xe2\x80\x86", "\xe2\x80\x87",
        "\xe2\x80\x88", "\xe2\x80\x89", "\xe2\x80\x8a", "\xe2\x80\xa8", "\xe2\x80\xa9",
        "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80",
    };

    for (size_t i = 0; i < KW_COUNT(blanks); i++) {
        if (strstr(name, blanks[i])) {
            return true;
        }
    }
    return false;
}

bool note_name_valid(const char *name)
{
    return name[0] != '\0' && strnlen(name, KW_NAME_MAX) < KW_NAME_MAX && !strpbrk(name, " +") &&
           kw_utf8_is_plain(kw_span_text(name)) && !has_wide_blank(name);
}

bool note_take_line(struct kw_span *rest, struct kw_span *ret)
{
    const uint8_t *end = rest->len > 0 ? memchr(rest->p, '\n', rest->len) : NULL;

    if (!end) {
        return false;
    }
    size_t n = (size_t)(end - rest->p);
    *ret = KW_SPAN(rest->p, n);
    *rest = KW_SPAN(end + 1, rest->len - n - 1);
    return true;
}

/* The last empty line ends the text. Returns the octets of the text, 0 where there is none. */
static size_t text_len(struct kw_span note)
{
    for (size_t i = note.len; i >= 2; i--) {
        if (note.p[i - 1] == '\n' && note.p[i - 2] == '\n') {
            return i - 1;
        }
    }
    return 0;
}

bool note_has_signatures(struct kw_span text)
{
    return text_len(text) > 0;
}

/* One line "— name base64": the name into *ret_name, the octets into *ret. */
static bool parse_signature(struct kw_span line, struct kw_span *ret_name, struct kw_bytes **ret)
{
    size_t n_dash = sizeof(dash) - 1;

    if (line.len <= n_dash || memcmp(line.p, dash, n_dash) != 0) {
        return false;
    }
    struct kw_span rest = kw_span_sub(line, n_dash, line.len);
    const uint8_t *blank = memchr(rest.p, ' ', rest.len);
    if (!blank || blank == rest.p) {
        return false;
    }
    struct kw_span name = KW_SPAN(rest.p, (size_t)(blank - rest.p));
    struct kw_span base64 = kw_span_sub(rest, name.len + 1, rest.len);
    /* kw_b64_decode() would skip blanks, of which a signature line has two. */
    if (!note_text_plain(line) || (base64.len > 0 && memchr(base64.p, ' ', base64.len)) ||
        !kw_ok(kw_b64_decode(base64, line.len, ret))) {
        return false;
    }
    *ret_name = name;
    return (*ret)->len > NOTE_KEY_ID_BYTES;
}

static kw_status check_signature_lines(struct kw_op *op, struct kw_span lines)
{
    unsigned n = 0;

    for (; lines.len > 0; n++) {
        AUTO(kw_bytes) *octets = NULL;
        struct kw_span line, name;
        ENSURE(op, n < NOTE_SIGNATURES_MAX, KW_E_INPUT, "a note with over %d signatures",
               NOTE_SIGNATURES_MAX);
        ENSURE(op, note_take_line(&lines, &line) && parse_signature(line, &name, &octets),
               KW_E_INPUT, "signature line %u of the note is malformed", n + 1);
    }
    ENSURE(op, n > 0, KW_E_INPUT, "a note without signatures");
    return KW_OK;
}

kw_status note_split(struct kw_op *op, struct kw_span text, struct note *ret)
{
    size_t n = text_len(text);

    ENSURE(op, n > 0, KW_E_INPUT, "no note: it has no empty line before its signatures");
    struct kw_span signatures = kw_span_sub(text, n + 1, text.len);
    TRY(op, check_signature_lines(op, signatures));
    ret->text = KW_SPAN(text.p, n);
    ret->signatures = signatures;
    return KW_OK;
}

static bool names_key(struct kw_span name, const struct kw_bytes *octets,
                      const struct note_key *key)
{
    return kw_span_equal(name, kw_span_text(key->name)) &&
           memcmp(octets->p, key->id, NOTE_KEY_ID_BYTES) == 0;
}

bool note_has_key(const struct note *note, const struct note_key *key)
{
    struct kw_span lines = note->signatures;
    struct kw_span line, name;

    while (note_take_line(&lines, &line)) {
        AUTO(kw_bytes) *octets = NULL;
        if (parse_signature(line, &name, &octets) && names_key(name, octets, key)) {
            return true;
        }
    }
    return false;
}

kw_status note_verify(struct kw_op *op, const struct note *note, const struct note_key *key,
                      const struct pubkey *public_key)
{
    struct kw_span lines = note->signatures;
    struct kw_span line, name;
    unsigned n_good = 0;

    while (note_take_line(&lines, &line)) {
        AUTO(kw_bytes) *octets = NULL;
        ENSURE(op, parse_signature(line, &name, &octets), KW_E_INPUT, "a malformed signature line");
        if (!names_key(name, octets, key)) {
            continue;
        }
        struct kw_span sig = kw_span_sub(kw_bytes_span(octets), NOTE_KEY_ID_BYTES, octets->len);
        TRY(op, pubkey_verify(op, public_key, note->text, sig), "signature of '%s'", key->name);
        n_good++;
    }
    ENSURE(op, n_good > 0, KW_E_DENIED, "not signed by '%s'", key->name);
    return KW_OK;
}

/* SHA-256(name || 0x0A || 0x01 || public key)[:4] */
static void key_id(const char *name, const uint8_t raw[RAW_KEY], uint8_t id[NOTE_KEY_ID_BYTES])
{
    uint8_t room[KW_NAME_MAX + 2 + RAW_KEY];
    struct kw_out octets = KW_OUT_ARRAY(room);
    struct kw_writer w = kw_writer_of(&octets);
    uint8_t hash[KW_HASH_BYTES];

    kw_writer_put(&w, kw_span_text(name));
    kw_writer_u8(&w, '\n');
    kw_writer_u8(&w, ALG_ED25519);
    kw_writer_put(&w, KW_SPAN(raw, RAW_KEY));
    assert(!w.failed); /* note_name_valid() was asked: names fit */
    digest_sha256(kw_out_span(&octets), hash);
    memcpy(id, hash, NOTE_KEY_ID_BYTES);
}

static kw_status raw_of(struct kw_op *op, const char *name, const struct pubkey *public_key,
                        uint8_t raw[RAW_KEY])
{
    struct kw_out out = {raw, RAW_KEY, 0};

    ENSURE(op, note_name_valid(name), KW_E_INPUT, "'%s' cannot name a key", name);
    TRY(op, pubkey_raw(op, public_key, &out), "log keys are Ed25519");
    ENSURE(op, out.len == RAW_KEY, KW_E_UNSUPPORTED, "log keys are Ed25519");
    return KW_OK;
}

kw_status note_put_signature(struct kw_op *op, const char *name, const struct pubkey *public_key,
                             struct kw_span sig, struct kw_bytes *into)
{
    uint8_t octets[NOTE_KEY_ID_BYTES + RAW_SIG];
    uint8_t raw[RAW_KEY];

    TRY(op, raw_of(op, name, public_key, raw));
    ENSURE(op, sig.len == RAW_SIG, KW_E_INPUT, "an Ed25519 signature of %zu octets", sig.len);
    key_id(name, raw, octets);
    memcpy(octets + NOTE_KEY_ID_BYTES, sig.p, RAW_SIG);
    TRY(op, kw_bytes_printf(into, "%s%s ", dash, name));
    TRY(op, kw_b64_encode(KW_SPAN_ARRAY(octets), /* line_len= */ 0, into));
    return kw_bytes_append_text(into, "\n");
}

kw_status note_vkey(struct kw_op *op, const char *name, const struct pubkey *public_key, char *text,
                    size_t cap)
{
    AUTO(kw_bytes) *base64 = NULL;
    uint8_t octets[1 + RAW_KEY] = {ALG_ED25519};
    uint8_t id[NOTE_KEY_ID_BYTES];
    char hex[2 * NOTE_KEY_ID_BYTES + 1];

    TRY(op, raw_of(op, name, public_key, octets + 1));
    key_id(name, octets + 1, id);
    TRY(op, kw_bytes_new(64, &base64));
    TRY(op, kw_b64_encode(KW_SPAN_ARRAY(octets), /* line_len= */ 0, base64));
    int n = snprintf(text, cap, "%s+%s+%.*s", name, kw_hex(KW_SPAN_ARRAY(id), hex, sizeof(hex)),
                     (int)base64->len, (const char *)base64->p);
    ENSURE(op, n > 0 && (size_t)n < cap, KW_E_TOO_LARGE, "a verifier key of %d octets", n);
    return KW_OK;
}

/* "name+hex8+base64" in parts; base64 may hold further plus signs, name and hex may not. */
static bool split_vkey(const char *vkey, char name[KW_NAME_MAX], char hex[9], const char **base64)
{
    const char *plus = strchr(vkey, '+');

    if (!plus || plus - vkey >= KW_NAME_MAX || strnlen(plus + 1, 9) < 9 || plus[9] != '+') {
        return false;
    }
    memcpy(name, vkey, (size_t)(plus - vkey));
    name[plus - vkey] = '\0';
    memcpy(hex, plus + 1, 8);
    hex[8] = '\0';
    *base64 = plus + 10;
    return note_name_valid(name) && !strpbrk(*base64, " \t\r\n\v\f");
}

kw_status note_vkey_parse(struct kw_op *op, const char *vkey, struct note_key *ret,
                          struct pubkey **ret_public_key)
{
    AUTO(kw_bytes) *octets = NULL;
    uint8_t spki[sizeof(spki_head) + RAW_KEY];
    struct note_key key;
    const char *base64 = NULL;
    char hex[9], expected[9];

    ENSURE(op, split_vkey(vkey, key.name, hex, &base64), KW_E_INPUT,
           "a verifier key is written name+hash+base64");
    TRY(op, kw_b64_decode(kw_span_text(base64), 1 + RAW_KEY, &octets), "key of '%s'", key.name);
    ENSURE(op, octets->len > 0 && octets->p[0] == ALG_ED25519, KW_E_UNSUPPORTED,
           "the key of '%s' is not Ed25519", key.name);
    ENSURE(op, octets->len == 1 + RAW_KEY, KW_E_INPUT, "the key of '%s' is cut", key.name);
    key_id(key.name, octets->p + 1, key.id);
    ENSURE(op, strcmp(kw_hex(KW_SPAN_ARRAY(key.id), expected, sizeof(expected)), hex) == 0,
           KW_E_INPUT, "the hash in the key of '%s' does not fit", key.name);
    memcpy(spki, spki_head, sizeof(spki_head));
    memcpy(spki + sizeof(spki_head), octets->p + 1, RAW_KEY);
    TRY(op, pubkey_parse(op, KW_SPAN_ARRAY(spki), ret_public_key), "key of '%s'", key.name);
    *ret = key;
    return KW_OK;
}
