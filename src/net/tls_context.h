/* Our trust and our identity in an SSL_CTX for libraries that bring their own connection (MQTT). */
#ifndef NET_TLS_CONTEXT_H
#define NET_TLS_CONTEXT_H

#include "net/client.h"

struct ssl_ctx_st; /* SSL_CTX */

/**
 * A context for TLS 1.3 clients, the same rules as the HTTP client's.
 *
 * host        DNS name or address that the server's certificate must have; NULL = the caller sees
 *             to it, SSL_set1_host()
 * config      roots, chain, key and judge are looked at, nothing else; references are taken
 * judge_free  frees config->judge_ctx with the context, also where this fails; NULL = nothing to
 *             free. The judge is called from any thread in which a handshake runs, several at once.
 * ret         one reference, the caller's
 *
 * Errors: as http_client_new(). Blocks: not.
 */
kw_status tls_context_new(struct kw_op *op, const struct http_client_config *config,
                          const char *host, void (*judge_free)(void *ctx), struct ssl_ctx_st **ret);
/* Why the last handshake with it failed, in one sentence; "" where none did for a reason that we
 * know. KW_E_INPUT: no context of ours. */
kw_status tls_context_reason(struct kw_op *op, const struct ssl_ctx_st *ssl_ctx, char *text,
                             size_t cap);

#endif
