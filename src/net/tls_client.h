/* The TLS side of the HTTP client: our roots, our identity, and why a handshake failed. For net/
 * only. */
#ifndef NET_TLS_CLIENT_H
#define NET_TLS_CLIENT_H

#include "net/client.h"

struct tls_client; /* one thread at a time */

kw_status tls_client_new(struct kw_op *op, const struct http_client_config *config,
                         struct tls_client **ret);
void tls_client_free(struct tls_client *tls);
KW_OWNED(tls_client, struct tls_client, tls_client_free)

/* The SSL_CTX (void *) of our connections to this host; made once, tls has it. */
kw_status tls_client_context(struct kw_op *op, struct tls_client *tls, const char *host,
                             void **ret_ssl_ctx);
/* A call begins: its operation is the judge's and the remote key's. */
void tls_client_begin(struct tls_client *tls, const struct kw_op *op);
/* The copy of that operation in which failures of the handshake are noted; borrowed. */
struct kw_op *tls_client_op(struct tls_client *tls);
/**
 * Why TLS failed in this call, if it did: the judge's word, ours about the server's certificate,
 * the remote key's, or the alert that the server sent. KW_OK: TLS knows of no failure.
 */
kw_status tls_client_failure(struct kw_op *op, const struct tls_client *tls);
/* What that alert said of our certificate. */
enum http_refusal tls_client_refusal(const struct tls_client *tls);

/* For contexts of other libraries' connections (tls_context.c); these change nothing in `tls`, so
 * any thread may call them at once. Settings, trust and identity for an SSL_CTX: */
kw_status tls_client_set_up(struct kw_op *op, const struct tls_client *tls, void *ssl_ctx);
/* The DNS name or address that the server's certificate must have: */
kw_status tls_client_expect(struct kw_op *op, void *ssl_ctx, const char *host);
/* The verdict on what the peer sent (an X509_STORE_CTX); OpenSSL's error for it is set: */
kw_status tls_client_judge(struct kw_op *op, const struct tls_client *tls, void *asked);
/* A fatal alert of the server as a failure, in words; -1: none, KW_OK. */
kw_status tls_client_alert(struct kw_op *op, int alert);

#endif
