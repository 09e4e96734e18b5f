/* A certificate from any peer. */
#include <stdlib.h>

#include "base/time.h"
#include "crypto/cert.h"
#include "crypto/cert_lint.h"
#include "crypto/openssl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool fact)
{
    if (!fact) {
        abort();
    }
}

static void look_at_all(const struct cert *cert)
{
    need(cert_serial(cert).len > 0 && cert_issuer(cert).len > 2 && cert_public(cert));
    need((cert_ext_critical(cert) & ~cert_ext_present(cert)) == 0);
    need(cert_not_before(cert) <= KW_TIME_NEVER && cert_not_after(cert) <= KW_TIME_NEVER);
    for (unsigned i = 0; i < cert_san_count(cert); i++) {
        need(strchr(cert_san(cert, i), ':') && !strpbrk(cert_san(cert, i), "\n\x1b"));
    }
    for (unsigned i = 0; i < cert_eku_count(cert); i++) {
        need(cert_eku(cert, i)[0] != '\0');
    }
    struct cert_lint_case c = {.cert = cert, .issuer = cert};
    for (unsigned i = cert_lint_next(&c, 0); i < cert_lints_n; i = cert_lint_next(&c, i + 1)) {
        need(cert_lints[i].says);
    }
}

/* What is read is what OpenSSL reads too, and all of it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(cert) *cert = NULL;
    struct kw_op op;
    unsigned char *again = NULL;

    kw_op_init(&op, "fuzz", 0);
    if (!kw_ok(cert_parse(&op, KW_SPAN(data, size), &cert))) {
        need(op.n_frames > 0);
        return 0;
    }
    need(kw_span_equal(cert_der(cert), KW_SPAN(data, size)));
    look_at_all(cert);
    (void)cert_verify_signature(&op, cert, cert_public(cert)).code; /* must not crash */
    (void)cert_verify_path(&op, cert, NULL, 0, &cert, 1, NULL, cert_not_before(cert)).code;
    need(cert_x509(cert));
    int n = i2d_X509(cert_x509(cert), &again);
    need(n > 0 && kw_span_equal(KW_SPAN(again, (size_t)n), KW_SPAN(data, size)));
    OPENSSL_free(again);
    return 0;
}
