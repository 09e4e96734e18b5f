/* A certification request from a device that is not known yet. */
#include <stdlib.h>

#include "crypto/csr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(csr) *csr = NULL;

    if (!kw_ok(csr_parse(NULL, KW_SPAN(data, size), &csr))) {
        return 0;
    }
    if (!kw_span_equal(csr_der(csr), KW_SPAN(data, size)) || csr_subject(csr).len < 2) {
        abort();
    }
    for (unsigned i = 0; i < csr_san_count(csr); i++) {
        if (!csr_san(csr, i)) {
            abort();
        }
    }
    return 0;
}
