#include "net/tls_server.h"

#include <openssl/err.h>
#include <stdlib.h>

static kw_status announce(struct kw_op *op, SSL_CTX *ctx, struct cert *const *certs, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        OSSL_ENSURE(op, SSL_CTX_add_client_CA(ctx, cert_x509(certs[i])) == 1, KW_E_MEMORY,
                    "names of client CAs");
    }
    return KW_OK;
}

/* Clients that choose a certificate by the list (RFC 8446 section 4.2.4) find their issuer on it,
 * or its issuer. */
static kw_status ask_clients(struct kw_op *op, struct tls_server *tls,
                             const struct tls_server_config *config)
{
    static const unsigned char session_context[] = "keywright"; /* wanted by OpenSSL, never used */
    int mode = SSL_VERIFY_PEER | (config->client_required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0);

    TRY(op,
        tls_trust_init(op, X509_PURPOSE_SSL_CLIENT, config->client_roots, config->n_client_roots,
                       config->client_intermediates, config->n_client_intermediates, &tls->trust));
    TRY(op, announce(op, tls->ctx, config->client_roots, config->n_client_roots));
    TRY(op, announce(op, tls->ctx, config->client_intermediates, config->n_client_intermediates));
    OSSL_ENSURE(
        op,
        SSL_CTX_set_session_id_context(tls->ctx, session_context, sizeof(session_context) - 1) == 1,
        KW_E_INTERNAL, "session context");
    SSL_CTX_set_verify(tls->ctx, mode, NULL);
    SSL_CTX_set_cert_verify_callback(tls->ctx, tls_conn_verify, tls);
    return KW_OK;
}

/*
 * The key's signature is made on the loop thread. With a remote key that means to wait for the
 * keeper, which takes 50 to 100 us and at most PRIVKEY_TLS_DEADLINE_MS: a deviation from "loop
 * threads never wait", accepted because OpenSSL 3.0 knows no asynchronous signature without its own
 * stack switching, and because a keeper that is away lets no request succeed anyway.
 */
static kw_status set_up(struct kw_op *op, struct tls_server *tls,
                        const struct tls_server_config *config)
{
    ENSURE(op, config->n_client_roots > 0 || !config->client_required, KW_E_INPUT,
           "client certificates are required, but no client root is given");
    TRY(op, tls_settings(op, tls->ctx));
    OSSL_ENSURE(op, SSL_CTX_set_num_tickets(tls->ctx, 0) == 1, KW_E_INTERNAL, "no tickets");
    TRY(op, tls_identity(op, tls->ctx, config->chain, config->n_chain, config->key));
    TRY(op, tls_conn_hook(op, tls));
    return config->n_client_roots > 0 ? ask_clients(op, tls, config) : KW_OK;
}

kw_status tls_server_new(struct kw_op *op, const struct tls_server_config *config,
                         struct tls_server **ret)
{
    AUTO(tls_server) *tls = calloc(1, sizeof(*tls));

    ENSURE(op, tls, KW_E_MEMORY, "TLS server");
    atomic_init(&tls->refs, 1);
    tls->judge = config->judge;
    tls->judge_ctx = config->judge_ctx;
    ERR_clear_error();
    tls->ctx = SSL_CTX_new(TLS_server_method());
    OSSL_ENSURE(op, tls->ctx, KW_E_MEMORY, "TLS server");
    TRY(op, set_up(op, tls, config), "TLS server");
    *ret = TAKE(tls);
    return KW_OK;
}

void tls_server_unref(struct tls_server *tls)
{
    if (!tls || atomic_fetch_sub(&tls->refs, 1) != 1) {
        return;
    }
    SSL_CTX_free(tls->ctx);
    tls_trust_done(&tls->trust);
    free(tls);
}
