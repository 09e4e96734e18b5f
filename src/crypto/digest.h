/* SHA-256, SHA-1 (only for key identifiers and OCSP CertIDs) and HMAC-SHA-256. */
#ifndef CRYPTO_DIGEST_H
#define CRYPTO_DIGEST_H

#include "base/bytes.h"
#include "base/limits.h"
#include "base/op.h"
#include "base/secret.h"

/* These cannot fail with a working OpenSSL; where one does, an assertion ends the process. */
void digest_sha256(struct kw_span data, uint8_t ret[KW_HASH_BYTES]);
void digest_sha256_two(struct kw_span a, struct kw_span b, uint8_t ret[KW_HASH_BYTES]);
/* The same where a caller can tell its caller that there is no memory. KW_E_MEMORY. */
kw_status digest_sha256_try(struct kw_op *op, struct kw_span data, uint8_t ret[KW_HASH_BYTES]);
/* SHA-256 of what comes in pieces. */
struct digest_stream;
kw_status digest_stream_new(struct kw_op *op, struct digest_stream **ret);
void digest_stream_add(struct digest_stream *stream, struct kw_span piece);
/* Of what came so far; may be added to further. */
void digest_stream_now(const struct digest_stream *stream, uint8_t ret[KW_HASH_BYTES]);
void digest_stream_free(struct digest_stream *stream);
KW_OWNED(digest_stream, struct digest_stream, digest_stream_free)
void digest_sha1(struct kw_span data, uint8_t ret[20]);
kw_status digest_hmac_sha256(struct kw_op *op, const struct kw_secret *key, struct kw_span data,
                             uint8_t ret[KW_HASH_BYTES]);

#endif
