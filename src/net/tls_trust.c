#include "net/tls_trust.h"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>

#include "os/clock.h"

enum {
    PATH_DEPTH_MAX = 8,
    SECURITY_LEVEL = 2, /* 112 bits: no SHA-1, no RSA below 2048, in any link */
};

static kw_status add_certs(struct kw_op *op, X509_STORE *store, struct cert *const *certs,
                           unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        X509 *x509 = cert_x509(certs[i]);
        ENSURE(op, x509, KW_E_INPUT, "OpenSSL does not take one of the trusted certificates");
        OSSL_ENSURE(op, X509_STORE_add_cert(store, x509) == 1, KW_E_MEMORY,
                    "adding a trusted certificate");
    }
    return KW_OK;
}

/* What a root says about those below the CA that it issued holds for an anchor no longer: then the
 * path must reach the root. */
static bool is_unconstrained(X509 *root)
{
    long path_len = X509_get_pathlen(root);

    return (path_len < 0 || path_len >= 1) &&
           X509_get_ext_by_NID(root, NID_name_constraints, -1) < 0 &&
           X509_get_ext_by_NID(root, NID_ext_key_usage, -1) < 0;
}

static bool is_proven_by(struct cert *ca, struct cert *root)
{
    struct kw_op probe; /* failing is no failure here */

    kw_op_init(&probe, NULL, 0);
    return X509_check_ca(cert_x509(ca)) == 1 && is_unconstrained(cert_x509(root)) &&
           kw_ok(cert_verify_path(&probe, ca, NULL, 0, &root, 1, NULL, os_clock_unix_s()));
}

static struct cert *prover_of(struct cert *ca, struct cert *const *roots, unsigned n_roots)
{
    for (unsigned i = 0; i < n_roots; i++) {
        if (is_proven_by(ca, roots[i])) {
            return roots[i];
        }
    }
    return NULL;
}

static bool push(STACK_OF(X509) *stack, X509 *x509)
{
    return X509_add_cert(stack, x509, X509_ADD_FLAG_UP_REF | X509_ADD_FLAG_NO_DUP) == 1;
}

static kw_status add_between(struct kw_op *op, struct tls_trust *trust, struct cert *ca,
                             const struct cert *root)
{
    X509 *x509 = cert_x509(ca);

    OSSL_ENSURE(op, push(trust->between, x509), KW_E_MEMORY, "adding an intermediate");
    if (!root) {
        OSSL_ENSURE(op, push(trust->unproven, x509), KW_E_MEMORY, "adding an intermediate");
        return KW_OK;
    }
    int64_t from = cert_not_before(root);
    int64_t until = cert_not_after(root);
    trust->from = from > trust->from ? from : trust->from;
    trust->until = until < trust->until ? until : trust->until;
    trust->n_anchors++;
    return add_certs(op, trust->anchors, &ca, 1);
}

kw_status tls_trust_init(struct kw_op *op, int purpose, struct cert *const *roots, unsigned n_roots,
                         struct cert *const *intermediates, unsigned n_intermediates,
                         struct tls_trust *trust)
{
    trust->purpose = purpose;
    trust->from = INT64_MIN;
    trust->until = INT64_MAX;
    trust->roots = X509_STORE_new();
    trust->anchors = X509_STORE_new();
    trust->between = sk_X509_new_null();
    trust->unproven = sk_X509_new_null();
    OSSL_ENSURE(op, trust->roots && trust->anchors && trust->between && trust->unproven,
                KW_E_MEMORY, "trusted certificates");
    TRY(op, add_certs(op, trust->roots, roots, n_roots));
    for (unsigned i = 0; i < n_roots; i++) { /* what is not self-signed ends no path */
        bool is_root = X509_self_signed(cert_x509(roots[i]), /* verify_signature= */ 0) == 1;
        TRY(op, add_certs(op, trust->anchors, &roots[i], is_root ? 1 : 0));
    }
    for (unsigned i = 0; i < n_intermediates; i++) {
        ENSURE(op, cert_x509(intermediates[i]), KW_E_INPUT,
               "OpenSSL does not take one of the intermediate certificates");
        TRY(op,
            add_between(op, trust, intermediates[i], prover_of(intermediates[i], roots, n_roots)));
    }
    ERR_clear_error();
    return KW_OK;
}

void tls_trust_done(struct tls_trust *trust)
{
    X509_STORE_free(trust->roots);
    X509_STORE_free(trust->anchors);
    sk_X509_pop_free(trust->between, X509_free);
    sk_X509_pop_free(trust->unproven, X509_free);
    *trust = (struct tls_trust){0};
}

void tls_found_done(struct tls_found *found)
{
    cert_unref(found->leaf);
    cert_unref(found->issuer);
    *found = (struct tls_found){0};
}

/* What has ended, and only that, and only of the peer's own certificate: a path's other faults stay
 * faults, and what has not begun yet is none of ours. */
static bool is_tolerable(time_t *by, X509_STORE_CTX *ctx)
{
    return X509_STORE_CTX_get_error(ctx) == X509_V_ERR_CERT_HAS_EXPIRED &&
           X509_STORE_CTX_get_error_depth(ctx) == 0 &&
           X509_cmp_time(X509_get0_notAfter(X509_STORE_CTX_get0_cert(ctx)), by) > 0;
}

static int tolerate(int ok, X509_STORE_CTX *ctx)
{
    if (!ok && is_tolerable(X509_STORE_CTX_get_app_data(ctx), ctx)) {
        X509_STORE_CTX_set_error(ctx, X509_V_OK);
        return 1;
    }
    return ok;
}

static void tolerate_late(X509_STORE_CTX *ctx, time_t *by)
{
    (void)X509_STORE_CTX_set_app_data(ctx, by); /* setting place 0 needs no memory */
    X509_STORE_CTX_set_verify_cb(ctx, tolerate);
}

static void set_up(const struct tls_trust *trust, X509_STORE_CTX *ctx, int64_t now, bool anchored)
{
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);

    if (!trust->any_time) { /* a time that is set would count before the flag */
        X509_VERIFY_PARAM_set_time(param, (time_t)now);
    }
    X509_VERIFY_PARAM_set_depth(param, PATH_DEPTH_MAX);
    X509_VERIFY_PARAM_set_auth_level(param, SECURITY_LEVEL);
    /* Both return 1 for flags and purposes that exist. A certificate without extended key usage
     * fits any purpose. */
    (void)X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_X509_STRICT |
                                                 (anchored ? X509_V_FLAG_PARTIAL_CHAIN : 0) |
                                                 (trust->any_time ? X509_V_FLAG_NO_CHECK_TIME : 0));
    (void)X509_VERIFY_PARAM_set_purpose(param, trust->purpose);
}

/* Reading one costs about as much as a signature, so the issuer only where somebody looks at it. */
static kw_status read_chain(struct kw_op *op, X509_STORE_CTX *ctx, bool with_issuer,
                            struct tls_found *ret)
{
    STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(ctx);

    TRY(op, cert_from_x509(op, sk_X509_value(chain, 0), &ret->leaf), "the peer's certificate");
    if (with_issuer && sk_X509_num(chain) > 1) {
        TRY(op, cert_from_x509(op, sk_X509_value(chain, 1), &ret->issuer), "the peer's issuer");
    }
    return KW_OK;
}

typedef STACK_OF(X509) x509_list;

static void x509_list_free(x509_list *list) /* not what is on it */
{
    sk_X509_free(list);
}
KW_OWNED(x509_list, x509_list, x509_list_free)

/* What the peer sent and what it need not send. NULL: no memory. */
static x509_list *helpers(X509_STORE_CTX *asked, x509_list *ours)
{
    x509_list *sent = X509_STORE_CTX_get0_untrusted(asked);
    AUTO(x509_list) *all = sent ? sk_X509_dup(sent) : sk_X509_new_null();

    return all && X509_add_certs(all, ours, X509_ADD_FLAG_DEFAULT) == 1 ? TAKE(all) : NULL;
}

/* SSL_set1_host() and its like. Names only: of what else a library asked for, nothing counts. */
static bool copy_names(X509_STORE_CTX *asked, X509_STORE_CTX *ctx)
{
    X509_VERIFY_PARAM *from = X509_STORE_CTX_get0_param(asked);
    X509_VERIFY_PARAM *to = X509_STORE_CTX_get0_param(ctx);
    const char *host = NULL;
    bool copied = true;

    X509_VERIFY_PARAM_set_hostflags(to, X509_VERIFY_PARAM_get_hostflags(from));
    for (int i = 0; copied && (host = X509_VERIFY_PARAM_get0_host(from, i)); i++) {
        copied = X509_VERIFY_PARAM_add1_host(to, host, 0) == 1;
    }
    char *address = X509_VERIFY_PARAM_get1_ip_asc(from);
    copied = copied && (!address || X509_VERIFY_PARAM_set1_ip_asc(to, address) == 1);
    OPENSSL_free(address);
    return copied;
}

static kw_status run(struct kw_op *op, const struct tls_trust *trust, X509_STORE_CTX *asked,
                     X509_STORE_CTX *ctx)
{
    int64_t now = trust->now_s ? trust->now_s(trust->now_ctx) : os_clock_unix_s();
    time_t late_by = (time_t)(now - trust->late_s);
    bool anchored = trust->n_anchors > 0 && now >= trust->from && now <= trust->until;
    AUTO(x509_list) *untrusted = helpers(asked, anchored ? trust->unproven : trust->between);

    OSSL_ENSURE(op,
                untrusted && X509_STORE_CTX_init(ctx, anchored ? trust->anchors : trust->roots,
                                                 X509_STORE_CTX_get0_cert(asked), untrusted) == 1,
                KW_E_MEMORY, "verifying the peer's certificate");
    OSSL_ENSURE(op, copy_names(asked, ctx), KW_E_MEMORY, "verifying the peer's certificate");
    set_up(trust, ctx, now, anchored);
    if (trust->late_s > 0) {
        tolerate_late(ctx, &late_by);
    }
    int verdict = X509_verify_cert(ctx);
    int error = X509_STORE_CTX_get_error(ctx);
    ERR_clear_error();
    error = verdict != 1 && error == X509_V_OK ? X509_V_ERR_UNSPECIFIED : error;
    X509_STORE_CTX_set_error(asked, error);
    bool untimely = error == X509_V_ERR_CERT_HAS_EXPIRED || error == X509_V_ERR_CERT_NOT_YET_VALID;
    ENSURE(op, error == X509_V_OK, untimely ? KW_E_EXPIRED : KW_E_AUTH,
           "the peer's certificate is not trusted: %s (depth %d)",
           X509_verify_cert_error_string(error), X509_STORE_CTX_get_error_depth(ctx));
    return KW_OK;
}

/* Our own context, not the given one: whatever a library put into its store, only ours counts. */
static kw_status verify(struct kw_op *op, const struct tls_trust *trust, X509_STORE_CTX *asked,
                        bool with_issuer, struct tls_found *ret)
{
    AUTO(X509_STORE_CTX) *ctx = X509_STORE_CTX_new();

    OSSL_ENSURE(op, ctx, KW_E_MEMORY, "verifying the peer's certificate");
    TRY(op, run(op, trust, asked, ctx));
    return read_chain(op, ctx, with_issuer, ret);
}

kw_status tls_trust_verify(struct kw_op *op, const struct tls_trust *trust, X509_STORE_CTX *asked,
                           bool with_issuer, struct tls_found *ret)
{
    X509_STORE_CTX_set_error(asked, X509_V_ERR_UNSPECIFIED); /* should anything fail below */
    return verify(op, trust, asked, with_issuer, ret);
}

void tls_trust_refuse(X509_STORE_CTX *asked, kw_status verdict)
{
    static const struct {
        enum kw_code code;
        int error;
    } errors[] = {
        {KW_E_REVOKED,     X509_V_ERR_CERT_REVOKED    }, /* alert certificate_revoked */
        {KW_E_EXPIRED,     X509_V_ERR_CERT_HAS_EXPIRED}, /* certificate_expired */
        {KW_E_UNAVAILABLE, X509_V_ERR_UNSPECIFIED     }, /* internal_error: it may do later */
        {KW_E_TIMEOUT,     X509_V_ERR_UNSPECIFIED     },
        {KW_E_MEMORY,      X509_V_ERR_OUT_OF_MEM      },
    };

    X509_STORE_CTX_set_error(asked, X509_V_ERR_CERT_REJECTED); /* bad_certificate */
    for (unsigned i = 0; i < KW_COUNT(errors); i++) {
        if (errors[i].code == verdict.code) {
            X509_STORE_CTX_set_error(asked, errors[i].error);
        }
    }
}

/* Fastest first; the list without the post-quantum hybrid is for OpenSSL before 3.5. */
static bool set_groups(SSL_CTX *ctx)
{
    static char with_hybrid[] = "X25519MLKEM768:P-256:X25519:P-384";
    static char without[] = "P-256:X25519:P-384";
    char *const lists[] = {with_hybrid,
                           without}; /* OpenSSL's macro wants no const, and reads only */

    for (unsigned i = 0; i < KW_COUNT(lists); i++) {
        if (SSL_CTX_set1_groups_list(ctx, lists[i]) == 1) {
            ERR_clear_error();
            return true;
        }
    }
    return false;
}

kw_status tls_settings(struct kw_op *op, SSL_CTX *ctx)
{
    OSSL_ENSURE(op,
                SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) == 1 &&
                    SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) == 1 && set_groups(ctx),
                KW_E_UNSUPPORTED, "TLS 1.3 settings");
    SSL_CTX_set_security_level(ctx, SECURITY_LEVEL);
    /* A resumed session would not show its certificate again, nor be judged. */
    (void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF); /* returns the former mode */
    (void)SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_CLEANSE_PLAINTEXT); /* the new mask */
    (void)SSL_CTX_set_mode(ctx,
                           SSL_MODE_RELEASE_BUFFERS); /* 34 KiB less for each idle connection */
    return KW_OK;
}

kw_status tls_identity(struct kw_op *op, SSL_CTX *ctx, struct cert *const *chain, unsigned n_chain,
                       const struct privkey *key)
{
    ENSURE(op, n_chain > 0 && key, KW_E_INPUT, "a TLS identity needs a certificate and a key");
    for (unsigned i = 0; i < n_chain; i++) {
        X509 *x509 = cert_x509(chain[i]);
        ENSURE(op, x509, KW_E_INPUT, "OpenSSL does not take certificate %u of our chain", i);
        OSSL_ENSURE(op,
                    i == 0 ? SSL_CTX_use_certificate(ctx, x509) == 1
                           : SSL_CTX_add1_chain_cert(ctx, x509) == 1,
                    KW_E_INPUT, "our certificate chain");
    }
    OSSL_ENSURE(op, SSL_CTX_use_PrivateKey(ctx, privkey_evp(key)) == 1, KW_E_INPUT,
                "our key does not fit our certificate");
    (void)SSL_CTX_set_mode(ctx, SSL_MODE_NO_AUTO_CHAIN); /* returns the new mask */
    return KW_OK;
}
