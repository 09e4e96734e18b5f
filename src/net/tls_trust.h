/* Verification of the other side's certificate, for servers and clients alike. For net/tls* only.
 */
#ifndef NET_TLS_TRUST_H
#define NET_TLS_TRUST_H

#include "crypto/openssl.h"
#include "net/tls.h"

/*
 * The root's signature on an issuing CA is the same at each handshake, and dear to verify where it
 * is P-384's. So it is verified once: an issuing CA that is valid under a root is an anchor itself
 * for as long as the root is valid, and every other certificate of the path is judged at each
 * handshake, the anchor's own validity included.
 */
struct tls_trust {
    X509_STORE *roots;        /* only these end a path … */
    X509_STORE *anchors;      /* … or these too: the roots, and issuing CAs verified under them */
    unsigned n_anchors;       /* of the latter */
    int64_t from, until;      /* when all roots above the anchors are valid, Unix seconds */
    STACK_OF(X509) *between;  /* intermediates that peers need not send, all of them */
    STACK_OF(X509) *unproven; /* of these, the ones that are no anchors */
    int64_t late_s;           /* so long after its end the peer's own certificate is let through */
    int purpose;              /* X509_PURPOSE_… */
    int64_t (*now_s)(void *ctx); /* the time to judge by; NULL = the plain clock */
    void *now_ctx;
    bool any_time; /* no time is asked of the path: only for answers that prove themselves */
};

/**
 * Zero-initialise; on failure too, tls_trust_done() frees. An intermediate that is not valid under
 * a root now, is no CA, or stands below a root with constraints of its own, is no anchor: it only
 * helps to find the way to a root. Blocks for a signature's verification for each pair of them.
 */
kw_status tls_trust_init(struct kw_op *op, int purpose, struct cert *const *roots, unsigned n_roots,
                         struct cert *const *intermediates, unsigned n_intermediates,
                         struct tls_trust *trust);
void tls_trust_done(struct tls_trust *trust);

/* What verification found; zero-initialise, free with tls_found_done(). */
struct tls_found {
    struct cert *leaf;
    struct cert *issuer; /* NULL: not asked for, or leaf is a root itself */
};
void tls_found_done(struct tls_found *found);
/**
 * Check the path (RFC 5280 section 6, X509_V_FLAG_X509_STRICT) of what the peer sent, by our clock.
 * asked: OpenSSL's, as given to the callback of SSL_CTX_set_cert_verify_callback(); its error is
 * set (which picks the alert). Errors: KW_E_EXPIRED, KW_E_AUTH with OpenSSL's reason, KW_E_INPUT
 * the leaf is nothing that we can read.
 */
kw_status tls_trust_verify(struct kw_op *op, const struct tls_trust *trust, X509_STORE_CTX *asked,
                           bool with_issuer, struct tls_found *ret);
/* Have OpenSSL refuse the peer with the alert that fits the judge's word. */
void tls_trust_refuse(X509_STORE_CTX *asked, kw_status verdict);

/* What our servers and clients have in common: TLS 1.3 only, groups, no resumption. */
kw_status tls_settings(struct kw_op *op, SSL_CTX *ctx);
/* Show this chain (own certificate first) and prove it with this key. */
kw_status tls_identity(struct kw_op *op, SSL_CTX *ctx, struct cert *const *chain, unsigned n_chain,
                       const struct privkey *key);

#endif
