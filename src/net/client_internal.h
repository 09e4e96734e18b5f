/* Between the files of the client. */
#ifndef NET_CLIENT_INTERNAL_H
#define NET_CLIENT_INTERNAL_H

#include "net/client.h"
#include "net/tls_client.h"
#include "net/tls_link.h"

/* The connection. */
struct client_link {
    int fd;               /* -1 = none */
    struct tls_link *tls; /* NULL: plain HTTP */
    int64_t idle_ms;      /* since when it waits for the next call, monotonic clock */
};

struct http_client {
    struct tls_client *tls;         /* NULL: plain HTTP */
    char *base_url;                 /* without a slash at its end */
    struct kw_span authority, path; /* of base_url */
    char *host;
    unsigned port;
    struct http_client_config config; /* numbers only, defaults filled in */
    const char *exporter_label;
    bool has_exporter; /* of the connection that the last call went over */
    uint8_t exporter[HTTP_EXPORTER];
    struct client_link link;
    /* Of the call at work: */
    unsigned n_sent; /* connections on which it was begun */
    bool answered;   /* octets of an answer have come */
    bool too_large, no_memory;
    struct http_answer answer;
};

/* client_link.c; until_ms: monotonic clock. KW_E_TIMEOUT after that, KW_E_UNAVAILABLE where the
 * connection is lost, and of TLS's failures what tls_client_failure() says. */

/* A new connection to one of the host's addresses, the TLS handshake done. KW_E_MEMORY. */
kw_status client_link_open(struct kw_op *op, struct http_client *client, int64_t until_ms);
/* Is the connection of the call before there, and silent as it should be? */
bool client_link_is_alive(const struct client_link *link);
/* No connection: no harm. */
void client_link_close(struct client_link *link);
kw_status client_link_send(struct kw_op *op, struct http_client *client, struct kw_span octets,
                           int64_t until_ms);
/* At least one octet; *ret_n = 0: the server has ended the connection in order. */
kw_status client_link_read(struct kw_op *op, struct http_client *client, uint8_t *to, size_t cap,
                           int64_t until_ms, size_t *ret_n);

/* The request's octets (client_request.c). A secret may be among them: client_wipe() before they
 * are freed. */
kw_status client_request(struct kw_op *op, const struct http_client *client,
                         const struct http_call *call, struct kw_bytes **ret);
void client_wipe(struct kw_bytes *request);

/**
 * Read the answer into client->answer (client_answer.c). Errors: KW_E_TOO_LARGE, KW_E_MEMORY,
 * KW_E_DEVICE no HTTP, KW_E_UNAVAILABLE it broke off, KW_E_TIMEOUT.
 * ret_keep: the connection may serve the next call.
 */
kw_status client_read_answer(struct kw_op *op, struct http_client *client, bool no_body,
                             int64_t until_ms, bool *ret_keep);

#endif
