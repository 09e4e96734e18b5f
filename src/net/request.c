#include "net/request.h"

#include <ctype.h>
#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>
#include <strings.h>

#include "base/secret.h"

static const struct {
    enum evhttp_cmd_type type;
    enum http_method method;
} methods[] = {
    {EVHTTP_REQ_GET,    HTTP_GET   },
    {EVHTTP_REQ_POST,   HTTP_POST  },
    {EVHTTP_REQ_HEAD,   HTTP_HEAD  },
    {EVHTTP_REQ_PUT,    HTTP_PUT   },
    {EVHTTP_REQ_DELETE, HTTP_DELETE},
};

bool request_split_target(char *target, const char **ret_path, const char **ret_query)
{
    if (target[0] != '/') {
        return false;
    }
    size_t n = strcspn(target, "?#");
    *ret_query = target[n] == '?' ? target + n + 1 : target + strlen(target);
    *ret_path = target;
    target[n] = '\0';
    return true;
}

/* The absolute form (RFC 9112 section 3.2.2) is for proxies, but "MUST accept". */
size_t request_origin(const char *target)
{
    const char *scheme_end = target[0] == '/' ? NULL : strstr(target, "://");
    const char *path = scheme_end ? strchr(scheme_end + 3, '/') : NULL;

    return path ? (size_t)(path - target) : 0;
}

/* Headers that say where the body ends and whom the request is for. */
struct framing {
    unsigned n_lengths, n_encodings, n_hosts;
    const char *length, *encoding;
};

/* RFC 9110 section 5.6.2; "Content-Length :" would be a name that nobody looks for. */
static bool is_token(const char *name)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";

    for (const char *c = name; *c; c++) {
        if (!isalnum((unsigned char)*c) && !strchr(marks, *c)) {
            return false;
        }
    }
    return name[0] != '\0';
}

static bool read_framing(const struct evkeyvalq *headers, struct framing *ret)
{
    *ret = (struct framing){0};
    for (const struct evkeyval *h = headers->tqh_first; h; h = h->next.tqe_next) {
        if (!is_token(h->key)) {
            return false;
        }
        if (strcasecmp(h->key, "Content-Length") == 0) {
            ret->n_lengths++;
            ret->length = h->value;
        } else if (strcasecmp(h->key, "Transfer-Encoding") == 0) {
            ret->n_encodings++;
            ret->encoding = h->value;
        } else if (strcasecmp(h->key, "Host") == 0) {
            ret->n_hosts++;
        }
    }
    return true;
}

/* libevent takes the first of two lengths, "+5", and any encoding but "chunked" as none: we take
 * none of these. */
static kw_status check_framing(struct kw_op *op, struct evhttp_request *raw)
{
    struct framing f;
    bool is_11 = raw->major == 1 && raw->minor >= 1;

    ENSURE(op, read_framing(evhttp_request_get_input_headers(raw), &f), KW_E_INPUT,
           "a header's name has characters that none may have");
    ENSURE(op, raw->major == 1, KW_E_INPUT, "only HTTP/1.1 and HTTP/1.0 are spoken here");
    ENSURE(op, f.n_hosts == 1 || (f.n_hosts == 0 && !is_11), KW_E_INPUT,
           "exactly one Host header is wanted"); /* RFC 9112 section 3.2 */
    ENSURE(op, f.n_lengths <= 1 && f.n_encodings <= 1 && f.n_lengths + f.n_encodings <= 1,
           KW_E_INPUT, "the length of the body is told twice");
    ENSURE(op, !f.length || strspn(f.length, "0123456789") == strlen(f.length), KW_E_INPUT,
           "the length of the body is no number");
    ENSURE(op, !f.encoding || (is_11 && strcasecmp(f.encoding, "chunked") == 0), KW_E_INPUT,
           "the only transfer encoding is chunked");
    bool has_body = f.encoding || (f.length && strcmp(f.length, "0") != 0);
    ENSURE(op, !has_body || evhttp_request_get_command(raw) != EVHTTP_REQ_HEAD, KW_E_INPUT,
           "HEAD has no body");
    return KW_OK;
}

/* libevent answers with the request's version, whatever it is; ours is 1.1, or 1.0 for its clients.
 */
static void settle_version(struct evhttp_request *raw)
{
    bool is_10 = raw->major == 1 && raw->minor == 0;

    raw->major = 1;
    raw->minor = is_10 ? 0 : 1;
}

static kw_status read_target(struct kw_op *op, struct exchange *x)
{
    struct http_request *request = &x->request;

    const char *target = evhttp_request_get_uri(x->raw);
    ENSURE(op, KW_TEXT_SET(x->target, target + request_origin(target)), KW_E_TOO_LARGE,
           "the request target is longer than %d octets", TARGET_MAX - 1);
    ENSURE(op, request_split_target(x->target, &request->path, &request->query), KW_E_INPUT,
           "the request target does not begin with a slash");
    return KW_OK;
}

static enum http_method method_of(const struct evhttp_request *raw)
{
    enum evhttp_cmd_type type = evhttp_request_get_command(raw);

    for (unsigned i = 0; i < KW_COUNT(methods); i++) {
        if (methods[i].type == type) {
            return methods[i].method;
        }
    }
    return HTTP_GET; /* the server lets no other through: server_methods */
}

static struct kw_span body_of(struct evhttp_request *raw)
{
    struct evbuffer *buffer = evhttp_request_get_input_buffer(raw);
    size_t len = evbuffer_get_length(buffer);

    return KW_SPAN(len > 0 ? evbuffer_pullup(buffer, -1) : NULL, len);
}

/* From any one thread at a time: the headers stand still while the exchange lasts. */
static const char *find_header(const struct http_request *request, const char *name)
{
    return request->impl ? evhttp_find_header(evhttp_request_get_input_headers(request->impl), name)
                         : NULL;
}

void request_unread(struct exchange *x, const struct route *route)
{
    x->request.method = route ? (enum http_method)route->method : HTTP_GET;
    x->request.path = route ? route->path : "";
    x->request.query = "";
    x->request.content_type = x->content_type;
    x->request.peer = x->peer;
    x->request.header = find_header;
    x->request.impl = NULL;
    x->request.body = KW_SPAN(NULL, 0);
}

kw_status request_read(struct kw_op *op, struct exchange *x)
{
    struct http_request *request = &x->request;

    request->method = method_of(x->raw);
    request->path = "";
    request->query = "";
    request->content_type = x->content_type;
    request->peer = x->peer;
    request->header = find_header;
    request->impl = x->raw;
    kw_status status = check_framing(op, x->raw);
    settle_version(x->raw);
    TRY(op, status);
    TRY(op, read_target(op, x));
    request->body = body_of(x->raw);
    ENSURE(op, request->body.p || request->body.len == 0, KW_E_MEMORY, "the request's body");
    const char *type = find_header(request, "Content-Type");
    request_media_type(type ? type : "", x->content_type, sizeof(x->content_type));
    return KW_OK;
}

void request_wipe(struct exchange *x)
{
    struct kw_span body = body_of(x->raw);
    const struct evkeyvalq *headers = evhttp_request_get_input_headers(x->raw);

    kw_wipe(x->request.who.secret, sizeof(x->request.who.secret));
    if (body.p) {
        kw_wipe(evbuffer_pullup(evhttp_request_get_input_buffer(x->raw), -1), body.len);
    }
    for (const struct evkeyval *h = headers->tqh_first; h; h = h->next.tqe_next) {
        if (strcasecmp(h->key, "Authorization") == 0) {
            kw_wipe(h->value, strlen(h->value));
        }
    }
}
