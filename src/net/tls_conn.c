#include "net/tls_conn.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <pthread.h>

#include "net/tls_server.h"
#include "os/clock.h"

enum { RECORD_MAX = 16384 /* RFC 8446 section 5.1 */ };

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int watch_index = -1; /* of a connection's watch among its SSL's ex_data */

static void make_index(void)
{
    watch_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
}

/* TLS 1.3: called after the client's Finished, and again after a key update. */
static void on_info(const SSL *ssl, int where, int ret)
{
    struct tls_watch *watch = SSL_get_ex_data(ssl, watch_index);

    (void)ret;
    if (!(where & SSL_CB_HANDSHAKE_DONE) || !watch || !watch->ready) {
        return;
    }
    void (*ready)(void *ctx, struct cert *peer) = watch->ready;
    watch->ready = NULL;
    ready(watch->ctx, TAKE(watch->peer));
}

kw_status tls_conn_hook(struct kw_op *op, SSL_CTX *ctx)
{
    (void)pthread_once(&once, make_index); /* fails only for a broken once */
    ENSURE(op, watch_index >= 0, KW_E_MEMORY, "TLS connections");
    SSL_CTX_set_info_callback(ctx, on_info);
    return KW_OK;
}

static kw_status judge(struct kw_op *op, const struct tls_clients *clients, X509_STORE_CTX *asked,
                       struct tls_found *found)
{
    TRY(op, tls_trust_verify(op, &clients->trust, asked, /* with_issuer= */ false, found));
    kw_status verdict =
        clients->judge ? clients->judge(op, clients->judge_ctx, found->leaf) : KW_OK;
    if (!kw_ok(verdict)) {
        tls_trust_refuse(asked, verdict);
    }
    return verdict;
}

int tls_conn_verify(X509_STORE_CTX *asked, void *arg)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(asked, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls_watch *watch = SSL_get_ex_data(ssl, watch_index);
    struct tls_found found = {0};
    struct kw_op op;

    kw_op_init(&op, NULL, os_clock_mono_ms() + PRIVKEY_TLS_DEADLINE_MS);
    kw_status status = judge(&op, arg, asked, &found);
    ERR_clear_error(); /* what the judge left must not be taken for the handshake's */
    if (kw_ok(status) && watch) {
        cert_unref(watch->peer);
        watch->peer = TAKE(found.leaf);
    }
    tls_found_done(&found);
    return kw_ok(status) ? 1 : 0;
}

struct bufferevent *tls_conn_new(struct tls_server *tls, struct event_base *base,
                                 struct tls_watch *watch)
{
    AUTO(SSL_CTX) *ctx = tls_server_ctx(tls);
    AUTO(SSL) *ssl = ctx ? SSL_new(ctx) : NULL;

    if (!ssl || SSL_set_ex_data(ssl, watch_index, watch) != 1) {
        ERR_clear_error();
        return NULL;
    }
    /* Takes ssl also where it fails (BEV_OPT_CLOSE_ON_FREE). */
    return bufferevent_openssl_socket_new(base, -1, TAKE(ssl), BUFFEREVENT_SSL_ACCEPTING,
                                          BEV_OPT_CLOSE_ON_FREE);
}

void tls_conn_end(struct bufferevent *bev, bool say_goodbye)
{
    SSL *ssl = bufferevent_openssl_get_ssl(bev);

    (void)SSL_set_ex_data(ssl, watch_index, NULL); /* setting what is set needs no memory */
    if (say_goodbye) {
        (void)SSL_shutdown(ssl); /* best effort: the peer may be gone */
        ERR_clear_error();
    }
}

bool tls_conn_export(struct bufferevent *bev, const char *label, uint8_t ret[HTTP_BINDING])
{
    SSL *ssl = bufferevent_openssl_get_ssl(bev);
    bool done = ssl && SSL_export_keying_material(ssl, ret, HTTP_BINDING, label, strlen(label),
                                                  NULL, 0, /* use_context= */ 0) == 1;

    ERR_clear_error();
    return done;
}

/*
 * OpenSSL makes a record of each piece of the buffer. EST clients of libest want the headers within
 * the first read of 1,024 octets and do not wait for a second record; one write is cheaper as well.
 */
void tls_conn_join_output(struct bufferevent *bev)
{
    struct evbuffer *output = bufferevent_get_output(bev);
    size_t len = evbuffer_get_length(output);

    if (len > 0 && len <= RECORD_MAX) {
        (void)evbuffer_pullup(output, -1); /* without memory it stays in pieces */
    }
}
