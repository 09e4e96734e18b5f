#include "net/tls_client.h"

#include <openssl/err.h>
#include <pthread.h>
#include <stdlib.h>

#include "net/tls_trust.h"

struct tls_client {
    struct tls_trust trust;
    struct cert **chain;
    unsigned n_chain;
    struct privkey *key; /* NULL = no identity */
    SSL_CTX *ctx;        /* NULL: not needed yet */
    kw_status (*judge)(struct kw_op *op, void *ctx, const struct cert *leaf,
                       const struct cert *issuer);
    void *judge_ctx;
    struct kw_op op; /* of the call at work; a failure in it is TLS's */
    int alert;       /* fatal one that the server sent, RFC 8446 section 6; -1 = none */
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int client_index = -1; /* of a tls_client among an SSL_CTX's ex_data */

static void make_index(void)
{
    client_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
}

static kw_status copy_identity(struct kw_op *op, struct tls_client *tls,
                               const struct http_client_config *config)
{
    tls->chain = calloc(config->n_chain, sizeof(struct cert *));
    ENSURE(op, tls->chain, KW_E_MEMORY, "TLS client");
    for (unsigned i = 0; i < config->n_chain; i++) {
        tls->chain[i] = cert_ref(config->chain[i]);
        tls->n_chain++;
    }
    ENSURE(op, config->key, KW_E_INPUT, "a client certificate without its key");
    tls->key = privkey_ref(config->key);
    return KW_OK;
}

kw_status tls_client_new(struct kw_op *op, const struct http_client_config *config,
                         struct tls_client **ret)
{
    AUTO(tls_client) *tls = calloc(1, sizeof(*tls));

    ENSURE(op, tls, KW_E_MEMORY, "TLS client");
    (void)pthread_once(&once, make_index); /* fails only for a broken once */
    ENSURE(op, client_index >= 0, KW_E_MEMORY, "TLS client");
    tls->alert = -1;
    tls->judge = config->judge;
    tls->judge_ctx = config->judge_ctx;
    TRY(op, tls_trust_init(op, X509_PURPOSE_SSL_SERVER, config->roots, config->n_roots, NULL, 0,
                           &tls->trust));
    tls->trust.now_s = config->now_s;
    tls->trust.now_ctx = config->judge_ctx;
    tls->trust.any_time = config->any_time;
    if (config->n_chain > 0) {
        TRY(op, copy_identity(op, tls, config));
    }
    *ret = TAKE(tls);
    return KW_OK;
}

void tls_client_free(struct tls_client *tls)
{
    if (!tls) {
        return;
    }
    for (unsigned i = 0; i < tls->n_chain; i++) {
        cert_unref(tls->chain[i]);
    }
    free(tls->chain);
    SSL_CTX_free(tls->ctx);
    privkey_unref(tls->key);
    tls_trust_done(&tls->trust);
    free(tls);
}

static kw_status judge(struct kw_op *op, const struct tls_client *tls, X509_STORE_CTX *asked,
                       struct tls_found *found)
{
    TRY(op, tls_trust_verify(op, &tls->trust, asked, tls->judge != NULL, found));
    kw_status verdict =
        tls->judge ? tls->judge(op, tls->judge_ctx, found->leaf, found->issuer) : KW_OK;
    if (!kw_ok(verdict)) {
        tls_trust_refuse(asked, verdict);
    }
    return kw_op_context(op, verdict, KW_HERE_FILE, KW_HERE_LINE,
                         "judging the server's certificate");
}

kw_status tls_client_judge(struct kw_op *op, const struct tls_client *tls, void *asked)
{
    struct tls_found found = {0};
    kw_status status = judge(op, tls, asked, &found);

    tls_found_done(&found);
    ERR_clear_error();
    return status;
}

static int verify(X509_STORE_CTX *asked, void *arg)
{
    struct tls_client *tls = arg;

    kw_op_clear(&tls->op);
    return kw_ok(tls_client_judge(&tls->op, tls, asked)) ? 1 : 0;
}

static void on_info(const SSL *ssl, int where, int ret)
{
    struct tls_client *tls = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), client_index);

    if (tls && where == SSL_CB_READ_ALERT && (ret >> 8) == SSL3_AL_FATAL) {
        tls->alert = ret & 0xff;
    }
}

kw_status tls_client_set_up(struct kw_op *op, const struct tls_client *tls, void *ssl_ctx)
{
    TRY(op, tls_settings(op, ssl_ctx));
    SSL_CTX_set_verify(ssl_ctx, SSL_VERIFY_PEER, NULL);
    return tls->key ? tls_identity(op, ssl_ctx, tls->chain, tls->n_chain, tls->key) : KW_OK;
}

/* Many libraries that take a context do not look at the name then: libmosquitto does not. */
kw_status tls_client_expect(struct kw_op *op, void *ssl_ctx, const char *host)
{
    X509_VERIFY_PARAM *param = SSL_CTX_get0_param(ssl_ctx);

    if (X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1) {
        return KW_OK;
    }
    ERR_clear_error(); /* no address, so a name */
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    OSSL_ENSURE(op, *host && X509_VERIFY_PARAM_set1_host(param, host, 0) == 1, KW_E_INPUT,
                "the name of the host");
    return KW_OK;
}

kw_status tls_client_context(struct kw_op *op, struct tls_client *tls, const char *host,
                             void **ret_ssl_ctx)
{
    AUTO(SSL_CTX) *ctx = NULL;

    if (!tls->ctx) {
        ctx = SSL_CTX_new(TLS_client_method());
        OSSL_ENSURE(op, ctx && SSL_CTX_set_ex_data(ctx, client_index, tls) == 1, KW_E_MEMORY,
                    "TLS client");
        SSL_CTX_set_info_callback(ctx, on_info);
        SSL_CTX_set_cert_verify_callback(ctx, verify, tls);
        TRY(op, tls_client_set_up(op, tls, ctx));
        TRY(op, tls_client_expect(op, ctx, host));
        tls->ctx = TAKE(ctx);
    }
    *ret_ssl_ctx = tls->ctx;
    return KW_OK;
}

void tls_client_begin(struct tls_client *tls, const struct kw_op *op)
{
    tls->op = *op;
    kw_op_clear(&tls->op);
    tls->alert = -1;
}

struct kw_op *tls_client_op(struct tls_client *tls)
{
    return &tls->op;
}

/* Not by SSL_alert_desc_string_long(): OpenSSL 3.0 has no words for the last one. */
/* Alerts by which a server says that it does not take our certificate, or lacks one (RFC 8446
 * section 6.2). */
static const struct {
    int alert;
    enum http_refusal kind;
    const char *text;
} about_us[] = {
    {SSL_AD_BAD_CERTIFICATE,         HTTP_REFUSAL_OTHER,   "bad certificate"        },
    {SSL_AD_UNSUPPORTED_CERTIFICATE, HTTP_REFUSAL_OTHER,   "unsupported certificate"},
    {SSL_AD_CERTIFICATE_REVOKED,     HTTP_REFUSAL_REVOKED, "certificate revoked"    },
    {SSL_AD_CERTIFICATE_EXPIRED,     HTTP_REFUSAL_EXPIRED, "certificate expired"    },
    {SSL_AD_CERTIFICATE_UNKNOWN,     HTTP_REFUSAL_OTHER,   "certificate unknown"    },
    {SSL_AD_UNKNOWN_CA,              HTTP_REFUSAL_OTHER,   "unknown CA"             },
    {SSL_AD_ACCESS_DENIED,           HTTP_REFUSAL_OTHER,   "access denied"          },
    {SSL_AD_DECRYPT_ERROR,           HTTP_REFUSAL_OTHER,   "decrypt error"          },
    {TLS13_AD_CERTIFICATE_REQUIRED,  HTTP_REFUSAL_OTHER,   "certificate required"   },
};

static const char *text_about_us(int alert, enum http_refusal *ret_kind)
{
    for (unsigned i = 0; i < KW_COUNT(about_us); i++) {
        if (about_us[i].alert == alert) {
            *ret_kind = about_us[i].kind;
            return about_us[i].text;
        }
    }
    return NULL;
}

kw_status tls_client_alert(struct kw_op *op, int alert)
{
    enum http_refusal kind = HTTP_REFUSAL_NONE;
    const char *refusal = text_about_us(alert, &kind);

    ENSURE(op, !refusal, KW_E_AUTH, "the server refuses our certificate: TLS alert '%s'", refusal);
    ENSURE(op, alert < 0, KW_E_UNAVAILABLE, "the server refuses the TLS handshake: alert '%s'",
           SSL_alert_desc_string_long(alert));
    return KW_OK;
}

enum http_refusal tls_client_refusal(const struct tls_client *tls)
{
    enum http_refusal kind = HTTP_REFUSAL_NONE;

    (void)text_about_us(tls->alert, &kind); /* only the kind is wanted */
    return kind;
}

kw_status tls_client_failure(struct kw_op *op, const struct tls_client *tls)
{
    if (tls->op.n_frames > 0) {
        *op = tls->op; /* the same identity and deadline: it was copied from there */
        return KW_FAIL(op->code);
    }
    return tls_client_alert(op, tls->alert);
}
