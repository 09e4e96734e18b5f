/* Signed data from a peer: never a crash, and what is taken has a certificate and a signature. */
#include <stdlib.h>

#include "device/jws.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kw_op op;
    AUTO(jws) *jws = NULL;

    kw_op_init(&op, NULL, 0);
    if (kw_ok(jws_open(&op, KW_SPAN(data, size), &jws)) && (!jws->n_certs || !jws->data)) {
        abort();
    }
    return 0;
}
