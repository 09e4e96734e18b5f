#include "net/tls_conn.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <pthread.h>

#include "base/hex.h"
#include "net/tls_server.h"
#include "os/clock.h"

enum { RECORD_MAX = 16384 /* RFC 8446 section 5.1 */ };

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int watch_index = -1; /* of a connection's watch among its SSL's ex_data */

static void make_index(void)
{
    watch_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
}

/* Once, and then nothing more. */
static void tell_ready(struct tls_watch *watch)
{
    void (*ready)(void *ctx, struct cert *peer) = watch->ready;

    watch->ready = NULL;
    if (ready) {
        ready(watch->ctx, TAKE(watch->peer));
    }
}

static void tell_failed(struct tls_watch *watch, enum tls_end end, const struct kw_op *op)
{
    if (watch->ready && end != TLS_END_GONE) {
        watch->ready = NULL;
        watch->failed(watch->ctx, end, op);
    }
}

/* By OpenSSL's word on the client's octets. */
static enum tls_end end_by(unsigned long error)
{
    int reason = ERR_GET_REASON(error);

    if (reason == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
        return TLS_END_GONE;
    }
    if (reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) {
        return TLS_END_CERTIFICATE;
    }
    return reason >= SSL_AD_REASON_OFFSET ? TLS_END_ALERT : TLS_END_PROTOCOL;
}

/* OpenSSL's queue must stay as it is: what it says next depends on it. */
static void tell_why(struct tls_watch *watch)
{
    unsigned long error = ERR_peek_error();
    struct kw_op op;

    if (error == 0) {
        return; /* there is more to come, or the client left */
    }
    kw_op_init(&op, NULL, 0);
    kw_status status = crypto_own_fault(&op, "the server's side of the handshake");
    bool ours = !kw_ok(status);
    if (!ours) {
        const char *text = ERR_reason_error_string(error);
        status = FAIL(&op, KW_E_INPUT, "%s", text ? text : "no TLS");
    }
    tell_failed(watch, ours ? TLS_END_SERVER : end_by(error), &op);
}

/* TLS 1.3: done after the client's Finished, and again after a key update; an exit after each step.
 */
static void on_info(const SSL *ssl, int where, int ret)
{
    struct tls_watch *watch = SSL_get_ex_data(ssl, watch_index);

    if (!watch) {
        return;
    }
    if (where & SSL_CB_HANDSHAKE_DONE) {
        tell_ready(watch);
    } else if (where == SSL_CB_ACCEPT_EXIT && ret <= 0) {
        tell_why(watch);
    }
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
    char serial[2 * KW_SERIAL_MAX + 1];

    TRY(op, tls_trust_verify(op, &clients->trust, asked, /* with_issuer= */ false, found));
    kw_status verdict =
        clients->judge ? clients->judge(op, clients->judge_ctx, found->leaf) : KW_OK;
    if (!kw_ok(verdict)) {
        tls_trust_refuse(asked, verdict);
    }
    TRY(op, verdict, "certificate %s", kw_hex(cert_serial(found->leaf), serial, sizeof(serial)));
    return KW_OK;
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
    if (!kw_ok(status) && watch) {
        kw_op_explain(&op, status);
        tell_failed(watch, kw_code_http(status.code) < 500 ? TLS_END_CERTIFICATE : TLS_END_SERVER,
                    &op);
    }
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
