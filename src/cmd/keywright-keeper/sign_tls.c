/* SIGN_TLS: the one content that a TLS 1.3 server signs, and nothing else. */
#include "cmd/keywright-keeper/server.h"

/*
 * RFC 8446 section 4.4.3: "A string that consists of octet 32 (0x20) repeated 64 times", "The
 * context string" ("TLS 1.3, server CertificateVerify"), "A single 0 byte which serves as the
 * separator", "The content to be signed" (the transcript hash: SHA-256 or SHA-384 in every TLS 1.3
 * suite).
 */
enum { PAD_BYTES = 64, SHA256_BYTES = 32, SHA384_BYTES = 48 };
static const char context[] = "TLS 1.3, server CertificateVerify"; /* with its NUL: the separator */
_Static_assert(PAD_BYTES + sizeof(context) + SHA384_BYTES == KEEPER_TLS_CONTENT_MAX, "length");

static bool is_server_verify(struct kw_span content)
{
    struct kw_span pad = kw_span_sub(content, 0, PAD_BYTES);
    struct kw_span text = kw_span_sub(content, PAD_BYTES, sizeof(context));
    size_t n_hash = content.len - pad.len - text.len;

    for (size_t i = 0; i < pad.len; i++) {
        if (pad.p[i] != 0x20) {
            return false;
        }
    }
    return pad.len == PAD_BYTES && kw_span_equal(text, KW_SPAN(context, sizeof(context))) &&
           (n_hash == SHA256_BYTES || n_hash == SHA384_BYTES);
}

kw_status handle_sign_tls(struct kw_op *op, struct server *server, struct request *request)
{
    const struct keeper_msg *msg = request->msg;
    struct keeper_key *key = NULL;

    TRY(op,
        keyring_use(op, server->keyring, msg->key_id, KEEPER_SIGN_TLS, request->now_unix, &key));
    ENSURE(op, is_server_verify(msg->sign.message), KW_E_DENIED,
           "tls-content: not the CertificateVerify of a TLS 1.3 server");
    return request_sign(op, server, key, msg->sign.message, request);
}
