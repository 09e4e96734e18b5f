/* SIGN_CERT_REQUEST: the CA's own request to its root, which can have one form only. */
#include "base/writer.h"
#include "cmd/keywright-keeper/server.h"

enum { TAG_SEQUENCE = 0x30 };

/* RFC 2986 section 4.1 CertificationRequestInfo: version 0, the policy's name, the key, no
 * attributes. */
static kw_status expected(struct kw_op *op, const struct keeper_key *key, struct kw_out *out)
{
    static const uint8_t version[] = {0x02, 0x01, 0x00};
    static const uint8_t no_attributes[] = {0xa0, 0x00};
    struct kw_span name = KW_SPAN(key->policy.issuer_dn, key->policy.issuer_dn_len);
    struct kw_span spki = pubkey_spki(keeper_key_pubkey(key));
    size_t len = sizeof(version) + name.len + spki.len + sizeof(no_attributes);

    struct kw_writer w = kw_writer_of(out);
    kw_writer_u8(&w, TAG_SEQUENCE);
    if (len > 0xff) {
        kw_writer_u8(&w, 0x82);
        kw_writer_u16(&w, (uint16_t)len);
    } else if (len > 0x7f) {
        kw_writer_u8(&w, 0x81);
        kw_writer_u8(&w, (uint8_t)len);
    } else {
        kw_writer_u8(&w, (uint8_t)len);
    }
    kw_writer_put(&w, KW_SPAN_ARRAY(version));
    kw_writer_put(&w, name);
    kw_writer_put(&w, spki);
    kw_writer_put(&w, KW_SPAN_ARRAY(no_attributes));
    ENSURE(op, kw_ok(kw_writer_end(&w)), KW_E_INTERNAL, "request of the CA too long");
    return KW_OK;
}

kw_status handle_sign_cert_request(struct kw_op *op, struct server *server, struct request *request)
{
    const struct keeper_msg *msg = request->msg;
    struct keeper_key *key = NULL;
    uint8_t octets[KEEPER_CERT_REQUEST_MAX];
    struct kw_out want = KW_OUT_ARRAY(octets);

    TRY(op, keyring_use(op, server->keyring, msg->key_id, KEEPER_SIGN_CERT_REQUEST,
                        request->now_unix, &key));
    TRY(op, expected(op, key, &want));
    ENSURE(op, kw_span_equal(msg->sign.message, kw_out_span(&want)), KW_E_DENIED,
           "cert-request: not exactly this CA's name and key without attributes");
    return request_sign(op, server, key, msg->sign.message, request);
}
