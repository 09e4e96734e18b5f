/*
 * Proof of possession that is linked to the connection (RFC 7030 section 3.5): the request's
 * challengePassword is the base64 of the channel's binding, so that nobody in between can hand in a
 * request that was made for another connection. TLS 1.3 has no tls-unique; its binding is
 * tls-exporter (RFC 9266).
 */
#include "base/b64.h"
#include "service/registration/enrol_internal.h"

enum { BINDING_TEXT = 128 };

static bool required(const struct enrolment *it)
{
    return strcmp(it->profile->data.channel_binding, "required") == 0;
}

static bool is_binding(struct kw_span binding, const char *challenge)
{
    AUTO(kw_bytes) *text = NULL;

    return binding.len > 0 && kw_ok(kw_bytes_new(BINDING_TEXT, &text)) &&
           kw_ok(kw_b64_encode(binding, /* line_len= */ 0, text)) &&
           kw_equal_consttime(kw_bytes_span(text), kw_span_text(challenge));
}

kw_status enrol_check_binding(struct kw_op *op, const struct enrolment *it)
{
    const char *challenge = it->request->challenge;

    ENSURE(op, challenge || !required(it), KW_E_DENIED,
           "profile '%s' wants the channel binding (tls-exporter, base64) as challengePassword",
           it->profile->data.name);
    if (!challenge || enrol_is_vouched(it)) {
        /* RFC 7030 section 3.7: what a device proved to its RA is the RA's to have verified. */
        return KW_OK;
    }
    /* "the EST server MUST verify" it where it is there, required or not. */
    ENSURE(op, is_binding(it->asker->binding, challenge), KW_E_DENIED,
           "the challengePassword is not the channel binding of this connection");
    return KW_OK;
}
