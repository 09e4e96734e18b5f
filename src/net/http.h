/* HTTP as the services see it: a request that is whole, an answer that is whole, and tables of
 * routes. */
#ifndef NET_HTTP_H
#define NET_HTTP_H

#include "base/bytes.h"
#include "base/limits.h"
#include "base/op.h"
#include "base/uri.h"
#include "crypto/cert.h"

enum http_method { HTTP_GET = 1, HTTP_POST = 2, HTTP_PUT = 4, HTTP_DELETE = 8, HTTP_HEAD = 16 };

/* Who is on the other end, as the authentication hook found out. */
enum http_auth {
    AUTH_NONE = 1 << 0,   /* nobody in particular; public endpoints */
    AUTH_DEVICE = 1 << 1, /* mTLS with a valid device certificate of ours, not revoked */
    AUTH_SECRET =
        1 << 2, /* HTTP Basic with a device id and a registration secret; the handler checks it */
    AUTH_OPERATOR = 1 << 3, /* mTLS with a valid operator certificate, not revoked */
    AUTH_STATION = 1 << 4,  /* mTLS with a valid certificate of a registration authority: it speaks
                               for devices (RFC 7030 section 3.7) */
    AUTH_EXPIRED = 1 << 5,  /* mTLS with a device certificate that has ended, within the time that
                               its profile gives it to renew itself */
    AUTH_BROKER = 1 << 6,   /* mTLS with a valid certificate of a message broker, not revoked */
};

enum { HTTP_BINDING = 32 }; /* RFC 9266 section 2 */

struct http_principal {
    unsigned kind;             /* exactly one enum http_auth bit */
    char id[KW_NAME_MAX];      /* device or operator id, without prefix; "" for AUTH_NONE */
    char owner[KW_NAME_MAX];   /* of the certificate used, with its prefix: "station:LINE1" */
    char profile[KW_NAME_MAX]; /* of the certificate used */
    int64_t cert_row;          /* store row of the certificate used; 0 = none */
    char secret[128]; /* AUTH_SECRET only: the password as sent; wiped by the engine after the
                         answer */
};

struct http_request {
    enum http_method method;
    const char *path;         /* as sent, without query, not decoded */
    const char *query;        /* "" where absent */
    const char *content_type; /* lower case, without parameters; "" where absent */
    struct kw_span body;
    const char *peer;       /* "127.0.0.1:40312" */
    struct cert *peer_cert; /* verified client certificate; NULL = none; borrowed */
    struct kw_span binding; /* ROUTE_BINDING, ROUTE_ATTEST: tls-exporter of the connection (RFC
                               9266), HTTP_BINDING octets; empty: plain HTTP */
    uint8_t binding_octets[HTTP_BINDING];
    struct kw_uri_params params; /* from the route's template */
    struct http_principal who;
    bool on_loop; /* ROUTE_FAST's first try: must not block */
    const char *(*header)(const struct http_request *request,
                          const char *name); /* NULL where absent */
    void *impl;
};

struct http_response {
    int status;               /* 200 unless set */
    const char *content_type; /* static text */
    struct kw_bytes *body;    /* owned by the response once set; may be NULL */
    unsigned n_headers;
    struct {
        const char *name; /* static text */
        char value[KW_URI_MAX];
    } headers[4];
    bool keep_shared; /* body is borrowed from a cache entry kept alive by `shared_release(shared)`
                       */
    struct kw_span shared_body;
    void (*shared_release)(void *shared);
    void *shared;
};
/* KW_E_LIMIT no room for another header, KW_E_TOO_LARGE, KW_E_INPUT control characters in the
 * value. */
kw_status http_response_header(struct kw_op *op, struct http_response *response, const char *name,
                               const char *value);

/**
 * One row = one thing the server does. The engine does method, size, media type, authentication,
 * deadline, timing and errors; a handler only translates. Handlers run on a pool thread (or, with
 * ROUTE_FAST, on the loop thread: then they must not block).
 */
typedef kw_status (*http_handler)(struct kw_op *op, void *ctx, const struct http_request *request,
                                  struct http_response *response);
enum route_flags {
    ROUTE_FAST = 1 << 0,    /* tried on the loop thread first, must not block; KW_E_STATE: "not from
                               memory", run it again on the pool */
    ROUTE_CLOSE = 1 << 1,   /* close the connection after the answer */
    ROUTE_BINDING = 1 << 2, /* the handler looks at the channel binding */
    ROUTE_ATTEST = 1 << 3,  /* and it is that of attestation: EXPORTER-keywright-attest */
};
struct http_error_style;
struct route {
    unsigned method;      /* one enum http_method bit */
    const char *path;     /* template, base/uri.h */
    unsigned auth;        /* who may: enum http_auth bits, any of them */
    const char *media;    /* content type that a body must have; NULL = any or none */
    uint32_t body_max;    /* octets; larger is 413 before it is read whole */
    uint32_t deadline_ms; /* for the handler */
    unsigned flags;
    http_handler handler;
    const struct http_error_style *errors; /* how failures look on the wire */
    const char *doc;                       /* one line, for OpenAPI and the docs */
};

/* A protocol's way of saying no: REST problem JSON, EST text, OCSP octets. */
struct http_error_style {
    /* Fill the response for this failure. `public_text` is the cause where the peer may see it,
     * else a general phrase. */
    void (*render)(enum kw_code code, const char *public_text, const char *request_id,
                   struct http_response *response);
};
extern const struct http_error_style
    http_errors_text; /* text/plain, one line (RFC 7030 section 4.2.3, RFC 8951 section 5) */
extern const struct http_error_style
    http_errors_json; /* application/problem+json (RFC 9457) with "code", "detail", "request_id" */

#endif
