#include "net/tls_server.h"

#include <openssl/err.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

/*
 * Replacing is to put another SSL_CTX in the place of the present one: a connection holds the one
 * that it began with, and with it the trust that it is judged by, until it ends.
 */
struct tls_server {
    atomic_uint refs;
    pthread_mutex_t lock; /* guards ctx */
    SSL_CTX *ctx;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int clients_index = -1; /* of a struct tls_clients among an SSL_CTX's ex_data */

/* The last connection and the server let go of their SSL_CTX. */
static void free_clients(void *parent, void *value, CRYPTO_EX_DATA *data, int index, long argl,
                         void *argp)
{
    struct tls_clients *clients = value;

    (void)parent;
    (void)data;
    (void)index;
    (void)argl;
    (void)argp;
    if (clients) {
        tls_trust_done(&clients->trust);
        free(clients);
    }
}

static void make_index(void)
{
    clients_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_clients);
}

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
static kw_status ask_clients(struct kw_op *op, SSL_CTX *ctx, const struct tls_server_config *config)
{
    static const unsigned char session_context[] = "keywright"; /* wanted by OpenSSL, never used */
    int mode = SSL_VERIFY_PEER | (config->client_required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0);
    struct tls_clients *clients = calloc(1, sizeof(*clients));

    ENSURE(op, clients, KW_E_MEMORY, "how to take clients");
    *clients = (struct tls_clients){.judge = config->judge, .judge_ctx = config->judge_ctx};
    if (SSL_CTX_set_ex_data(ctx, clients_index, clients) != 1) {
        free(clients);
        return crypto_fail(op, KW_E_MEMORY, __FILE__, __LINE__, "how to take clients");
    }
    TRY(op, tls_trust_init(op, X509_PURPOSE_SSL_CLIENT, config->client_roots,
                           config->n_client_roots, config->client_intermediates,
                           config->n_client_intermediates, &clients->trust));
    clients->trust.late_s = config->client_late_s;
    TRY(op, announce(op, ctx, config->client_roots, config->n_client_roots));
    TRY(op, announce(op, ctx, config->client_intermediates, config->n_client_intermediates));
    OSSL_ENSURE(
        op, SSL_CTX_set_session_id_context(ctx, session_context, sizeof(session_context) - 1) == 1,
        KW_E_INTERNAL, "session context");
    SSL_CTX_set_verify(ctx, mode, NULL);
    SSL_CTX_set_cert_verify_callback(ctx, tls_conn_verify, clients);
    return KW_OK;
}

/*
 * The key's signature is made on the loop thread. With a remote key that means to wait for the
 * keeper, which takes 50 to 100 us and at most PRIVKEY_TLS_DEADLINE_MS: a deviation from "loop
 * threads never wait", accepted because OpenSSL 3.0 knows no asynchronous signature without its own
 * stack switching, and because a keeper that is away lets no request succeed anyway.
 */
static kw_status new_ctx(struct kw_op *op, const struct tls_server_config *config, SSL_CTX **ret)
{
    ENSURE(op, config->n_client_roots > 0 || !config->client_required, KW_E_INPUT,
           "client certificates are required, but no client root is given");
    (void)pthread_once(&once, make_index); /* fails only for a broken once */
    ENSURE(op, clients_index >= 0, KW_E_MEMORY, "how to take clients");
    ERR_clear_error();
    AUTO(SSL_CTX) *ctx = SSL_CTX_new(TLS_server_method());
    OSSL_ENSURE(op, ctx, KW_E_MEMORY, "settings");
    TRY(op, tls_settings(op, ctx));
    OSSL_ENSURE(op, SSL_CTX_set_num_tickets(ctx, 0) == 1, KW_E_INTERNAL, "no tickets");
    TRY(op, tls_identity(op, ctx, config->chain, config->n_chain, config->key));
    TRY(op, tls_conn_hook(op, ctx));
    if (config->n_client_roots > 0) {
        TRY(op, ask_clients(op, ctx, config));
    }
    *ret = TAKE(ctx);
    return KW_OK;
}

kw_status tls_server_new(struct kw_op *op, const struct tls_server_config *config,
                         struct tls_server **ret)
{
    AUTO(tls_server) *tls = calloc(1, sizeof(*tls));

    ENSURE(op, tls, KW_E_MEMORY, "TLS server");
    atomic_init(&tls->refs, 1);
    (void)pthread_mutex_init(&tls->lock, NULL); /* cannot fail with default attributes on Linux */
    TRY(op, new_ctx(op, config, &tls->ctx), "TLS server");
    *ret = TAKE(tls);
    return KW_OK;
}

kw_status tls_server_replace(struct kw_op *op, struct tls_server *tls,
                             const struct tls_server_config *config)
{
    AUTO(SSL_CTX) *ctx = NULL;

    TRY(op, new_ctx(op, config, &ctx), "replacing the TLS server's identity and trust");
    (void)pthread_mutex_lock(&tls->lock);
    SSL_CTX *former = tls->ctx;
    tls->ctx = TAKE(ctx);
    (void)pthread_mutex_unlock(&tls->lock);
    SSL_CTX_free(former);
    return KW_OK;
}

SSL_CTX *tls_server_ctx(struct tls_server *tls)
{
    (void)pthread_mutex_lock(&tls->lock);
    SSL_CTX *ctx = SSL_CTX_up_ref(tls->ctx) == 1 ? tls->ctx : NULL;
    (void)pthread_mutex_unlock(&tls->lock);
    return ctx;
}

void tls_server_unref(struct tls_server *tls)
{
    if (!tls || atomic_fetch_sub(&tls->refs, 1) != 1) {
        return;
    }
    SSL_CTX_free(tls->ctx);
    (void)pthread_mutex_destroy(&tls->lock);
    free(tls);
}
