/* A secret sealed by a TPM, as it comes back from wherever it was stored. */
#include <stdlib.h>
#include <string.h>

#include "rot/tpm2/sealed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct tpm2_sealed sealed;
    AUTO(kw_bytes) *again = NULL;

    if (kw_ok(tpm2_sealed_parse(KW_SPAN(data, size), &sealed)) &&
        (!kw_ok(tpm2_sealed_encode(&sealed, &again)) ||
         !kw_span_equal(kw_bytes_span(again), KW_SPAN(data, size)))) {
        abort();
    }
    return 0;
}
