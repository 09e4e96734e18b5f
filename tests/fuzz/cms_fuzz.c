/* A certs-only CMS message from an EST server. */
#include <stdlib.h>

#include "crypto/cms.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX = 4 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cert *certs[MAX] = {NULL};
    AUTO(kw_bytes) *again = NULL;
    unsigned n = 0;

    if (!kw_ok(cms_certs_parse(NULL, KW_SPAN(data, size), certs, MAX, &n))) {
        return 0;
    }
    if (n < 1 || n > MAX || !kw_ok(cms_certs_build(NULL, certs, n, &again))) {
        abort();
    }
    for (unsigned i = 0; i < n; i++) {
        cert_unref(certs[i]);
    }
    return 0;
}
