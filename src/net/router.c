#include "net/router.h"

#include <stdlib.h>
#include <string.h>

struct row {
    const struct route *route;
    size_t literal; /* octets of the template before its first parameter */
};

struct router {
    unsigned n;
    uint32_t body_max;
    struct row rows[];
};

static const struct {
    enum http_method method;
    const char *text;
} methods[] = {
    {HTTP_GET,    "GET"   },
    {HTTP_HEAD,   "HEAD"  },
    {HTTP_POST,   "POST"  },
    {HTTP_PUT,    "PUT"   },
    {HTTP_DELETE, "DELETE"},
};

static kw_status add_row(struct kw_op *op, struct router *router, const struct route *route)
{
    ENSURE(op, route->path && route->handler && route->errors, KW_E_INTERNAL,
           "route '%s' has an empty cell", route->path ? route->path : "?");
    router->rows[router->n++] = (struct row){route, strcspn(route->path, "{")};
    if (route->body_max > router->body_max) {
        router->body_max = route->body_max;
    }
    return KW_OK;
}

kw_status router_new(struct kw_op *op, const struct route *const *tables, const unsigned *n_rows,
                     struct router **ret)
{
    size_t total = 0;

    for (unsigned i = 0; tables[i]; i++) {
        total += n_rows[i];
    }
    AUTO(router) *router = calloc(1, sizeof(*router) + total * sizeof(router->rows[0]));
    ENSURE(op, router, KW_E_MEMORY, "table of routes");
    for (unsigned i = 0; tables[i]; i++) {
        for (unsigned k = 0; k < n_rows[i]; k++) {
            TRY(op, add_row(op, router, &tables[i][k]));
        }
    }
    *ret = TAKE(router);
    return KW_OK;
}

void router_free(struct router *router)
{
    free(router);
}

const struct route *router_find(const struct router *router, enum http_method method,
                                const char *path, struct kw_uri_params *ret_params,
                                unsigned *ret_allow)
{
    *ret_allow = 0;
    for (unsigned i = 0; i < router->n; i++) {
        const struct row *row = &router->rows[i];
        if (strncmp(path, row->route->path, row->literal) != 0 ||
            !kw_uri_match(row->route->path, path, ret_params)) {
            continue;
        }
        unsigned takes = row->route->method;
        takes |= takes & HTTP_GET ? HTTP_HEAD : 0; /* RFC 9110 section 9.3.2 */
        if (takes & method) {
            return row->route;
        }
        *ret_allow |= takes;
    }
    return NULL;
}

uint32_t router_body_max(const struct router *router)
{
    return router->body_max;
}

void router_allow_text(unsigned allow, char *text, size_t cap)
{
    struct kw_out out = {(uint8_t *)text, cap - 1, 0};

    for (unsigned i = 0; i < KW_COUNT(methods); i++) {
        if (allow & methods[i].method) {
            /* Room for all of them is 31 octets; a shorter array gets fewer. */
            (void)kw_out_append(&out, kw_span_text(out.len > 0 ? ", " : ""));
            (void)kw_out_append(&out, kw_span_text(methods[i].text));
        }
    }
    text[out.len] = '\0';
}

enum http_method router_method(const char *text)
{
    for (unsigned i = 0; i < KW_COUNT(methods); i++) {
        if (strcmp(methods[i].text, text) == 0) {
            return methods[i].method;
        }
    }
    return 0;
}

const char *router_method_text(enum http_method method)
{
    for (unsigned i = 0; i < KW_COUNT(methods); i++) {
        if (methods[i].method == method) {
            return methods[i].text;
        }
    }
    return "?";
}
