/* Request targets: path templates, percent-encoding and queries (RFC 3986). */
#ifndef BASE_URI_H
#define BASE_URI_H

#include "base/bytes.h"
#include "base/limits.h"

enum { KW_URI_PARAMS_MAX = 4 };

struct kw_uri_params {
    unsigned n;
    struct {
        char name[24];
        char value[KW_URI_MAX]; /* percent-decoded, no NUL inside */
    } at[KW_URI_PARAMS_MAX];
};

/* Percent-decode text into dst. KW_E_INPUT bad escape or NUL; KW_E_TOO_LARGE. '+' stays '+'. */
kw_status kw_uri_decode(struct kw_span text, char *dst, size_t cap);
/* Append text percent-encoded (unreserved characters stay). */
kw_status kw_uri_encode(const char *text, struct kw_bytes *into);
/**
 * Match a path against a template such as "/v1/certs/{id}/revoke"; a last segment "{name...}" takes
 * the whole rest including slashes, undecoded. Segments are split before decoding, so %2F never
 * makes one. True and *ret filled on a match; values that are empty or do not decode do not match.
 * path has no query.
 */
bool kw_uri_match(const char *template_, const char *path, struct kw_uri_params *ret);
/* Value of a template parameter or of a query's key; NULL where absent. */
const char *kw_uri_param(const struct kw_uri_params *params, const char *name);
/**
 * Look a key up in "a=b&c=d"; decoded into dst. query may be NULL; "a" alone has the value "".
 * Errors: KW_E_NOT_FOUND; KW_E_INPUT bad escape, or the key stands there twice; KW_E_TOO_LARGE.
 */
kw_status kw_uri_query(const char *query, const char *key, char *dst, size_t cap);

#endif
