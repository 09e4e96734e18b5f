/* The device's identity for any library that speaks TLS by OpenSSL: MQTT, HTTP, AMQP, … */
#ifndef KEYWRIGHT_CONNECT_H
#define KEYWRIGHT_CONNECT_H

#include <keywright/types.h>

KEYWRIGHT_C_BEGIN

struct ssl_ctx_st; /* SSL_CTX */

/**
 * A TLS client's context: shows the current LDevID with its chain and proves it by the key in the
 * root of trust; takes only servers whose certificate leads to the pinned root and is not revoked,
 * by OCSP; what cannot be found out counts as revoked. TLS 1.3 only, no resumption.
 *
 *     mosquitto_int_option(mosq, MOSQ_OPT_SSL_CTX_WITH_DEFAULTS, 0);
 *     mosquitto_void_option(mosq, MOSQ_OPT_SSL_CTX, ctx);
 *
 * After a renewal ask for another context.
 *
 * host  DNS name or address that the server's certificate must have. Many libraries do not look at
 *       the name of the host once they are given a context: libmosquitto 2.0 does not. NULL = the
 *       caller sees to it: SSL_set1_host()
 * ret   one reference, the caller's: SSL_CTX_free(). It works on after keywright_close(), in any
 *       thread; a handshake blocks for the OCSP responder where no good answer is kept, and for the
 *       root of trust's signature.
 *
 * Errors  BAD_INPUT the host, NO_IDENTITY, LOST, UNAVAILABLE root of trust busy
 */
KEYWRIGHT_API enum keywright_result keywright_tls_context(struct keywright *kw, const char *host,
                                                          struct ssl_ctx_st **ret);
/**
 * Why the last handshake with this context failed, in one sentence ("the server refuses our
 * certificate: …"); "" where none did, or for no reason of TLS.
 *
 * ctx  of keywright_tls_context()
 *
 * cap  octets of text's room; what is longer is cut
 *
 * Errors  BAD_INPUT another's context
 */
KEYWRIGHT_API enum keywright_result keywright_tls_reason(struct keywright *kw,
                                                         const struct ssl_ctx_st *ctx, char *text,
                                                         size_t cap);

KEYWRIGHT_C_END

#endif
