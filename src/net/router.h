/* The tables of one listener, searched by method and path. For net/ only. */
#ifndef NET_ROUTER_H
#define NET_ROUTER_H

#include "net/http.h"

struct router; /* immutable once made */

/* Tables and rows are borrowed. KW_E_INTERNAL a row that cannot be served (no handler, no style of
 * errors). */
kw_status router_new(struct kw_op *op, const struct route *const *tables, const unsigned *n_rows,
                     struct router **ret);
void router_free(struct router *router);
KW_OWNED(router, struct router, router_free)

/* The row for this request, or NULL; then *ret_allow has the methods that the path takes (0: no
 * such path). */
const struct route *router_find(const struct router *router, enum http_method method,
                                const char *path, struct kw_uri_params *ret_params,
                                unsigned *ret_allow);
/* Octets of the largest body that any row takes. */
uint32_t router_body_max(const struct router *router);
/* "GET, HEAD, POST" of a mask of methods. */
void router_allow_text(unsigned allow, char *text, size_t cap);
/* "GET"; "?" for none. */
/* 0: none of ours. */
enum http_method router_method(const char *text);
const char *router_method_text(enum http_method method);

#endif
