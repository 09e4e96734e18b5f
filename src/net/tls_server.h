/* Inside of a tls_server. For net/tls* only. */
#ifndef NET_TLS_SERVER_H
#define NET_TLS_SERVER_H

#include "net/tls_trust.h"

/* How one SSL_CTX takes clients; the SSL_CTX's, which each of its connections holds. */
struct tls_clients {
    struct tls_trust trust;
    tls_judge_client judge;
    void *judge_ctx;
};

/* The SSL_CTX of handshakes that begin now; the caller's reference. NULL: no memory. */
SSL_CTX *tls_server_ctx(struct tls_server *tls);

/* Set ctx up so that its connections report to their struct tls_watch (tls_conn.c). */
kw_status tls_conn_hook(struct kw_op *op, SSL_CTX *ctx);
/* The callback of SSL_CTX_set_cert_verify_callback(); arg: struct tls_clients (tls_conn.c). */
int tls_conn_verify(X509_STORE_CTX *asked, void *arg);

#endif
