#include "mosquitto/anchors.h"

#include <pthread.h>
#include <stdlib.h>

#include <openssl/ssl.h>

enum { CONTEXTS_MAX = 64 }; /* listeners, bridges: more than anybody has */

enum whose { NOT_KNOWN, OURS, ANOTHERS };

struct anchors {
    pthread_t thread; /* the broker's */
    int index;        /* of OpenSSL's extra data */
    unsigned n;
    struct {
        SSL_CTX *ctx;
        enum whose whose;
    } at[CONTEXTS_MAX];
};

/* --- contexts as they come and go --------------------------------------------------------------
 */

/* Half built: only its address may be noted. */
static void made(void *ctx, void *nothing, CRYPTO_EX_DATA *data, int index, long none, void *arg)
{
    struct anchors *anchors = arg;

    (void)nothing;
    (void)data;
    (void)index;
    (void)none;
    if (pthread_equal(pthread_self(), anchors->thread) && anchors->n < CONTEXTS_MAX) {
        anchors->at[anchors->n].ctx = ctx;
        anchors->at[anchors->n++].whose = NOT_KNOWN;
    }
}

static void freed(void *ctx, void *nothing, CRYPTO_EX_DATA *data, int index, long none, void *arg)
{
    struct anchors *anchors = arg;

    (void)nothing;
    (void)data;
    (void)index;
    (void)none;
    if (!pthread_equal(pthread_self(), anchors->thread)) {
        return; /* was not noted either */
    }
    for (unsigned i = 0; i < anchors->n; i++) {
        if (anchors->at[i].ctx == ctx) {
            anchors->at[i] = anchors->at[--anchors->n];
            return;
        }
    }
}

kw_status anchors_new(struct kw_op *op, struct anchors **ret)
{
    struct anchors *anchors = calloc(1, sizeof(*anchors));

    ENSURE(op, anchors, KW_E_MEMORY, "no memory for the listeners' CAs");
    anchors->thread = pthread_self();
    anchors->index =
        CRYPTO_get_ex_new_index(CRYPTO_EX_INDEX_SSL_CTX, 0, anchors, made, NULL, freed);
    if (anchors->index < 0) {
        free(anchors);
        return FAIL(op, KW_E_MEMORY, "OpenSSL does not tell of TLS contexts");
    }
    *ret = anchors;
    return KW_OK;
}

void anchors_free(struct anchors *anchors)
{
    if (anchors) {
        (void)CRYPTO_free_ex_index(CRYPTO_EX_INDEX_SSL_CTX, anchors->index); /* it is ours */
        free(anchors);
    }
}

/* --- what they trust ---------------------------------------------------------------------------
 */

static bool trusts(X509_STORE *store, struct cert *const roots[], unsigned n)
{
    const STACK_OF(X509_OBJECT) *all = X509_STORE_get0_objects(store);

    for (int i = 0; i < sk_X509_OBJECT_num(all); i++) {
        const X509 *one = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(all, i));
        for (unsigned k = 0; one && k < n; k++) {
            const X509 *root = cert_x509(roots[k]);
            if (root && X509_cmp(one, root) == 0) {
                return true;
            }
        }
    }
    return false;
}

static enum whose whose(SSL_CTX *ctx, struct cert *const roots[], unsigned n)
{
    return SSL_CTX_get_ssl_method(ctx) == TLS_server_method() &&
                   trusts(SSL_CTX_get_cert_store(ctx), roots, n)
               ? OURS
               : ANOTHERS;
}

static kw_status put(struct kw_op *op, SSL_CTX *ctx, struct cert *const certs[], unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        X509 *x509 = cert_x509(certs[i]);
        ENSURE(op, x509, KW_E_INPUT, "a CA that OpenSSL does not take");
        ENSURE(op, X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), x509) == 1, KW_E_MEMORY,
               "no memory for a listener's CAs");
    }
    return KW_OK;
}

kw_status anchors_add(struct kw_op *op, struct anchors *anchors, struct cert *const roots[],
                      unsigned n_roots, struct cert *const cas[], unsigned n_cas)
{
    for (unsigned i = 0; i < anchors->n; i++) {
        SSL_CTX *ctx = anchors->at[i].ctx;
        if (anchors->at[i].whose == NOT_KNOWN) {
            anchors->at[i].whose = whose(ctx, roots, n_roots);
        }
        if (anchors->at[i].whose == OURS) {
            TRY(op, put(op, ctx, roots, n_roots));
            TRY(op, put(op, ctx, cas, n_cas));
        }
    }
    return KW_OK;
}

bool anchors_waits(const struct anchors *anchors)
{
    for (unsigned i = 0; i < anchors->n; i++) {
        if (anchors->at[i].whose == NOT_KNOWN) {
            return true;
        }
    }
    return false;
}
