/* serverkeygen (RFC 7030 section 4.4): a key made for the client, and its certificate. */
#include "api/est/est.h"
#include "base/b64.h"
#include "service/authority/chain.h"

#define BOUNDARY "keywright-est-part" /* no base64 has a hyphen */
enum { LINE = 76, ROOM = 1024 };

static kw_status put_part(struct kw_op *op, const char *type, struct kw_span der,
                          struct kw_bytes *into)
{
    TRY(op, kw_bytes_printf(into,
                            "--" BOUNDARY "\r\nContent-Type: %s\r\n"
                            "Content-Transfer-Encoding: base64\r\n\r\n",
                            type));
    TRY(op, kw_b64_encode(der, LINE, into));
    return kw_bytes_append_text(into, "\r\n");
}

/* Section 4.4.2: the private key is the first part, the second is simpleenroll's answer. */
static kw_status put_both(struct kw_op *op, struct kw_span key, struct kw_span cert,
                          struct http_response *response)
{
    AUTO(kw_bytes) *body = NULL;

    TRY(op, kw_bytes_new((key.len + cert.len) * 3 / 2 + ROOM, &body));
    TRY(op, put_part(op, "application/pkcs7-mime; smime-type=server-generated-key", key, body));
    TRY(op, put_part(op, EST_CERTS_ONLY, cert, body));
    TRY(op, kw_bytes_append_text(body, "--" BOUNDARY "--\r\n"));
    response->content_type = "multipart/mixed; boundary=" BOUNDARY;
    response->body = TAKE(body);
    return KW_OK;
}

static kw_status make(struct kw_op *op, struct api *api, const struct http_request *request,
                      struct enrol_made *made)
{
    const struct enrol_asker asker = est_asker(request);
    const char *profile = NULL;
    AUTO(kw_bytes) *der = NULL;
    AUTO(csr) *csr = NULL;
    struct enrol_request what;

    TRY(op, est_label(op, api->service, request, &profile));
    TRY(op, est_body(op, request->body, &der));
    TRY(op, enrol_request_from_csr(op, kw_bytes_span(der), &csr, &what));
    return enrol_first_made(op, api->service, &asker, profile, csr, request->peer_cert, made);
}

EST_HANDLER(est_serverkeygen)
{
    struct enrol_made made = {0};
    AUTO(kw_bytes) *key = NULL;
    AUTO(kw_bytes) *cms = NULL;

    TRY(op, make(op, ctx, request, &made));
    key = made.key;
    TRY(op, chain_of_one(op, &made.cert, &cms));
    return put_both(op, kw_bytes_span(key), kw_bytes_span(cms), response);
}
