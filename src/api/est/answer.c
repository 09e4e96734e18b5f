/* How EST puts things on the wire. */
#include <stdio.h>

#include "api/est/est.h"
#include "base/b64.h"

enum { EST_LINE = 76, RETRY_AFTER_S = 60 };

kw_status est_answer(struct kw_op *op, struct kw_span der, const char *content_type,
                     struct http_response *response)
{
    AUTO(kw_bytes) *body = NULL;

    /* "The Content-Transfer-Encoding … base64" (RFC 7030 section 4.1.3); RFC 8951 lets clients
     * ignore the header. */
    TRY(op, kw_bytes_new(der.len * 3 / 2 + 64, &body));
    TRY(op, kw_b64_encode(der, EST_LINE, body));
    TRY(op, http_response_header(op, response, "Content-Transfer-Encoding", "base64"));
    response->content_type = content_type;
    response->body = TAKE(body);
    return KW_OK;
}

kw_status est_body(struct kw_op *op, struct kw_span body, struct kw_bytes **ret)
{
    kw_status decoded = kw_b64_decode(body, KW_CSR_MAX, ret);

    ENSURE(op, kw_ok(decoded), decoded.code, "the body is not base64 of a certification request");
    return KW_OK;
}

/* "202 … MUST include a Retry-After header" (RFC 7030 section 4.2.3): a person is asked, which
 * takes minutes rather than seconds. So is one where too many wait already; a key's rate is by the
 * minute, too. */
static bool takes_minutes(enum kw_code code)
{
    return code == KW_E_APPROVAL || code == KW_E_LIMIT;
}

static void render(enum kw_code code, const char *public_text, const char *request_id,
                   struct http_response *response)
{
    char seconds[16];

    http_errors_text.render(code, public_text, request_id, response);
    if (takes_minutes(code)) {
        (void)snprintf(seconds, sizeof(seconds), "%d", RETRY_AFTER_S);
        (void)http_response_header(NULL, response, "Retry-After", seconds); /* the first: it fits */
    }
    if (response->status == 202) {
        /* Bouncy Castle's client takes a 202 with a body for a broken connection. */
        kw_bytes_free(TAKE(response->body));
        response->content_type = NULL;
    }
}

const struct http_error_style est_errors = {.render = render};
