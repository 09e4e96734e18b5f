/* Inside of a tls_server. For net/tls* only. */
#ifndef NET_TLS_SERVER_H
#define NET_TLS_SERVER_H

#include <stdatomic.h>

#include "net/tls_trust.h"

struct tls_server {
    atomic_uint refs;
    SSL_CTX *ctx;
    struct tls_trust trust;
    tls_judge_client judge;
    void *judge_ctx;
};

/* Set ctx up so that its connections report to their struct tls_watch and verify by `tls`
 * (tls_conn.c). */
kw_status tls_conn_hook(struct kw_op *op, struct tls_server *tls);
/* The callback of SSL_CTX_set_cert_verify_callback(); arg: struct tls_server (tls_conn.c). */
int tls_conn_verify(X509_STORE_CTX *asked, void *arg);

#endif
