/* A TBSCertificate that a front end, perhaps a hostile one, asks the keeper to sign. */
#include <stdlib.h>

#include "tbs_agree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What would be signed is exactly what was read: the same octets stand in the certificate to be. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(cert) *cert = NULL;
    bool read = false;

    if (!tbs_readers_agree(KW_SPAN(data, size), &read)) {
        abort();
    }
    if (!kw_ok(cert_parse_tbs(NULL, KW_SPAN(data, size), &cert))) {
        return 0;
    }
    struct kw_span der = cert_der(cert);
    size_t header = der.p[1] < 0x80 ? 2 : 2 + (size_t)(der.p[1] & 0x7f);
    if (!kw_span_equal(kw_span_sub(der, header, size), KW_SPAN(data, size)) ||
        kw_ok(cert_verify_signature(NULL, cert, cert_public(cert)))) {
        abort();
    }
    return 0;
}
