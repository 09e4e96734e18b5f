/* The EST client (RFC 7030, RFC 8951). */
#include <stdio.h>

#include "base/b64.h"
#include "crypto/cms.h"
#include "device/device.h"

enum { LINE = 64 };

static kw_status decode_certs(struct kw_op *op, struct kw_span body, struct cert *ret[],
                              unsigned max, unsigned *ret_n)
{
    AUTO(kw_bytes) *der = NULL;

    TRY(op, kw_b64_decode(body, KW_CA_CERTS_BYTES, &der), "the server's answer is not base64");
    return cms_certs_parse(op, kw_bytes_span(der), ret, max, ret_n);
}

static bool is_root(const struct device *device, const struct cert *cert)
{
    for (unsigned i = 0; i < device->n_roots; i++) {
        if (kw_span_equal(cert_der(device->roots[i]), cert_der(cert))) {
            return true;
        }
    }
    return false;
}

/* Only what leads to the pinned root is kept; everything else in the answer is ignored. */
static kw_status keep_issuers(struct kw_op *op, struct device *device, struct cert *certs[],
                              unsigned n)
{
    struct cert *kept[DEVICE_ISSUERS_MAX];
    unsigned n_kept = 0;

    for (unsigned i = 0; i < n; i++) {
        struct kw_op quiet;
        kw_op_init(&quiet, NULL, 0);
        if (is_root(device, certs[i]) || n_kept == DEVICE_ISSUERS_MAX ||
            !kw_ok(cert_verify_path(&quiet, certs[i], NULL, 0, device->roots, device->n_roots, NULL,
                                    device_now_s(device)))) {
            continue;
        }
        kept[n_kept++] = certs[i];
    }
    ENSURE(op, n_kept > 0, KW_E_AUTH,
           "none of the server's CA certificates leads to the root that is trusted");
    return state_write_certs(op, device, "ca.pem", kept, n_kept);
}

kw_status est_cacerts(struct kw_op *op, struct device *device)
{
    struct cert *certs[KW_CA_CERTS_MAX];
    struct http_call call = {.method = HTTP_GET, .path = "/.well-known/est/cacerts"};
    AUTO(kw_bytes) *body = NULL;
    unsigned n = 0;

    TRY(op, server_call(op, device, DEVICE_NONE, &call, &body), "CA certificates");
    TRY(op, decode_certs(op, kw_bytes_span(body), certs, KW_COUNT(certs), &n), "CA certificates");
    kw_status status = roots_learn(op, device, certs, n);
    status = kw_ok(status) ? keep_issuers(op, device, certs, n) : status;
    for (unsigned i = 0; i < n; i++) {
        cert_unref(certs[i]);
    }
    TRY(op, status);
    return state_load_issuers(op, device);
}

static kw_status ask(struct kw_op *op, struct device *device, enum device_identity as,
                     const struct est_request *request, struct cert **ret)
{
    char path[128];
    AUTO(kw_bytes) *text = NULL;
    AUTO(kw_bytes) *body = NULL;
    unsigned n = 0;

    (void)snprintf(path, sizeof(path), "/.well-known/est/%s/%s", request->label, request->verb);
    TRY(op, kw_bytes_new(2 * request->csr.len + 64, &text));
    TRY(op, kw_b64_encode(request->csr, LINE, text));
    struct http_call call = {
        .method = HTTP_POST,
        .path = path,
        .content_type = "application/pkcs10",
        .body = kw_bytes_span(text),
        .user = request->secret ? device->config.device_id : NULL,
        .password = request->secret,
        .accept = "application/pkcs7-mime",
    };
    TRY(op, server_call(op, device, as, &call, &body), "%s", request->verb);
    TRY(op, decode_certs(op, kw_bytes_span(body), ret, 1, &n), "%s", request->verb);
    return KW_OK;
}

/* The server's words for it, docs/protocol/attest.md. */
static bool wants_attestation(const struct kw_op *op, kw_status status, enum device_identity as)
{
    return status.code == KW_E_DENIED && as != DEVICE_NONE &&
           strstr(kw_op_cause(op), "attestation needed") != NULL;
}

/* A verdict that is not good is the reason of the refusal; the server's own words stay. */
static kw_status attest_first(struct kw_op *op, struct device *device, enum device_identity as,
                              const char *key)
{
    struct device_verdict verdict = {0};

    TRY(op, device_attest_key(op, device, as, key, &verdict), "attestation is needed first");
    ENSURE(op, verdict.verdict == ATTEST_TRUSTED, KW_E_DENIED,
           "attestation is needed first, and its verdict is %s (%s): %s",
           attest_verdict_text(verdict.verdict), verdict.reason, verdict.detail);
    return KW_OK;
}

kw_status est_enrol(struct kw_op *op, struct device *device, enum device_identity as,
                    const struct est_request *request, struct cert **ret)
{
    kw_status status = ask(op, device, as, request, ret);

    if (!wants_attestation(op, status, as)) {
        return status;
    }
    kw_op_clear(op);
    TRY(op, attest_first(op, device, as, request->key));
    return ask(op, device, as, request, ret);
}
