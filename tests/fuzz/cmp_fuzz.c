/* A PKIMessage from anybody on the network: everything that is read before and after its protection
 * was verified, and an answer to it. */
#include <stdlib.h>

#include "base/secret.h"
#include "crypto/cmp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool fact)
{
    if (!fact) {
        abort();
    }
}

static void within(struct kw_span part, struct kw_span whole)
{
    need(part.len == 0 || (part.p >= whole.p && part.p + part.len <= whole.p + whole.len));
}

static void take_cert_request(struct kw_span content)
{
    struct cmp_cert_request request;

    if (kw_ok(cmp_cert_request_read(NULL, content, &request))) {
        within(request.whole, content);
        within(request.request, request.whole);
        within(request.subject, request.request);
        within(request.pop_signature, request.whole);
        within(request.key_contents, request.request);
        if (kw_ok(cmp_cert_request_key(NULL, &request))) {
            (void)kw_ok(cmp_pop_verify(NULL, &request)); /* any answer will do */
        }
    }
    cmp_cert_request_done(&request);
}

static void take_info(struct kw_span content)
{
    struct kw_span oid, value;
    struct cmp_crl_status status;

    if (kw_ok(cmp_info_read(NULL, content, &oid, &value))) {
        need(cmp_info_of(oid) <= CMP_INFO_MAX);
        if (kw_ok(cmp_crl_status_read(NULL, value, &status))) {
            within(status.issuer, value);
            within(status.url, value);
        }
    }
}

/* The body as each kind of request: the tag is the peer's to choose. */
static void take_body(struct kw_span content)
{
    struct cmp_revocation revocation;
    struct cmp_confirmation confirmation;
    struct kw_span inner[CMP_NESTED_MAX];
    unsigned n = 0;
    char text[64];
    int64_t id = 0;

    take_cert_request(content);
    take_info(content);
    if (kw_ok(cmp_revocation_read(NULL, content, &revocation))) {
        within(revocation.serial, content);
        need(revocation.reason >= 0 && revocation.reason <= 10);
    }
    if (kw_ok(cmp_confirmation_read(NULL, content, &confirmation))) {
        within(confirmation.hash, content);
    }
    if (kw_ok(cmp_nested_read(NULL, content, inner, &n))) {
        need(n > 0 && n <= CMP_NESTED_MAX);
        for (unsigned i = 0; i < n; i++) {
            within(inner[i], content);
        }
    }
    (void)kw_ok(cmp_poll_read(NULL, content, &id));
    cmp_error_text(content, text, sizeof(text));
    need(strlen(text) < sizeof(text));
}

/* What we answer is read as it was written. */
static void answer(const struct cmp_message *message)
{
    static const uint8_t nonce[16] = {1};
    static struct privkey *key;
    struct cmp_status_info info = {CMP_REJECTION, CMP_BAD_POP, "no"};
    struct cmp_header header = {.pvno = 2,
                                .sender = message->sender_name,
                                .recipient = message->sender,
                                .now = 1763700000,
                                .sender_kid = message->sender_kid,
                                .transaction_id = message->transaction_id,
                                .sender_nonce = KW_SPAN_ARRAY(nonce),
                                .recip_nonce = message->sender_nonce,
                                .implicit_confirm = message->implicit_confirm};
    AUTO(kw_bytes) *content = NULL;
    AUTO(kw_bytes) *der = NULL;
    struct cmp_message back;

    need(key || kw_ok(privkey_generate(NULL, KEY_ALG_ED25519, &key)));
    struct cmp_protector protector = {
        .key = key, .extra = message->extra, .n_extra = message->n_extra};
    need(kw_ok(cmp_error_reply(NULL, &info, &content)));
    if (!kw_ok(cmp_build(NULL, &header, CMP_ERROR, kw_bytes_span(content), &protector, &der)) ||
        der->len > CMP_MESSAGE_MAX) {
        return;
    }
    need(kw_ok(cmp_read(NULL, kw_bytes_span(der), &back)) && back.type == CMP_ERROR);
    need(kw_span_equal(back.transaction_id, message->transaction_id) &&
         kw_span_equal(back.recip_nonce, message->sender_nonce) &&
         kw_span_equal(back.recipient, message->sender) && back.n_extra == message->n_extra &&
         back.time == header.now && back.implicit_confirm == message->implicit_confirm);
    need(kw_ok(cmp_verify_signature(NULL, &back, privkey_public(key))));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kw_span der = KW_SPAN(data, size);
    struct cmp_message message;

    take_body(der);
    if (kw_ok(cmp_read_protected(NULL, der, &message))) {
        within(message.content, der);
    }
    if (!kw_ok(cmp_read(NULL, der, &message))) {
        return 0;
    }
    within(message.header, der);
    within(message.content, message.body);
    within(message.protection, der);
    need(message.n_extra <= CMP_EXTRA_MAX && message.transaction_id.len <= CMP_ID_MAX &&
         message.sender_nonce.len <= CMP_NONCE_MAX && message.sender_kid.len <= CMP_KID_MAX);
    if (cmp_protection_of(&message) == CMP_PROTECT_MAC) {
        (void)kw_ok(cmp_check_mac(NULL, &message)); /* any answer will do */
    }
    take_body(message.content);
    answer(&message);
    return 0;
}
