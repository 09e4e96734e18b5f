#include "net/response.h"

kw_status http_response_header(struct kw_op *op, struct http_response *response, const char *name,
                               const char *value)
{
    unsigned at = response->n_headers;

    ENSURE(op, at < KW_COUNT(response->headers), KW_E_LIMIT, "no room for header '%s'", name);
    for (const char *c = value; *c; c++) {
        /* RFC 9110 section 5.5: a line end in a value would begin another header. */
        ENSURE(op, (unsigned char)*c >= ' ' && *c != 0x7f, KW_E_INPUT,
               "a control character in the value of header '%s'", name);
    }
    ENSURE(op, KW_TEXT_SET(response->headers[at].value, value), KW_E_TOO_LARGE,
           "the value of header '%s' is too long", name);
    response->headers[at].name = name;
    response->n_headers++;
    return KW_OK;
}

struct kw_span response_body(const struct http_response *response)
{
    return response->keep_shared ? response->shared_body : kw_bytes_span(response->body);
}

void response_reset(struct http_response *response)
{
    kw_bytes_free(response->body);
    if (response->shared_release) {
        response->shared_release(response->shared);
    }
    response->status = 200;
    response->content_type = NULL;
    response->body = NULL;
    response->n_headers = 0;
    response->keep_shared = false;
    response->shared_body = KW_SPAN(NULL, 0);
    response->shared_release = NULL;
    response->shared = NULL;
}
