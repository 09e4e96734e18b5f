#include "net/tls_context.h"

#include <openssl/err.h>
#include <pthread.h>
#include <stdlib.h>

#include "net/tls_client.h"
#include "net/tls_trust.h"
#include "os/clock.h"

enum { JUDGE_MS = 15000, REASON_MAX = 512 };

struct tls_context {
    struct tls_client *tls;
    void (*judge_free)(void *ctx);
    void *judge_ctx;
    pthread_mutex_t mutex; /* of reason */
    char reason[REASON_MAX];
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int context_index = -1; /* of a tls_context among an SSL_CTX's ex_data */

static void context_free(struct tls_context *context)
{
    if (context) {
        tls_client_free(context->tls);
        if (context->judge_free) {
            context->judge_free(context->judge_ctx);
        }
        (void)pthread_mutex_destroy(&context->mutex); /* nobody holds it */
        free(context);
    }
}
KW_OWNED(tls_context, struct tls_context, context_free)

static void on_free(void *parent, void *ptr, CRYPTO_EX_DATA *data, int index, long argl, void *argp)
{
    (void)parent;
    (void)data;
    (void)index;
    (void)argl;
    (void)argp;
    context_free(ptr);
}

static void make_index(void)
{
    context_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, on_free);
}

static void note(struct tls_context *context, const char *text)
{
    (void)pthread_mutex_lock(&context->mutex); /* plain mutex of ours: none of this fails */
    (void)snprintf(context->reason, sizeof(context->reason), "%s", text);
    (void)pthread_mutex_unlock(&context->mutex);
}

static void note_failure(struct tls_context *context, const struct kw_op *op)
{
    char text[REASON_MAX];

    kw_op_message(op, text, sizeof(text));
    note(context, text);
}

static int verify(X509_STORE_CTX *asked, void *arg)
{
    struct tls_context *context = arg;
    struct kw_op op;

    kw_op_init(&op, "tls", os_clock_mono_ms() + JUDGE_MS);
    bool good = kw_ok(tls_client_judge(&op, context->tls, asked));
    if (!good) {
        note_failure(context, &op);
    }
    return good ? 1 : 0;
}

static void on_info(const SSL *ssl, int where, int ret)
{
    struct tls_context *context = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), context_index);
    struct kw_op op;

    if (!context) {
        return;
    }
    kw_op_init(&op, "tls", 0);
    if (where & SSL_CB_HANDSHAKE_START) {
        note(context, "");
    } else if (where == SSL_CB_READ_ALERT && (ret >> 8) == SSL3_AL_FATAL &&
               !kw_ok(tls_client_alert(&op, ret & 0xff))) {
        note_failure(context, &op);
    }
}

static kw_status make(struct kw_op *op, struct tls_context *context, SSL_CTX **ret)
{
    AUTO(SSL_CTX) *ctx = SSL_CTX_new(TLS_client_method());

    OSSL_ENSURE(op, ctx, KW_E_MEMORY, "TLS context");
    TRY(op, tls_client_set_up(op, context->tls, ctx));
    SSL_CTX_set_info_callback(ctx, on_info);
    SSL_CTX_set_cert_verify_callback(ctx, verify, context);
    *ret = TAKE(ctx);
    return KW_OK;
}

kw_status tls_context_new(struct kw_op *op, const struct http_client_config *config,
                          const char *host, void (*judge_free)(void *ctx), struct ssl_ctx_st **ret)
{
    AUTO(tls_context) *context = calloc(1, sizeof(*context));
    AUTO(SSL_CTX) *ctx = NULL;

    if (!context && judge_free) {
        judge_free(config->judge_ctx);
    }
    ENSURE(op, context, KW_E_MEMORY, "TLS context");
    context->judge_free = judge_free;
    context->judge_ctx = config->judge_ctx;
    ENSURE(op, pthread_mutex_init(&context->mutex, NULL) == 0, KW_E_MEMORY, "TLS context");
    (void)pthread_once(&once, make_index); /* fails only for a broken once */
    ENSURE(op, context_index >= 0, KW_E_MEMORY, "TLS context");
    TRY(op, tls_client_new(op, config, &context->tls));
    TRY(op, make(op, context, &ctx));
    if (host) {
        TRY(op, tls_client_expect(op, ctx, host));
    }
    OSSL_ENSURE(op, SSL_CTX_set_ex_data(ctx, context_index, context) == 1, KW_E_MEMORY,
                "TLS context");
    context = NULL; /* ctx has it */
    *ret = TAKE(ctx);
    return KW_OK;
}

kw_status tls_context_reason(struct kw_op *op, const struct ssl_ctx_st *ssl_ctx, char *text,
                             size_t cap)
{
    struct tls_context *context =
        context_index >= 0 ? SSL_CTX_get_ex_data(ssl_ctx, context_index) : NULL;

    ENSURE(op, context, KW_E_INPUT, "this TLS context is none of ours");
    (void)pthread_mutex_lock(&context->mutex);
    (void)snprintf(text, cap, "%s", context->reason);
    (void)pthread_mutex_unlock(&context->mutex);
    return KW_OK;
}
