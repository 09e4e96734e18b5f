#include "base/uri.h"

#include <stdio.h>

#include "base/hex.h"

static bool is_unreserved(char c)
{
    /* RFC 3986 section 2.3. */
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

/* The octet of "%41" at text; -1 where it is none. */
static int escaped_octet(struct kw_span text)
{
    if (text.len < 3) {
        return -1;
    }
    char digits[3] = {(char)text.p[1], (char)text.p[2], '\0'};
    uint8_t octet = 0;
    struct kw_out out = {&octet, 1, 0};
    return kw_ok(kw_unhex(digits, &out)) && out.len == 1 ? octet : -1;
}

kw_status kw_uri_decode(struct kw_span text, char *dst, size_t cap)
{
    size_t at = 0;

    for (size_t i = 0; i < text.len; i++) {
        int octet = text.p[i];
        if (octet == '%') {
            octet = escaped_octet(kw_span_sub(text, i, 3));
            i += 2;
        }
        if (octet <= 0) {
            return KW_FAIL(KW_E_INPUT);
        }
        if (at + 1 >= cap) {
            return KW_FAIL(KW_E_TOO_LARGE);
        }
        dst[at++] = (char)octet;
    }
    if (at >= cap) {
        return KW_FAIL(KW_E_TOO_LARGE);
    }
    dst[at] = '\0';
    return KW_OK;
}

kw_status kw_uri_encode(const char *text, struct kw_bytes *into)
{
    static const char digits[] = "0123456789ABCDEF"; /* section 2.1: upper case */

    kw_status status = kw_bytes_reserve(into, 3 * strlen(text));
    if (!kw_ok(status)) {
        return status;
    }
    for (; *text; text++) {
        uint8_t c = (uint8_t)*text;
        if (is_unreserved(*text)) {
            into->p[into->len++] = c;
        } else {
            into->p[into->len++] = '%';
            into->p[into->len++] = (uint8_t)digits[c >> 4];
            into->p[into->len++] = (uint8_t)digits[c & 15];
        }
    }
    return KW_OK;
}

/* The next segment, and *rest behind its slash; *last where no slash follows. */
static struct kw_span next_segment(const char **rest, bool *last)
{
    size_t n = strcspn(*rest, "/");
    struct kw_span segment = KW_SPAN(*rest, n);

    *last = (*rest)[n] == '\0';
    *rest += *last ? n : n + 1;
    return segment;
}

static bool is_parameter(struct kw_span segment)
{
    return segment.len > 2 && segment.p[0] == '{' && segment.p[segment.len - 1] == '}';
}

static bool takes_rest(struct kw_span segment)
{
    return is_parameter(segment) && segment.len > 5 &&
           memcmp(segment.p + segment.len - 4, "...", 3) == 0;
}

/* Give the next free place its name, from a segment such as "{id}" or "{path...}". */
static char *add_parameter(struct kw_uri_params *params, struct kw_span segment)
{
    size_t n = segment.len - (takes_rest(segment) ? 5 : 2);

    if (params->n >= KW_URI_PARAMS_MAX || n >= sizeof(params->at[0].name)) {
        return NULL;
    }
    memcpy(params->at[params->n].name, segment.p + 1, n);
    params->at[params->n].name[n] = '\0';
    return params->at[params->n++].value;
}

/* One segment against its place in the template. An empty segment names nothing: it never matches.
 */
static bool match_segment(struct kw_span wanted, struct kw_span got, struct kw_uri_params *params)
{
    if (!is_parameter(wanted)) {
        return kw_span_equal(wanted, got);
    }
    char *value = add_parameter(params, wanted);
    return value && got.len > 0 && kw_ok(kw_uri_decode(got, value, KW_URI_MAX));
}

bool kw_uri_match(const char *template_, const char *path, struct kw_uri_params *ret)
{
    bool template_last = false;
    bool path_last = false;

    ret->n = 0;
    while (!template_last && !path_last) {
        struct kw_span wanted = next_segment(&template_, &template_last);
        if (takes_rest(wanted)) {
            char *value = add_parameter(ret, wanted);
            return value && kw_text_copy(value, KW_URI_MAX, path);
        }
        struct kw_span got = next_segment(&path, &path_last);
        if (!match_segment(wanted, got, ret)) {
            return false;
        }
    }
    return template_last && path_last;
}

const char *kw_uri_param(const struct kw_uri_params *params, const char *name)
{
    for (unsigned i = 0; i < params->n; i++) {
        if (strcmp(params->at[i].name, name) == 0) {
            return params->at[i].value;
        }
    }
    return NULL;
}

kw_status kw_uri_query(const char *query, const char *key, char *dst, size_t cap)
{
    struct kw_span wanted = kw_span_text(key);
    struct kw_span value = KW_SPAN(NULL, 0);
    unsigned n_found = 0;

    while (query && *query) {
        size_t n_pair = strcspn(query, "&");
        size_t n_key = strcspn(query, "=&");
        if (kw_span_equal(KW_SPAN(query, n_key), wanted)) {
            n_found++;
            value = kw_span_sub(KW_SPAN(query, n_pair), n_key + 1, n_pair);
        }
        query += n_pair + (query[n_pair] == '&' ? 1 : 0);
    }
    if (n_found == 0) {
        return KW_FAIL(KW_E_NOT_FOUND);
    }
    /* Two values for one key: whoever checks and whoever acts might each take another one. */
    return n_found > 1 ? KW_FAIL(KW_E_INPUT) : kw_uri_decode(value, dst, cap);
}
