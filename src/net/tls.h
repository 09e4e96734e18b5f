/* TLS 1.3 settings for our listeners and clients. Keys are privkeys: usually the keeper's or the
 * TPM's. */
#ifndef NET_TLS_H
#define NET_TLS_H

#include "base/bytes.h"
#include "base/op.h"
#include "crypto/cert.h"
#include "crypto/privkey.h"

struct tls_server; /* reference counted; any thread */

/**
 * Judge a client certificate whose path is valid already: is it in the registry, not revoked, of a
 * kind allowed here? On a loop thread, within the handshake: must not block for long. Anything but
 * KW_OK ends the handshake.
 */
typedef kw_status (*tls_judge_client)(struct kw_op *op, void *ctx, const struct cert *client);

/* Why a handshake came to nothing. */
enum tls_end {
    TLS_END_GONE,        /* the client left, or kept silent for too long */
    TLS_END_ALERT,       /* the client refuses us */
    TLS_END_PROTOCOL,    /* the client speaks no TLS 1.3 that we know */
    TLS_END_CERTIFICATE, /* the client's certificate is refused */
    TLS_END_SERVER,      /* we could not: our key's signature, the standing of the client's */
    TLS_END_MAX
};

struct tls_server_config {
    struct cert *const *chain; /* own certificate first, then its issuers without the root */
    unsigned n_chain;
    const struct privkey *key;
    struct cert *const
        *client_roots; /* trust anchors for client certificates; none: clients are not asked */
    unsigned n_client_roots;
    struct cert *const *client_intermediates; /* so that clients may send their leaf only */
    unsigned n_client_intermediates;
    /* So long after their end clients' own certificates still go to the judge, who alone decides on
     * them; 0: never. Everything else of the path is judged by the clock as always. */
    int64_t client_late_s;
    bool client_required;   /* no certificate: handshake refused. Else the route decides */
    tls_judge_client judge; /* may be NULL */
    void *judge_ctx;
};
/* TLS 1.3 only, no session tickets or resumption (a resumed session would skip the judgement),
 * P-256 / P-384 / X25519 groups. */
kw_status tls_server_new(struct kw_op *op, const struct tls_server_config *config,
                         struct tls_server **ret);
/**
 * Replace identity and trust while the server runs, without refusing anybody: connections that are
 * accepted after the return take the new, those that are there already end with the old, also where
 * their handshake is under way.
 *
 * tls     borrowed; its listeners go on
 * config  as for tls_server_new(), all of it: what it leaves out is gone. Borrowed for the call;
 * key, certificates and trust of before are let go of when their last connection ends, so the
 *         contexts of both judges must be good until then
 *
 * Errors  as tls_server_new(): KW_E_INPUT the key is not the certificate's, …; nothing has changed
 * Threads any, several at once: the last one stays. Does not wait for connections.
 */
kw_status tls_server_replace(struct kw_op *op, struct tls_server *tls,
                             const struct tls_server_config *config);
void tls_server_unref(struct tls_server *tls);
KW_OWNED(tls_server, struct tls_server, tls_server_unref)

#endif
