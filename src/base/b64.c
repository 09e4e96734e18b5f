#include "base/b64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char alphabet_url[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* One group of up to 3 octets to 4 characters; missing ones become '='. */
static void encode_group(const char *letters, struct kw_span group, char four[4])
{
    uint32_t v = (uint32_t)group.p[0] << 16;

    v |= group.len > 1 ? (uint32_t)group.p[1] << 8 : 0;
    v |= group.len > 2 ? group.p[2] : 0;
    four[0] = letters[v >> 18 & 63];
    four[1] = letters[v >> 12 & 63];
    four[2] = group.len > 1 ? letters[v >> 6 & 63] : '=';
    four[3] = group.len > 2 ? letters[v & 63] : '=';
}

kw_status kw_b64_encode(struct kw_span span, unsigned line_len, struct kw_bytes *into)
{
    if (span.len == 0 || span.len > SIZE_MAX / 4) {
        return span.len == 0 ? KW_OK : KW_FAIL(KW_E_MEMORY);
    }
    size_t n_text = (span.len + 2) / 3 * 4;
    size_t n_lines = line_len > 0 ? (n_text + line_len - 1) / line_len : 0;
    kw_status status = kw_bytes_reserve(into, n_text + n_lines);
    if (!kw_ok(status)) {
        return status;
    }
    uint8_t *to = into->p + into->len;
    size_t column = 0;
    for (size_t i = 0; i < span.len; i += 3) {
        char four[4];
        encode_group(alphabet, kw_span_sub(span, i, 3), four);
        for (size_t k = 0; k < 4; k++) {
            *to++ = (uint8_t)four[k];
            if (++column == line_len) {
                *to++ = '\n';
                column = 0;
            }
        }
    }
    if (line_len > 0 && column > 0) {
        *to++ = '\n';
    }
    into->len += n_text + n_lines;
    return KW_OK;
}

kw_status kw_b64url_encode(struct kw_span span, struct kw_bytes *into)
{
    if (span.len > SIZE_MAX / 4) {
        return KW_FAIL(KW_E_MEMORY);
    }
    kw_status status = kw_bytes_reserve(into, (span.len + 2) / 3 * 4);
    if (!kw_ok(status)) {
        return status;
    }
    for (size_t i = 0; i < span.len; i += 3) {
        struct kw_span group = kw_span_sub(span, i, 3);
        char four[4];
        encode_group(alphabet_url, group, four);
        memcpy(into->p + into->len, four, group.len + 1);
        into->len += group.len + 1;
    }
    return KW_OK;
}

static int letter_value(uint8_t c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    if (c == '+') {
        return 62;
    }
    return c == '/' ? 63 : -1;
}

static bool is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* What was read of the current group of four characters. */
struct group {
    uint32_t bits;
    unsigned n_letters;
    unsigned n_pads;
};

/* Take one character; false where it cannot stand here. */
static bool group_take(struct group *group, uint8_t c)
{
    if (c == '=') {
        group->n_pads++;
        return group->n_letters >= 2 && group->n_letters + group->n_pads <= 4;
    }
    int value = letter_value(c);
    if (value < 0 || group->n_pads > 0) {
        return false;
    }
    group->bits = group->bits << 6 | (uint32_t)value;
    group->n_letters++;
    return true;
}

/* A full group becomes 1 to 3 octets. RFC 4648 section 3.5: the bits left over must be zero. */
static kw_status group_end(const struct group *group, size_t max, struct kw_bytes *into)
{
    uint32_t v = group->bits << 6 * group->n_pads;
    uint8_t three[3] = {(uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};
    size_t n = 3 - group->n_pads;

    for (size_t i = n; i < 3; i++) {
        if (three[i] != 0) {
            return KW_FAIL(KW_E_INPUT);
        }
    }
    if (n > max - into->len) {
        return KW_FAIL(KW_E_TOO_LARGE);
    }
    return kw_bytes_append(into, KW_SPAN(three, n));
}

kw_status kw_b64_decode(struct kw_span text, size_t max, struct kw_bytes **ret)
{
    AUTO(kw_bytes) *bytes = NULL;
    struct group group = {0};
    size_t expected = text.len / 4 * 3;

    kw_status status = kw_bytes_new(expected < max ? expected : max, &bytes);
    for (size_t i = 0; kw_ok(status) && i < text.len; i++) {
        if (is_space(text.p[i])) {
            continue;
        }
        if (group.n_letters + group.n_pads == 4) { /* the last one was padded, or it were reset */
            return KW_FAIL(KW_E_INPUT);
        }
        if (!group_take(&group, text.p[i])) {
            return KW_FAIL(KW_E_INPUT);
        }
        if (group.n_letters + group.n_pads == 4) {
            status = group_end(&group, max, bytes);
            group = group.n_pads > 0 ? group : (struct group){0};
        }
    }
    if (!kw_ok(status)) {
        return status;
    }
    if ((group.n_letters + group.n_pads) % 4 != 0) {
        return KW_FAIL(KW_E_INPUT);
    }
    *ret = TAKE(bytes);
    return KW_OK;
}

static int letter_value_url(uint8_t c)
{
    if (c == '+' || c == '/') {
        return -1;
    }
    return c == '-' ? letter_value('+') : letter_value(c == '_' ? '/' : c);
}

kw_status kw_b64url_decode(struct kw_span text, size_t max, struct kw_bytes **ret)
{
    AUTO(kw_bytes) *bytes = NULL;
    size_t n = text.len / 4 * 3 + (text.len % 4 ? text.len % 4 - 1 : 0);
    uint32_t bits = 0;

    if (text.len % 4 == 1 || n > max) {
        return KW_FAIL(text.len % 4 == 1 ? KW_E_INPUT : KW_E_TOO_LARGE);
    }
    kw_status status = kw_bytes_new(n, &bytes);
    for (size_t i = 0; kw_ok(status) && i < text.len; i++) {
        int value = letter_value_url(text.p[i]);
        if (value < 0) {
            return KW_FAIL(KW_E_INPUT);
        }
        bits = bits << 6 | (uint32_t)value;
        if (i % 4 > 0) { /* 6 bits wait after the first letter of a group, then 4, 2, 0 */
            uint8_t octet = (uint8_t)(bits >> (6 - 2 * (i % 4)));
            status = kw_bytes_append(bytes, KW_SPAN(&octet, 1));
        }
    }
    if (!kw_ok(status)) {
        return status;
    }
    unsigned n_left = text.len % 4 ? 6 - 2 * (unsigned)(text.len % 4 - 1) : 0;
    if (bits & ((1U << n_left) - 1)) { /* RFC 4648 section 3.5: one text for one value */
        return KW_FAIL(KW_E_INPUT);
    }
    *ret = TAKE(bytes);
    return KW_OK;
}
