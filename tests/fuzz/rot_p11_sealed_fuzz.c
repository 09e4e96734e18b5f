/* A secret sealed by a PKCS#11 token, as it comes back from wherever it was stored. */
#include <stdlib.h>

#include "rot/pkcs11/sealed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t room[P11_SEALED_MAX];
    struct kw_out again = KW_OUT_ARRAY(room);
    struct p11_sealed sealed;

    if (kw_ok(p11_sealed_parse(KW_SPAN(data, size), &sealed)) &&
        (!kw_ok(p11_sealed_encode(&sealed, &again)) ||
         !kw_span_equal(kw_out_span(&again), KW_SPAN(data, size)))) {
        abort();
    }
    return 0;
}
