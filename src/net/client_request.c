/* What is sent. */
#include <string.h>

#include "base/b64.h"
#include "base/secret.h"
#include "net/client_internal.h"

enum { LINES_ROOM = 512 }; /* for what we say ourselves */

static kw_status check_line(struct kw_op *op, const char *line)
{
    for (const char *c = line; c && *c; c++) {
        ENSURE(op, (unsigned char)*c >= ' ' && *c != 0x7f, KW_E_INPUT,
               "a control character in a request header");
    }
    return KW_OK;
}

static kw_status check_call(struct kw_op *op, const struct http_call *call)
{
    ENSURE(op, call->path[0] == '/', KW_E_INPUT, "a path begins with a slash");
    for (const char *c = call->path; *c; c++) {
        ENSURE(op, *c > ' ' && *c < 0x7f, KW_E_INPUT,
               "a path with characters that are not encoded");
    }
    ENSURE(op, !call->password || !strchr(call->password, ':'), KW_E_INPUT,
           "a password with a colon"); /* parted at the last one: device ids may be MAC addresses */
    TRY(op, check_line(op, call->content_type));
    TRY(op, check_line(op, call->accept));
    for (unsigned i = 0; i < KW_COUNT(call->headers) && call->headers[i]; i++) {
        TRY(op, check_line(op, call->headers[i]));
    }
    return KW_OK;
}

static kw_status add_basic(struct kw_bytes *request, const struct http_call *call)
{
    AUTO(kw_bytes) *plain = NULL;
    const char *password = call->password ? call->password : "";

    TRY(NULL, kw_bytes_new(strlen(call->user) + strlen(password) + 2, &plain));
    TRY(NULL, kw_bytes_append_text(request, "Authorization: Basic "));
    kw_status status = kw_bytes_printf(plain, "%s:%s", call->user, password);
    if (kw_ok(status)) {
        status = kw_b64_encode(kw_bytes_span(plain), 0, request);
    }
    client_wipe(plain);
    TRY(NULL, status);
    return kw_bytes_append_text(request, "\r\n");
}

static const char *method_text(enum http_method method)
{
    static const struct {
        enum http_method method;
        const char *text;
    } names[] = {
        {HTTP_GET,    "GET"   },
        {HTTP_HEAD,   "HEAD"  },
        {HTTP_PUT,    "PUT"   },
        {HTTP_DELETE, "DELETE"},
    };

    for (unsigned i = 0; i < KW_COUNT(names); i++) {
        if (names[i].method == method) {
            return names[i].text;
        }
    }
    return "POST";
}

/* All at once: it never grows, so that no copy of a secret is left behind. */
static size_t room_of(const struct http_client *client, const struct http_call *call)
{
    size_t n =
        LINES_ROOM + client->authority.len + client->path.len + strlen(call->path) + call->body.len;

    n += call->content_type ? strlen(call->content_type) : 0;
    n += call->accept ? strlen(call->accept) : 0;
    n += call->user ? 2 * strlen(call->user) : 0;
    n += call->password ? 2 * strlen(call->password) : 0;
    for (unsigned i = 0; i < KW_COUNT(call->headers) && call->headers[i]; i++) {
        n += strlen(call->headers[i]) + 2;
    }
    return n;
}

static kw_status write_request(struct kw_bytes *request, const struct http_client *client,
                               const struct http_call *call)
{
    TRY(NULL,
        kw_bytes_printf(request,
                        "%s %.*s%s HTTP/1.1\r\n"
                        "Host: %.*s\r\n"
                        "User-Agent: keywright/" KW_VERSION "\r\n"
                        "Accept: %s\r\n",
                        method_text(call->method), (int)client->path.len,
                        (const char *)client->path.p, call->path, (int)client->authority.len,
                        (const char *)client->authority.p, call->accept ? call->accept : "*/*"));
    if (call->content_type) {
        TRY(NULL, kw_bytes_printf(request, "Content-Type: %s\r\n", call->content_type));
    }
    if (call->user) {
        TRY(NULL, add_basic(request, call));
    }
    for (unsigned i = 0; i < KW_COUNT(call->headers) && call->headers[i]; i++) {
        TRY(NULL, kw_bytes_printf(request, "%s\r\n", call->headers[i]));
    }
    if (call->method != HTTP_GET && call->method != HTTP_HEAD) {
        TRY(NULL, kw_bytes_printf(request, "Content-Length: %zu\r\n", call->body.len));
    }
    TRY(NULL, kw_bytes_append_text(request, "\r\n"));
    return kw_bytes_append(request, call->body);
}

kw_status client_request(struct kw_op *op, const struct http_client *client,
                         const struct http_call *call, struct kw_bytes **ret)
{
    AUTO(kw_bytes) *request = NULL;

    TRY(op, check_call(op, call));
    TRY(op, kw_bytes_new(room_of(client, call), &request), "the request");
    kw_status status = write_request(request, client, call);
    if (!kw_ok(status)) {
        client_wipe(request);
    }
    TRY(op, status, "the request");
    *ret = TAKE(request);
    return KW_OK;
}

void client_wipe(struct kw_bytes *request)
{
    if (request) {
        kw_wipe(request->p, request->cap);
    }
}
